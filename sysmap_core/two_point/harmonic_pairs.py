"""Sums over pairs of pixels, taken in harmonic space."""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise

import healpy as hp
import numpy as np

from ..harmonic import Transforms, cross_spectra, default_lmax
from ..sky import Footprint
from .bins import Bins

MIN_SHARE = 0.01


def harmonic_sums(values: np.ndarray, footprint: Footprint, bins: Bins) -> tuple[np.ndarray, np.ndarray]:
    r"""Sums over pairs of different pixels, from spherical harmonic transforms.

    Parameters
    ----------
    values : ndarray, shape (n_maps, n_pix)
        Maps on the footprint.
    footprint : Footprint
        Pixels.
    bins : Bins
        Bins of separation.

    Returns
    -------
    sums : ndarray, shape (n_maps, n_theta)
        Sum of the products of the values of every pair, as the band limit :math:`3 N_{side} - 1` sees it.
    mean : ndarray, shape (n_maps, n_theta)
        Mean separation of the pairs, with these products as weights [arcmin].

    Notes
    -----
    :math:`\pi \sum_\ell (2\ell+1) (\hat C_\ell - \sum_p v_p^2 / 4\pi) \int P_\ell\,d\cos\theta`, with
    :math:`\hat C_\ell` of plain sums over pixels; taking off the squares leaves out pairs of a pixel with itself.
    """
    lmax = default_lmax(footprint.nside)
    alms = Transforms.of(footprint).analyse(values)
    cl = np.array([hp.alm2cl(alm, lmax=lmax) for alm in alms]) - np.sum(values**2, axis=1)[:, None] / (4.0 * np.pi)
    integrals, angles = bin_integrals(tuple(bins.edges), lmax)
    power = np.pi * (2.0 * np.arange(lmax + 1) + 1.0) * cl
    sums = power @ integrals.T
    with np.errstate(invalid="ignore", divide="ignore"):
        return sums, power @ angles.T / sums


def harmonic_cross_sums(one: np.ndarray, other: np.ndarray, footprint: Footprint, bins: Bins) -> np.ndarray:
    """Sums of the products of all maps of two sets over pairs of different pixels, as :func:`harmonic_sums`.

    Parameters
    ----------
    one, other : ndarray, shapes (n1, n_pix) and (n2, n_pix)
        Maps on the footprint.
    footprint : Footprint
        Pixels.
    bins : Bins
        Bins of separation.

    Returns
    -------
    ndarray, shape (n1, n2, n_theta)
        Every pair of pixels counts once, with the mean of both of its products.
    """
    lmax, transforms = default_lmax(footprint.nside), Transforms.of(footprint)
    same = (one @ other.T / (4.0 * np.pi))[..., None]
    power = np.pi * (2.0 * np.arange(lmax + 1) + 1.0) * bin_integrals(tuple(bins.edges), lmax)[0]
    return (cross_spectra(transforms.analyse(one), transforms.analyse(other)) - same) @ power.T


def resolved(pairs: np.ndarray, footprint: Footprint, bins: Bins) -> np.ndarray:
    """Bins that harmonic sums can measure.

    Parameters
    ----------
    pairs : ndarray, shape (n_theta,)
        Pairs of pixels, as :func:`harmonic_sums` counts those of a map of ones.
    footprint : Footprint
        Pixels.
    bins : Bins
        Bins of separation.

    Returns
    -------
    ndarray of bool, shape (n_theta,)
        False below the size of a pixel, and where the pixels have less than :data:`MIN_SHARE` of the pairs that
        they would have on a full sky: what the band limit spreads beyond the extent of a footprint is below that.
    """
    full_sky = 0.25 * footprint.n_pix * hp.nside2npix(footprint.nside) * -np.diff(np.cos(np.radians(bins.edges / 60.0)))
    return (bins.edges[1:] >= 60.0 * np.degrees(hp.nside2resol(footprint.nside))) & (pairs > MIN_SHARE * full_sky)


@lru_cache(maxsize=8)
def bin_integrals(edges: tuple[float, ...], lmax: int) -> tuple[np.ndarray, np.ndarray]:
    """Integrals of Legendre polynomials over bins.

    Parameters
    ----------
    edges : tuple of float, length n_theta + 1
        Bin edges [arcmin].
    lmax : int
        Band limit.

    Returns
    -------
    tuple of ndarray, shape (n_theta, lmax + 1)
        Integrals of P_l and of theta P_l over cos(theta), theta in arcminutes.
    """
    radians, rows = np.radians(np.array(edges) / 60.0), []
    for low, high in pairwise(radians):
        # two nodes for every half wave of the highest multipole, and some for the angle
        nodes, weights = np.polynomial.legendre.leggauss(16 + int(2.0 * lmax * (high - low) / np.pi))
        theta = 0.5 * (high + low) + 0.5 * (high - low) * nodes
        area = 0.5 * (high - low) * weights * np.sin(theta)
        table = np.polynomial.legendre.legvander(np.cos(theta), lmax)
        rows.append([area @ table, (area * 60.0 * np.degrees(theta)) @ table])
    return tuple(np.array(rows).swapaxes(0, 1))
