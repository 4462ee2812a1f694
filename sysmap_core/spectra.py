"""Angular power spectra on a cut sky: transforms, mask coupling, spectrum of the galaxy field.

Spectra here are those of *pixel averages*: they include the HEALPix pixel window, so that
``sum (2l+1)/(4 pi) C_l`` is the variance of a pixel.
"""

from __future__ import annotations

from functools import lru_cache

import healpy as hp
import numpy as np
from scipy.optimize import minimize

from .sky import Field
from .templates import TemplateSet

ITERATIONS = 4
PIVOT = 50.0


@lru_cache(maxsize=4)
def _legendre_table(lmax: int):
    """Gauss-Legendre nodes, weights and P_l there; enough nodes for fourth powers of xi."""
    nodes, weights = np.polynomial.legendre.leggauss(3 * lmax)
    return weights, np.polynomial.legendre.legvander(nodes, lmax)


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


def default_lmax(nside: int) -> int:
    """Band limit of a HEALPix map.

    Parameters
    ----------
    nside : int
        Resolution.

    Returns
    -------
    int
        3 nside - 1.
    """
    return 3 * nside - 1


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


def masked_alm(values: np.ndarray, pixels: np.ndarray, nside: int) -> np.ndarray:
    """Spherical harmonic coefficients of maps that are zero off the footprint.

    Parameters
    ----------
    values : ndarray, shape (n_maps, n_pix)
        Values on the footprint.
    pixels : ndarray of int, shape (n_pix,)
        HEALPix indices, RING.
    nside : int
        Resolution.

    Returns
    -------
    ndarray of complex, shape (n_maps, n_alm)
        Plain sums over pixels times the pixel area (no quadrature iteration), so that
        quadratic forms in them are exact sums over pairs of pixels.
    """
    full = np.zeros(hp.nside2npix(nside))
    alms = []
    for row in np.atleast_2d(values):
        full[pixels] = row
        alms.append(hp.map2alm(full, lmax=default_lmax(nside), iter=0))
    return np.array(alms)


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


def correlate(values: np.ndarray, cl: np.ndarray, pixels: np.ndarray, nside: int) -> np.ndarray:
    """Product of the field's pixel covariance matrix with maps on the footprint.

    Parameters
    ----------
    values : ndarray, shape (n_maps, n_pix)
        Maps on the footprint.
    cl : ndarray, shape (lmax + 1,)
        Spectrum of the pixel averages [sr].
    pixels : ndarray of int, shape (n_pix,)
        HEALPix indices, RING.
    nside : int
        Resolution.

    Returns
    -------
    ndarray, shape (n_maps, n_pix)
        ``values @ S`` with ``S_pp' = xi(theta_pp')``.
    """
    alms = masked_alm(values, pixels, nside) / hp.nside2pixarea(nside)
    lmax = default_lmax(nside)
    return np.array([hp.alm2map(hp.almxfl(alm, cl), nside, lmax=lmax)[pixels] for alm in alms])


def signal_spectrum(field: Field, templates: TemplateSet | None = None) -> np.ndarray:
    r"""Spectrum of the galaxy field, estimated from the sample itself.

    Parameters
    ----------
    field : Field
        Observed overdensity on the footprint.
    templates : TemplateSet, optional
        Templates whose linear fit is removed first.

    Returns
    -------
    ndarray, shape (3 nside,)
        Smooth spectrum of the pixel averages, without shot noise [sr].

    Notes
    -----
    The model :math:`\ln C_\ell` quadratic in :math:`\ln \ell` goes through everything that
    happened to the data before it is compared with them: pixel window, mask coupling, shot
    noise, and the power that subtracting the mean and the fitted templates takes from the
    largest scales (an exact expectation, iterated because it depends on the spectrum).  The
    multipoles are weighted as those of a Gaussian field (Whittle likelihood).
    """
    nside, pixels, shot = field.nside, field.pixels, 1.0 / field.expected
    lmax, lfit = default_lmax(nside), 2 * nside
    ell = np.arange(1, lmax + 1)
    basis = np.ones((1, field.n_pix))
    if templates is not None:
        basis = np.vstack([basis, templates.values])
    removal = _Removal(basis, shot, pixels, nside)
    data = hp.alm2cl(masked_alm(removal.residual(field.delta), pixels, nside)[0], lmax=lmax)
    coupling = _mask_coupling(hp.alm2cl(removal.alms[0], lmax=lmax))[1 : lfit + 1]
    noise = hp.nside2pixarea(nside) ** 2 * shot.sum() / (4.0 * np.pi)
    window_power = pixel_window(nside, lmax)[1:] ** 2
    dof = (2.0 * ell[:lfit] + 1.0) * field.f_sky

    def spectrum(shape):
        log_ell = np.log(ell / PIVOT)
        smooth = np.exp(np.clip(shape[0] + shape[1] * log_ell + shape[2] * log_ell**2, -60.0, 10.0))
        return np.concatenate([[0.0], smooth * window_power])

    def observed(shape, removed):
        return np.maximum(coupling @ spectrum(shape) + noise - removed[1 : lfit + 1], 1e-3 * noise)

    def whittle(shape, removed):
        model = observed(shape, removed)
        # a weak pull towards a power law keeps the curvature finite on noisy samples
        return 0.5 * np.sum(dof * (data[1 : lfit + 1] / model + np.log(model))) + 0.5 * (shape[2] / 0.5) ** 2

    shape, removed = np.array([np.log(1e-4), -1.3, 0.0]), np.zeros(lmax + 1)
    for _ in range(ITERATIONS):
        shape = minimize(whittle, shape, args=(removed,), method="Nelder-Mead", options={"xatol": 1e-4}).x
        removed = removal.power(spectrum(shape))
    return spectrum(shape)


def _mask_coupling(mask_cl: np.ndarray) -> np.ndarray:
    """Matrix from the spectrum of a field to that of the field on a mask, shape (lmax + 1, lmax + 1)."""
    lmax = len(mask_cl) - 1
    weights, table = _legendre_table(lmax)
    window = correlation_from_spectrum(mask_cl)
    factor = (2.0 * np.arange(lmax + 1) + 1.0) / (4.0 * np.pi)
    return 2.0 * np.pi * (table.T * (weights * window)) @ (table * factor)


class _Removal:
    """Linear fit of basis maps, and the power it is expected to take from the residual."""

    def __init__(self, basis, shot, pixels, nside):
        self.basis, self.shot, self.pixels, self.nside = basis, shot, pixels, nside
        self.alms = masked_alm(basis, pixels, nside)
        self.inverse = np.linalg.inv(basis @ basis.T)

    def residual(self, delta):
        return delta - (self.inverse @ (self.basis @ delta)) @ self.basis

    def power(self, cl):
        covered = correlate(self.basis, cl, self.pixels, self.nside) + self.shot * self.basis
        crossed = masked_alm(covered, self.pixels, self.nside)
        amplitudes = self.inverse @ (self.basis @ covered.T) @ self.inverse
        cross = summed_spectrum(self.alms, self.inverse @ crossed)
        return 2.0 * cross - summed_spectrum(self.alms, amplitudes @ self.alms)
