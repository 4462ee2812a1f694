"""Points scattered over pixels: randoms of a survey, galaxies of a map of counts."""

from __future__ import annotations

import healpix
import healpy as hp
import numpy as np

from .catalogues import Catalogue

_BLOCK = 1_000_000


def scatter_galaxies(counts: np.ndarray, nside: int, rng: np.random.Generator) -> Catalogue:
    """Place objects uniformly inside their pixels.

    Parameters
    ----------
    counts : ndarray of int, shape (12 nside^2,)
        Objects per pixel, RING, equatorial.
    nside : int
        Resolution.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    Catalogue
        Positions, sorted by pixel.
    """
    return _positions(np.repeat(np.arange(counts.size, dtype=np.int32), counts), nside, rng)


def uniform_randoms(mask: np.ndarray, number: int, rng: np.random.Generator) -> Catalogue:
    """Draw randoms uniformly over a part of the sky.

    Parameters
    ----------
    mask : ndarray of bool, shape (12 nside^2,)
        Pixels to fill, RING, equatorial.
    number : int
        Randoms wanted.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    Catalogue
        Positions in random order.
    """
    inside = np.flatnonzero(mask).astype(np.int32)
    return _positions(inside[rng.integers(inside.size, size=number, dtype=np.int32)], hp.npix2nside(mask.size), rng)


def _positions(pixels: np.ndarray, nside: int, rng: np.random.Generator) -> Catalogue:
    ra, dec = np.empty(pixels.size), np.empty(pixels.size)
    # in blocks, as tens of millions of randoms would need several times their own memory
    for start in range(0, pixels.size, _BLOCK):
        part = slice(start, start + _BLOCK)
        ra[part], dec[part] = healpix.randang(nside, pixels[part].astype(np.int64), lonlat=True, rng=rng)
    return Catalogue(ra, dec)
