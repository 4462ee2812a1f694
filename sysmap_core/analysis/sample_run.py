"""The main job: a sample in, weights out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import healpy as hp
import numpy as np

from ..diagnostics import EqualityTest, amplitudes_equal
from ..errors import DataError, unknown_name
from ..methods import METHODS, AmplitudePrior, Decontamination, Pooled, find_method, pooled
from ..samples import Sample, SampleSpec, sample_of, split
from ..sky import Footprint, find_identifier
from ..templates import TemplateCut
from ..weights import FittedPart, write_all
from .part_fit import PartResult, fit_part

DEFAULT_METHODS = ("OLS", "GLS", "GLS-comb")
"""Methods of a run when none are named: the simplest, and the two best."""

BETWEEN_PARTS = ("separate", "pooled")
"""What the weights of a part know of the other parts."""


@dataclass(frozen=True)
class SampleResult:
    """What was found in a sample.

    Parameters
    ----------
    spec : SampleSpec
        What was asked for.
    sample : Sample
        The whole sample.
    parts : tuple of PartResult
        Region by region, and in it bin by bin; one for a sample that is fitted as a whole.
    pooled : Pooled or None
        Amplitudes of the parts under a prior that knows all of them, where the weights are made of these.
    seed : int
        Of the draws.
    """

    spec: SampleSpec
    sample: Sample
    parts: tuple[PartResult, ...]
    pooled: Pooled | None = None
    seed: int = 0

    def __getitem__(self, label: str) -> PartResult:
        for part in self.parts:
            if part.label == label:
                return part
        msg = f"there is no part {label!r}: the sample has {', '.join(part.label for part in self.parts)}"
        raise DataError(msg)

    @property
    def best(self) -> dict[str, Decontamination]:
        """Result behind WEIGHT_SYS of every part, by its name."""
        return {part.label: part.best for part in self.parts}

    @property
    def fitted(self) -> list[FittedPart]:
        """Parts as files of weights take them."""
        return [part.fitted for part in self.parts]

    @property
    def in_common(self) -> dict[str, Decontamination]:
        """Results of the best method that converged in all parts, by the name of the part: what can be compared."""
        return {part.label: part.results[common_method(self.parts)] for part in self.parts}

    @property
    def places(self) -> tuple[dict[str, float] | None, dict[str, str] | None]:
        """Redshift and region of every part, by its name; None for both where there are no bins to smooth over."""
        if len({part.redshift for part in self.parts}) < 2:
            return None, None
        return {p.label: p.redshift for p in self.parts}, {p.label: p.part.region for p in self.parts}

    def smooth(self) -> Pooled | None:
        """Amplitudes that vary smoothly with redshift in every region, with intervals to quote; None without bins."""
        coordinates, groups = self.places
        return None if coordinates is None else pooled(self.in_common, coordinates, groups=groups, shrink=False)

    @cached_property
    def equality(self) -> EqualityTest | None:
        """Whether all parts have the same amplitudes; None where there is one part."""
        return amplitudes_equal(self.in_common, seed=self.seed) if len(self.parts) > 1 else None

    def write(self, folder: str | Path, *, format: str = "fits") -> tuple[Path, ...]:
        """Write the weights of galaxies and randoms, with identifiers if they have any, and what was fitted.

        Parameters
        ----------
        folder : str or Path
            Where to write; made when missing.
        format : {"fits", "parquet"}
            Of the weights of objects.

        Returns
        -------
        tuple of Path
            The files.
        """
        columns = () if self.sample.galaxies is None else self.sample.galaxies.columns
        name = self.spec.identifier_column or find_identifier(columns)
        return write_all(folder, self.sample, self.fitted, format=format, identifier_column=name)


def run_sample(
    spec: SampleSpec,
    *,
    methods: Sequence[str] = DEFAULT_METHODS,
    likelihood: str = "shot-noise",
    shrinkage: str = "hierarchical",
    keep_near_duplicates: bool = False,
    prior: AmplitudePrior | None = None,
    cuts: Sequence[TemplateCut] = (),
    between_parts: str = "separate",
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> SampleResult:
    """Read a sample and fit the contamination of each of its parts.

    Parameters
    ----------
    spec : SampleSpec
        Files of any survey, or a sample that has a name.
    methods : sequence of str
        Rows of :data:`~.METHODS`.
    likelihood, shrinkage : str
        As in :func:`~.run_methods`.
    keep_near_duplicates : bool
        Whether to fit templates that are nearly the same; else the first of each group is fitted.
    prior : AmplitudePrior, optional
        What is known of the amplitudes from elsewhere.
    cuts : sequence of TemplateCut
        Limits of template values: pixels beyond them are left out of every part, see :func:`~.mask_and_refit`.
    between_parts : {"separate", "pooled"}
        Whether the weights of a part are made of its own fit, or of what all parts say together, see :func:`~.pooled`:
        amplitudes that vary smoothly with redshift, and independently between regions.
    seed : int
        Fixes all draws.
    progress : callable, optional
        Called with the number of parts that are done, and of all.

    Returns
    -------
    SampleResult
        With a result for every part.

    Raises
    ------
    ParameterError, MissingDataError, DataError
        As in :func:`~.sample_of`, :func:`~.split` and :func:`~.run_methods`.

    Examples
    --------
    >>> spec = SampleSpec(16, sample="9.0", seed=1)
    >>> done = run_sample(spec, methods=["OLS"])
    >>> done.parts[0].best.method
    'OLS'
    """
    rows = [find_method(name) for name in methods]
    if between_parts not in BETWEEN_PARTS:
        raise unknown_name("between_parts", between_parts, BETWEEN_PARTS)
    sample = sample_of(spec)
    parts = split(
        sample,
        regions=spec.regions,
        z_column=spec.z_column,
        z_edges=spec.z_edges,
        bin_column=spec.bin_column,
        ordering=spec.ordering,
        frame=spec.frame,
    )
    how = {"likelihood": likelihood, "shrinkage": shrinkage, "keep_near_duplicates": keep_near_duplicates}
    done = []
    for part in parts:
        done.append(fit_part(part, rows, prior=prior, cuts=cuts, seed=seed, **how))
        if progress is not None:
            progress(len(done), len(parts))
    separate = SampleResult(spec, sample, tuple(done), seed=seed)
    return separate if between_parts == "separate" or len(done) == 1 else _pooled(separate)


def common_method(parts: Sequence[PartResult]) -> str:
    """Method by which parts can be compared: the first choice of those that converged in all of them.

    Parameters
    ----------
    parts : sequence of PartResult
        Parts that were fitted by the same methods.

    Returns
    -------
    str
        Row of :data:`~.METHODS`; without one that is recommended, the last that was run in all parts.
    """
    shared = [name for name in parts[0].results if all(name in part.results for part in parts)]
    good = [n for n in shared if all(p.results[n].diagnostics.get("converged", True) for p in parts)]
    return max(good or shared, key=lambda name: (METHODS[name].preference, shared.index(name)))


def _pooled(separate: SampleResult) -> SampleResult:
    """The same with weights of pooled amplitudes, of the method that all parts have in common."""
    fits = separate.in_common
    coordinates, groups = separate.places
    together = pooled(fits, coordinates, groups=groups)
    applied, method = together.applied(fits), common_method(separate.parts)
    parts = tuple(_with_pooled(part, method, applied[part.label]) for part in separate.parts)
    return replace(separate, parts=parts, pooled=together)


def _with_pooled(part: PartResult, method: str, fit: Decontamination) -> PartResult:
    """A part whose WEIGHT_SYS is of the pooled fit: methods that would go before it are left out."""
    highest = METHODS[method].preference
    before = [name for name in part.results if METHODS[name].preference > highest]
    results = {name: fit if name == method else one for name, one in part.results.items() if name not in before}
    said = f"{' and '.join(before)} left out: not converged in all parts, {method} is pooled."
    return replace(part, results=results, notes=(*part.notes, said) if before else part.notes)


def over_regions(
    parts: Sequence[PartResult], values: Callable[[PartResult], np.ndarray]
) -> tuple[Footprint, np.ndarray]:
    """Values of regions that lie beside each other, as one map.

    Parameters
    ----------
    parts : sequence of PartResult
        Regions of one bin in redshift.
    values : callable
        Values of a part on its pixels, shape (n_pix,).

    Returns
    -------
    footprint : Footprint
        All their pixels.
    values : ndarray, shape (n_pix,)
        Those of the region with more galaxies where two share a pixel.
    """
    nside = parts[0].field.nside
    joined, most = np.full(hp.nside2npix(nside), np.nan), np.zeros(hp.nside2npix(nside))
    for part in parts:
        more = part.field.expected > most[part.field.pixels]
        joined[part.field.pixels[more]] = values(part)[more]
        most[part.field.pixels] = np.maximum(most[part.field.pixels], part.field.expected)
    pixels = np.flatnonzero(most)
    return Footprint(pixels, nside), joined[pixels]
