"""Angular power spectra on a cut sky: transforms and sums over pairs of pixels.

Spectra here are those of *pixel averages*: they include the HEALPix pixel window, so that
``sum (2l+1)/(4 pi) C_l`` is the variance of a pixel.
"""

from __future__ import annotations

from functools import lru_cache

import ducc0
import healpy as hp
import numpy as np

from ..sky import Footprint
from .transforms import Transforms


@lru_cache(maxsize=4)
def _legendre_table(lmax: int):
    """Gauss-Legendre nodes, weights and P_l there; enough nodes for fourth powers of xi."""
    theta, areas = ducc0.misc.GL_thetas(3 * lmax), ducc0.misc.GL_weights(3 * lmax, 1)
    # the weights of ducc0 are areas of rings, and add up to 4 pi
    return areas / (2.0 * np.pi), np.polynomial.legendre.legvander(np.cos(theta), lmax)


def correlation_from_spectrum(cl: np.ndarray) -> np.ndarray:
    """Correlation function at the Gauss-Legendre nodes of this band limit.

    Parameters
    ----------
    cl : ndarray, shape (lmax + 1,)
        Power spectrum [sr].

    Returns
    -------
    ndarray, shape (3 lmax,)
        xi = sum (2l+1)/(4 pi) C_l P_l.
    """
    _, table = _legendre_table(len(cl) - 1)
    return table @ ((2.0 * np.arange(len(cl)) + 1.0) / (4.0 * np.pi) * cl)


def spectrum_from_correlation(xi: np.ndarray, lmax: int) -> np.ndarray:
    """Power spectrum of a correlation function at the Gauss-Legendre nodes.

    Parameters
    ----------
    xi : ndarray, shape (3 lmax,)
        Correlation function, as :func:`correlation_from_spectrum` samples it.
    lmax : int
        Band limit.

    Returns
    -------
    ndarray, shape (lmax + 1,)
        C_l = 2 pi int xi P_l dcos(theta) [sr].
    """
    weights, table = _legendre_table(lmax)
    return 2.0 * np.pi * (weights * xi) @ table


def variance(cl: np.ndarray) -> float:
    """Variance of a field with this spectrum.

    Parameters
    ----------
    cl : ndarray, shape (lmax + 1,)
        Power spectrum [sr].

    Returns
    -------
    float
        sum (2l+1)/(4 pi) C_l.
    """
    return float(np.sum((2.0 * np.arange(len(cl)) + 1.0) * cl) / (4.0 * np.pi))


@lru_cache(maxsize=8)
def pixel_window(nside: int, lmax: int) -> np.ndarray:
    """Window of averages over HEALPix pixels.

    Parameters
    ----------
    nside : int
        Resolution.
    lmax : int
        Band limit.

    Returns
    -------
    ndarray, shape (lmax + 1,)
        w_l, so that the spectrum of the averages is ``w_l^2 C_l``.

    Notes
    -----
    The mean of P_l over pairs of points inside one pixel, averaged over pixels.  Healpy would
    download its table, and so could not be used without a network.
    """
    fine = 16
    parents = np.linspace(0, hp.nside2npix(nside) - 1, min(64, hp.nside2npix(nside))).astype(int)
    children = parents[:, None] * fine**2 + np.arange(fine**2)
    points = np.stack(hp.pix2vec(nside * fine, children, nest=True), -1)
    cosines = np.clip(points @ points.swapaxes(1, 2), -1.0, 1.0)
    # the mean of P_l over the pairs, from a histogram of their separations
    counts, edges = np.histogram(np.arccos(cosines), bins=1000)
    centres = 0.5 * (edges[1:] + edges[:-1])
    centres[0] = 0.0  # dominated by a point with itself
    squared = counts @ np.polynomial.legendre.legvander(np.cos(centres), lmax) / counts.sum()
    return np.sqrt(np.maximum(squared, 0.0))


def masked_alm(values: np.ndarray, footprint: Footprint) -> np.ndarray:
    """Spherical harmonic coefficients of maps that are zero off the footprint.

    Parameters
    ----------
    values : ndarray, shape (n_maps, n_pix)
        Values on the footprint.
    footprint : Footprint
        Pixels.

    Returns
    -------
    ndarray of complex, shape (n_maps, n_alm)
        Plain sums over pixels times the pixel area (no quadrature iteration), so that
        quadratic forms in them are exact sums over pairs of pixels.
    """
    return footprint.pixel_area * Transforms.of(footprint).analyse(np.atleast_2d(values))


def harmonic_products(alms1: np.ndarray, alms2: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weighted sums over multipoles of products of all pairs of maps.

    Parameters
    ----------
    alms1, alms2 : ndarray of complex, shapes (n1, n_alm) and (n2, n_alm)
        Harmonic coefficients.
    weights : ndarray, shape (lmax + 1,)
        Weight of every multipole.

    Returns
    -------
    ndarray, shape (n1, n2)
        sum_l weights_l sum_m a_lm conj(b_lm), m from -l to l.
    """
    ell, m = hp.Alm.getlm(len(weights) - 1)
    return ((alms1 * (np.where(m == 0, 1.0, 2.0) * weights[ell])) @ alms2.conj().T).real


def summed_spectrum(alms1: np.ndarray, alms2: np.ndarray) -> np.ndarray:
    """Cross spectra of corresponding maps of two sets, summed over the sets.

    Parameters
    ----------
    alms1, alms2 : ndarray of complex, shape (n, n_alm)
        Harmonic coefficients.

    Returns
    -------
    ndarray, shape (lmax + 1,)
        sum_i C_l of map i of the first set with map i of the second [sr].
    """
    return sum(hp.alm2cl(one, other) for one, other in zip(alms1, alms2, strict=True))


def correlate(values: np.ndarray, cl: np.ndarray, footprint: Footprint) -> np.ndarray:
    """Product of the field's pixel covariance matrix with maps on the footprint.

    Parameters
    ----------
    values : ndarray, shape (n_maps, n_pix)
        Maps on the footprint.
    cl : ndarray, shape (lmax + 1,)
        Spectrum of the pixel averages [sr].
    footprint : Footprint
        Pixels.

    Returns
    -------
    ndarray, shape (n_maps, n_pix)
        ``values @ S`` with ``S_pp' = xi(theta_pp')``.
    """
    transforms = Transforms.of(footprint)
    return transforms.synthesise(transforms.analyse(values) * cl[transforms.ell])
