"""Parts of a sample that are fitted on their own: photometric regions, and bins in redshift."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from ..errors import DataError, ParameterError
from ..sky import Counts, find_redshift
from .regions import region_labels
from .sample import Sample

MAX_BINS = 50


@dataclass(frozen=True)
class SamplePart:
    """A region, a bin in redshift, or both, of a sample.

    Parameters
    ----------
    sample : Sample
        The part, with its own counts, coverage and catalogues.
    region : str
        Name of its region; empty where there is one for all.
    z_range : tuple of float or None
        Smallest redshift, and the one that galaxies stay below; None for all, and for bins that are only numbered.
    z_bin : int
        Number of the bin from 1; zero where there is one for all.
    galaxy_rows, random_rows : ndarray of bool or None, shapes (n_gal,) and (n_rand,)
        Which objects of the whole sample are its own; None where that has no catalogue of them.  Randoms belong to all
        bins.
    """

    sample: Sample
    region: str = ""
    z_range: tuple[float, float] | None = None
    z_bin: int = 0
    galaxy_rows: np.ndarray | None = None
    random_rows: np.ndarray | None = None

    @property
    def label(self) -> str:
        """Name of the part, for tables and figures; ``all`` for a whole sample."""
        of_z = f"bin {self.z_bin}" if self.z_bin else ""
        if self.z_range is not None:
            of_z = f"z {self.z_range[0]:g}-{self.z_range[1]:g}"
        return ", ".join(word for word in (self.region, of_z) if word) or "all"


@dataclass(frozen=True)
class _Bin:
    """Bin in redshift: its number, its range where it is known, and its galaxies."""

    number: int
    z_range: tuple[float, float] | None
    rows: np.ndarray


def whole(sample: Sample) -> SamplePart:
    """A sample as its only part.

    Parameters
    ----------
    sample : Sample
        The sample.

    Returns
    -------
    SamplePart
        With all objects.
    """
    return SamplePart(sample, galaxy_rows=_seen(sample, 0), random_rows=_seen(sample, 1))


def _seen(sample: Sample, which: int) -> np.ndarray | None:
    """Galaxies (0) or randoms (1) that can be counted."""
    objects = (sample.galaxies, sample.randoms)[which]
    if objects is None:
        return None
    seen = sample.seen[which]
    return np.ones(len(objects), bool) if seen is None else seen


def split(
    sample: Sample,
    *,
    regions: str = "",
    z_column: str = "",
    z_edges: Sequence[float] = (),
    bin_column: str = "",
    ordering: str | None = None,
    frame: str | None = None,
) -> tuple[SamplePart, ...]:
    """Cut a sample into its regions and bins.

    Parameters
    ----------
    sample : Sample
        The whole sample.
    regions : str
        As in :func:`~.region_labels`; one region without.
    z_column, z_edges, bin_column
        As in :class:`~.SampleSpec`; one bin without edges and column.
    ordering, frame : str, optional
        Of a map of regions whose header does not say.

    Returns
    -------
    tuple of SamplePart
        Region by region, and in it bin by bin.

    Raises
    ------
    ParameterError
        When there are no such regions or columns, or bins were asked of a sample without a catalogue.
    DataError
        When a part has no galaxy, no coverage, or redshifts are missing.
    """
    if not (regions or len(z_edges) or bin_column):
        return (whole(sample),)
    if sample.galaxies is None:
        msg = f"{sample.identifier} has no catalogue of galaxies, and regions or bins were asked for: leave them out"
        raise ParameterError(msg)
    bins = _bins(sample, z_column, z_edges, bin_column)
    seen, seen_randoms = _seen(sample, 0), _seen(sample, 1)
    if not regions:
        return tuple(_part(sample, "", one, one.rows & seen, seen_randoms, sample.coverage) for one in bins)
    of_galaxies, of_randoms, of_pixels = region_labels(regions, sample, ordering=ordering, frame=frame)
    parts = []
    for name in sorted({str(label) for label in of_galaxies} - {""}):
        rows = None if of_randoms is None else (of_randoms == name) & seen_randoms
        coverage = _coverage_of(sample, name, rows, of_pixels)
        parts += [_part(sample, name, one, one.rows & seen & (of_galaxies == name), rows, coverage) for one in bins]
    return tuple(parts)


def _coverage_of(sample: Sample, region: str, rows: np.ndarray | None, of_pixels: np.ndarray | None):
    if of_pixels is not None:
        known = np.where(of_pixels == region, np.asarray(sample.coverage, float), 0.0)
        return Counts.known(known)
    if rows is None or not rows.any():
        why = "the randoms do not have that column" if rows is None else "it has no random"
        msg = f"region {region!r} of the galaxies has no coverage, {why}: give both catalogues the same regions"
        raise DataError(msg)
    randoms = sample.randoms
    weights = None if randoms.weights is None else randoms.weights[rows]
    return Counts.of(randoms.ra[rows], randoms.dec[rows], sample.nside, weights)


def _part(sample: Sample, region: str, one: _Bin, rows: np.ndarray, random_rows, coverage) -> SamplePart:
    part = SamplePart(sample, region, one.z_range, one.number, rows, random_rows)
    if not rows.any():
        msg = f"part {part.label!r} of {sample.identifier} has no galaxy of {len(rows)}: check its region and bin"
        raise DataError(msg)
    galaxies = sample.galaxies.restricted(rows)
    own = replace(
        sample,
        title=f"{sample.title}, {part.label}",
        part=part.label,
        galaxy_counts=Counts.of(galaxies.ra, galaxies.dec, sample.nside, galaxies.weights),
        coverage=coverage,
        galaxies=galaxies,
        randoms=None if sample.randoms is None else sample.randoms.restricted(random_rows),
        truth=None,
        seen=(None, None),
    )
    return replace(part, sample=own)


def _bins(sample: Sample, z_column: str, z_edges: Sequence[float], bin_column: str) -> list[_Bin]:
    galaxies = sample.galaxies
    if bin_column:
        return _numbered_bins(galaxies.column(bin_column), bin_column)
    if not len(z_edges):
        return [_Bin(0, None, np.ones(len(galaxies), bool))]
    name = z_column or find_redshift(galaxies.columns, sample.identifier)
    z = np.asarray(galaxies.column(name), float)
    lost = int(np.sum(~np.isfinite(z)))
    if lost:
        msg = f"redshift {name} of {lost} of {len(z)} galaxies is missing: leave these galaxies out of the catalogue"
        raise DataError(msg)
    edges = [float(edge) for edge in z_edges]
    pairs = pairwise(edges)
    return [_Bin(i, (low, high), (z >= low) & (z < high)) for i, (low, high) in enumerate(pairs, 1)]


def _numbered_bins(values: np.ndarray, name: str) -> list[_Bin]:
    values = np.asarray(values, float)
    # zero, negative and missing numbers are habits for galaxies in no bin
    numbers = np.unique(values[np.isfinite(values) & (values > 0)])
    if not len(numbers) or len(numbers) > MAX_BINS or np.any(numbers != np.round(numbers)):
        msg = f"bin_column {name!r} has {len(numbers)} different values: give up to {MAX_BINS} whole numbers from 1"
        raise DataError(msg)
    return [_Bin(int(number), None, values == number) for number in numbers]
