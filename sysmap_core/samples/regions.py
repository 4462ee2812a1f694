"""Photometric regions: parts of the sky that were observed in different ways, and are fitted on their own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import healpy as hp
import numpy as np

from ..errors import DataError, ParameterError
from ..sky import Catalogue, read_map, usable
from .sample import Sample

LEGACY_NORTH = 32.375
"""Declination [deg] above which the northern Galactic cap of the Legacy Surveys is that of BASS and MzLS."""

MAX_REGIONS = 20


def galactic_caps(ra: np.ndarray, dec: np.ndarray) -> np.ndarray:
    """Galactic cap of positions, ``NGC`` or ``SGC``.

    Parameters
    ----------
    ra, dec : ndarray, shape (n_obj,)
        Equatorial coordinates [deg].

    Returns
    -------
    ndarray of str, shape (n_obj,)
        The caps.
    """
    latitude = hp.Rotator(coord=["C", "G"])(ra, dec, lonlat=True)[1]
    return np.where(latitude > 0.0, "NGC", "SGC")


def legacy_systems(ra: np.ndarray, dec: np.ndarray) -> np.ndarray:
    """Photometric system of the Legacy Surveys at positions: ``N`` of BASS and MzLS, ``S`` of DECam.

    Parameters
    ----------
    ra, dec : ndarray, shape (n_obj,)
        Equatorial coordinates [deg].

    Returns
    -------
    ndarray of str, shape (n_obj,)
        ``N`` in the northern Galactic cap above declination :data:`LEGACY_NORTH`, else ``S``.
    """
    return np.where((galactic_caps(ra, dec) == "NGC") & (dec > LEGACY_NORTH), "N", "S")


REGION_RULES: Mapping[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "caps": galactic_caps,
    "legacy": legacy_systems,
}
"""Regions that follow from the position, by name."""


def region_labels(
    regions: str, sample: Sample, *, ordering: str | None = None, frame: str | None = None
) -> tuple[np.ndarray | None, np.ndarray | None, np.ndarray | None]:
    """Region of every galaxy, random and pixel of a sample.

    Parameters
    ----------
    regions : str
        Name of one of :data:`REGION_RULES`, a column of the catalogues, or a HEALPix map of whole numbers.
    sample : Sample
        The sample.
    ordering, frame : str, optional
        Of a map whose header does not say.

    Returns
    -------
    galaxies, randoms, pixels : ndarray of str, shapes (n_gal,), (n_rand,), (12 nside^2,), or None
        Empty where there is no region; None where the sample has no such catalogue, and for the pixels where the
        coverage is counted with randoms, which then have each its own region.

    Raises
    ------
    ParameterError
        When it is none of these.
    DataError
        When there are no regions, or too many, or a column lacks what is needed to tell the region of the coverage.
    """
    objects = (sample.galaxies, sample.randoms)
    counted = sample.randoms is not None and sample.counted_coverage
    rule = REGION_RULES.get(regions) or (_map_rule(regions, ordering, frame) if Path(regions).is_file() else None)
    centres = hp.pix2ang(sample.nside, np.arange(hp.nside2npix(sample.nside)), lonlat=True)
    if rule is None:
        labels = [_of_column(regions, catalogue) for catalogue in objects]
        of_pixels = None if counted else _most_common(labels, objects, sample.nside)
    else:
        labels = [None if catalogue is None else rule(catalogue.ra, catalogue.dec) for catalogue in objects]
        of_pixels = None if counted else rule(*centres)
    if of_pixels is not None:
        # a coverage that is a map has one region per pixel, and its objects follow
        labels = [None if c is None else of_pixels[hp.ang2pix(sample.nside, c.ra, c.dec, lonlat=True)] for c in objects]
    _check_number(regions, labels[0])
    return labels[0], labels[1], of_pixels


def _map_rule(path: str, ordering: str | None, frame: str | None) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    values = read_map(path, ordering=ordering or None, frame=frame or None)
    known = usable(values)
    if np.any(values[known] != np.round(values[known])):
        msg = f"regions {path} holds values that are no whole numbers: give a map with a number for each region"
        raise DataError(msg)
    names = np.where(known, np.char.mod("%d", np.where(known, values, 0).astype(int)), "")

    def rule(ra: np.ndarray, dec: np.ndarray) -> np.ndarray:
        return names[hp.ang2pix(hp.npix2nside(values.size), ra, dec, lonlat=True)]

    return rule


def _of_column(name: str, catalogue: Catalogue | None) -> np.ndarray | None:
    if catalogue is None or name.lower() not in map(str.lower, catalogue.columns):
        return None
    values = np.asarray(catalogue.column(name))
    if values.dtype.kind == "S":
        values = np.char.decode(values)
    return np.char.strip(values.astype(str))


def _most_common(labels: list, objects: tuple, nside: int) -> np.ndarray:
    """Region of the pixels from the objects in them: randoms, where they have the column."""
    which = next((i for i in (1, 0) if labels[i] is not None), None)
    if which is None:
        return np.zeros(hp.nside2npix(nside), "U1")
    names, places = np.unique(labels[which], return_inverse=True)
    pixels = hp.ang2pix(nside, objects[which].ra, objects[which].dec, lonlat=True)
    numbers = np.zeros((hp.nside2npix(nside), len(names)))
    np.add.at(numbers, (pixels, places), 1.0)
    return np.where(numbers.any(1), names[numbers.argmax(1)], "")


def _check_number(regions: str, labels: np.ndarray | None) -> None:
    found = [] if labels is None else sorted(set(labels) - {""})
    if not found:
        msg = (
            f"regions is {regions!r}, which is neither a rule ({', '.join(REGION_RULES)}), nor a file, nor a column of "
            "the galaxies with a value: give one of these"
        )
        raise ParameterError(msg)
    if len(found) > MAX_REGIONS:
        msg = f"regions {regions!r} has {len(found)} values and at most {MAX_REGIONS} can be fitted: give fewer regions"
        raise DataError(msg)
