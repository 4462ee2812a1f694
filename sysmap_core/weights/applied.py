"""Weights of a map, applied to any catalogue or mock in one line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import healpy as hp
import numpy as np

from ..errors import DataError, ParameterError, unknown_name
from .maps import KINDS, WeightMap, read_weight_maps


def apply_weights(
    path: str | Path,
    ra: np.ndarray,
    dec: np.ndarray,
    *,
    column: str = "WEIGHT_SYS",
    kind: str = "galaxies",
    region: str | Sequence[str] | None = None,
    z_bin: int | np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Weights of objects from a map of weights.

    Parameters
    ----------
    path : str or Path
        File that :func:`~.write_weight_maps` wrote.
    ra, dec : ndarray, shape (n_obj,)
        Equatorial coordinates [deg].
    column : str
        Which weights: WEIGHT_SYS, whose galaxies need the randoms beside them, WEIGHT_ALONE, or those of a method.
    kind : {"galaxies", "randoms"}
        What the objects are.
    region : str or ndarray of str, shape (n_obj,), optional
        Region of all or of each; by default that of the pixel, where its pixel has only one.
    z_bin : int or ndarray of int, shape (n_obj,), optional
        Redshift bin of all or of each, 0 for none; needed where there are bins.

    Returns
    -------
    weights : ndarray, shape (n_obj,)
        Weights [1]; one for objects in no fit.
    in_fit : ndarray of bool, shape (n_obj,)
        Which objects are in a fit; leave the others out.

    Raises
    ------
    ParameterError
        When a column, kind, region or bin is not in the file, or the bin is not said.
    DataError
        When positions are not valid, or an object is in several parts.
    MissingDataError
        When there is no such file.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from sysmap_core import decontaminate, overdensity, standardise
    >>> from sysmap_core.samples import Sample
    >>> from sysmap_core.weights import write_weight_maps
    >>> counts, pixels = np.random.default_rng(0).poisson(20.0, 768), np.arange(768)
    >>> maps = np.random.default_rng(1).normal(size=(1, 768))
    >>> fit = decontaminate(overdensity(counts, np.ones(768), pixels), standardise(maps, ["dust"], pixels), "OLS")
    >>> sample = Sample("toy", "toy", 8, counts, np.ones(768), maps, ("dust",), None, None, True, None, {}, "error", ())
    >>> path = write_weight_maps(f"{tempfile.mkdtemp()}/toy_NSIDE0008_WEIGHT_MAP.fits", sample, {"OLS": fit})
    >>> weights, in_fit = apply_weights(path, np.array([10.0, 200.0]), np.array([5.0, -60.0]), column="WEIGHT_ALONE")
    >>> weights.shape, in_fit
    ((2,), array([ True,  True]))
    """
    if kind not in KINDS:
        raise unknown_name("kind", kind, KINDS)
    maps = read_weight_maps(path)
    ra, dec = _positions(ra, dec)
    regions = _labels("region", region, [one.region for one in maps], len(ra))
    bins = _labels("z_bin", z_bin, [one.z_bin for one in maps], len(ra))
    weights, in_fit = np.ones(len(ra)), np.zeros(len(ra), bool)
    place = hp.ang2pix(maps[0].nside, ra, dec, lonlat=True)
    for one in maps:
        own = np.ones(len(ra), bool) if regions is None else regions == one.region
        own = own if bins is None else own & (bins == one.z_bin)
        values = _full_sky(one, column, kind, path)[place]
        own &= ~np.isnan(values)
        if n := int(np.sum(own & in_fit)):
            msg = f"{n} objects lie in pixels of several regions: give region, one for all or one for each"
            raise DataError(msg)
        weights[own], in_fit[own] = values[own], True
    return weights, in_fit


def _full_sky(one: WeightMap, column: str, kind: str, path: str | Path) -> np.ndarray:
    name = KINDS[kind] + column
    if name not in one.columns or column.startswith(KINDS["randoms"]):
        known = [c for c in one.columns if not c.startswith(KINDS["randoms"])]
        raise unknown_name(f"column of {Path(path).name}", column, known)
    full = np.full(hp.nside2npix(one.nside), np.nan)
    full[one.pixels] = one.columns[name]
    return full


def _positions(ra, dec) -> tuple[np.ndarray, np.ndarray]:
    ra, dec = np.asarray(ra, float), np.asarray(dec, float)
    if ra.shape != dec.shape or ra.ndim != 1:
        msg = f"ra has shape {ra.shape} and dec {dec.shape}: give one of each per object"
        raise DataError(msg)
    wrong = int(np.sum(~(np.isfinite(ra) & (np.abs(dec) <= 90.0))))
    if wrong:
        msg = f"{wrong} of {len(ra)} positions are not finite, or beyond Dec 90: give equatorial degrees"
        raise DataError(msg)
    return ra, dec


def _labels(name: str, given, known: Sequence, number: int) -> np.ndarray | None:
    """Region or bin of every object; None where there is one for all, or the pixels say it."""
    named = [str(one) for one in dict.fromkeys(known) if one]
    if given is None:
        if name == "z_bin" and named:
            msg = f"z_bin is not given and the file has bins {', '.join(named)}: give one for all or one per object"
            raise ParameterError(msg)
        return None
    if not named:
        msg = f"{name} is {given!r} and the file has one for all: leave it out"
        raise ParameterError(msg)
    values = np.asarray(given)
    if values.ndim and values.shape != (number,):
        msg = f"{name} has shape {values.shape} for {number} objects: give one for all or one per object"
        raise DataError(msg)
    for value in np.unique(values).tolist():
        # zero and an empty text are what the files of objects say of those in no part
        if value not in known and (value or not values.ndim):
            raise unknown_name(name, value, named)
    return np.broadcast_to(values, number)
