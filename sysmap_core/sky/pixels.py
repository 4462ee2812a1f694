"""Pixels of the sky: resolutions, counts, what is observed."""

from __future__ import annotations

import healpy as hp
import numpy as np

from ..errors import DataError, ParameterError


def check_nside(nside: int) -> int:
    """Resolution, if it is one that HEALPix has.

    Parameters
    ----------
    nside : int
        Resolution to check.

    Returns
    -------
    int
        The same resolution.

    Raises
    ------
    ParameterError
        When it is not a power of two between 1 and 8192.
    """
    if not isinstance(nside, (int, np.integer)) or not hp.isnsideok(nside, nest=True) or nside > 8192:
        msg = f"nside is {nside!r}: give a power of two between 1 and 8192, e.g. 64"
        raise ParameterError(msg)
    return int(nside)


def pixel_counts(ra: np.ndarray, dec: np.ndarray, nside: int, weights: np.ndarray | None = None) -> np.ndarray:
    """Count the objects in every pixel of the sky.

    Parameters
    ----------
    ra, dec : ndarray, shape (n_obj,)
        Equatorial coordinates [deg].
    nside : int
        HEALPix resolution.
    weights : ndarray, shape (n_obj,), optional
        Weight of every object [1].

    Returns
    -------
    ndarray, shape (12 nside^2,)
        (Weighted) counts, RING order.

    Raises
    ------
    DataError
        When coordinates are not finite or not in degrees.
    """
    ra, dec = np.asarray(ra, float), np.asarray(dec, float)
    bad = ~(np.isfinite(ra) & np.isfinite(dec)) | (np.abs(dec) > 90)
    if bad.any():
        msg = f"{bad.sum()} of {len(ra)} positions are not finite or have |Dec| > 90: give RA and Dec in degrees"
        raise DataError(msg)
    pix = hp.ang2pix(check_nside(nside), ra, dec, lonlat=True)
    return np.bincount(pix, weights=weights, minlength=hp.nside2npix(nside)).astype(float)


def parent_pixels(pixels: np.ndarray, nside: int, nside_parent: int) -> np.ndarray:
    """Pixels of a lower resolution that pixels lie in.

    Parameters
    ----------
    pixels : ndarray of int
        HEALPix indices, RING.
    nside, nside_parent : int
        Resolution of the pixels, and the lower one.

    Returns
    -------
    ndarray of int
        Index of the parent of every pixel, RING.
    """
    nested = hp.ring2nest(nside, pixels)
    return hp.nest2ring(nside_parent, nested // (nside // nside_parent) ** 2)


def usable(maps: np.ndarray) -> np.ndarray:
    """Where map values are finite and not UNSEEN.

    Parameters
    ----------
    maps : ndarray
        Map values.

    Returns
    -------
    ndarray of bool
        Same shape.
    """
    # in single precision UNSEEN is another number
    return np.isfinite(maps) & ~hp.mask_bad(maps)


def filled(maps: np.ndarray) -> np.ndarray:
    """Maps in double precision, UNSEEN where a masked array is masked.

    Parameters
    ----------
    maps : ndarray, masked or not
        Map values.

    Returns
    -------
    ndarray
        Same shape; values that are not usable stay as they are.

    Examples
    --------
    >>> import numpy as np
    >>> filled(np.ma.array([1.0, 2.0], mask=[False, True]))
    array([ 1.0000e+00, -1.6375e+30])
    """
    return np.ma.filled(np.ma.array(maps, dtype=float), hp.UNSEEN)
