"""HEALPix maps in another frame or at another resolution, with missing pixels kept missing."""

from __future__ import annotations

import healpy as hp
import numpy as np

from ..errors import unknown_name
from .pixels import check_nside, parent_pixels, usable


def galactic_to_equatorial(values: np.ndarray, nside: int | None = None) -> np.ndarray:
    """Evaluate a Galactic map at the centres of equatorial pixels.

    Parameters
    ----------
    values : ndarray, shape (12 nside_in^2,)
        Map in Galactic coordinates, RING.
    nside : int, optional
        Resolution of the result; that of the input by default.

    Returns
    -------
    ndarray, shape (12 nside^2,)
        Map in equatorial coordinates, RING.

    Notes
    -----
    Bilinear interpolation between the four nearest pixel centres: it does not ring, as a
    rotation of spherical harmonics would, but smooths by about a pixel and conserves sums
    only roughly.  A pixel that touches a missing neighbour is UNSEEN.
    """
    n_out = check_nside(nside or hp.npix2nside(values.size))
    theta, phi = hp.pix2ang(n_out, np.arange(hp.nside2npix(n_out)))
    theta, phi = hp.Rotator(coord=["C", "G"])(theta, phi)
    near, weight = hp.get_interp_weights(hp.npix2nside(values.size), theta, phi)
    good = usable(values)
    out = (weight * np.where(good, values, 0.0)[near]).sum(0)
    # interpolation weights are zero up to rounding where a pixel does not really enter
    out[(~good[near] & (weight > 1.0e-9)).any(0)] = hp.UNSEEN
    return out


def to_nside(values: np.ndarray, nside: int, kind: str = "mean") -> np.ndarray:
    """Change the resolution of RING maps.

    Parameters
    ----------
    values : ndarray, shape (..., 12 nside_in^2)
        Maps, RING.
    nside : int
        Resolution wanted.
    kind : {"mean", "sum"}
        ``"mean"`` for densities and conditions, ``"sum"`` for counts.

    Returns
    -------
    ndarray, shape (..., 12 nside^2)
        Going down, the mean (or sum) of the sub-pixels that are not missing, UNSEEN where
        all are.  Going up, every pixel is replicated as by ``healpy.ud_grade`` (and
        divided by the number of its sub-pixels for a sum): no detail is added.

    Raises
    ------
    ParameterError
        When ``nside`` or ``kind`` is not a known one.
    """
    if kind not in ("mean", "sum"):
        raise unknown_name("kind", kind, ("mean", "sum"))
    values = np.asarray(values, float)
    n_in = hp.npix2nside(values.shape[-1])
    if check_nside(nside) == n_in:
        return values.copy()
    change = _coarser if nside < n_in else _finer
    flat = values.reshape(-1, values.shape[-1])
    return change(flat, n_in, nside, kind).reshape(*values.shape[:-1], -1)


def _parents(n_fine: int, n_coarse: int) -> np.ndarray:
    return parent_pixels(np.arange(hp.nside2npix(n_fine)), n_fine, n_coarse)


def _coarser(maps: np.ndarray, n_in: int, nside: int, kind: str) -> np.ndarray:
    parents = _parents(n_in, nside)
    out = np.empty((len(maps), hp.nside2npix(nside)))
    for row, values in zip(out, maps, strict=True):
        good = usable(values)
        number = np.bincount(parents, good, row.size)
        row[:] = np.bincount(parents, np.where(good, values, 0.0), row.size)
        if kind == "mean":
            row /= np.maximum(number, 1)
        row[number == 0] = hp.UNSEEN
    return out


def _finer(maps: np.ndarray, n_in: int, nside: int, kind: str) -> np.ndarray:
    share = (n_in / nside) ** 2 if kind == "sum" else 1.0
    return np.where(usable(maps), maps * share, maps)[:, _parents(nside, n_in)]
