"""Angular power spectra on a cut sky: transforms, mask coupling, spectrum of the galaxy field.

Spectra here are those of *pixel averages*: they include the HEALPix pixel window, so that
``sum (2l+1)/(4 pi) C_l`` is the variance of a pixel.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import healpy as hp
import numpy as np
from scipy.optimize import minimize

from .errors import DataError
from .sky import Field
from .templates import TemplateSet

ITERATIONS = 4
N_CANDIDATES = 1000
N_SPECTRA = 32
"""Spectra that tell how uncertain an estimate is."""

PIVOT = 50.0
CURVATURE = 0.5
"""Prior width of the curvature of ln C_l in ln l."""

MIN_LEFT = 1e-6
"""Smallest share of the variance of a field that templates have to leave."""

MIN_KEPT = 1e-3
"""Smallest share of the power of a multipole that is taken to be left by the removal of templates."""


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


@dataclass(frozen=True)
class SpectrumEstimate:
    """Spectrum of a galaxy field with its uncertainty.

    Parameters
    ----------
    cl : ndarray, shape (lmax + 1,)
        Posterior mean of the spectrum of the pixel averages, without shot noise [sr].
    draws : ndarray, shape (n_draws, lmax + 1)
        Equally likely spectra [sr].
    shape : ndarray, shape (3,)
        Most likely ln C, slope and curvature of ln C_l in ln l at the pivot.
    """

    cl: np.ndarray
    draws: np.ndarray
    shape: np.ndarray


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
        Smooth spectrum of the pixel averages, without shot noise [sr]: that of
        :func:`estimate_spectrum`.
    """
    return estimate_spectrum(field, templates).cl


def estimate_spectrum(field: Field, templates: TemplateSet | None = None) -> SpectrumEstimate:
    r"""Spectrum of the galaxy field, estimated from the sample itself, with its uncertainty.

    Parameters
    ----------
    field : Field
        Observed overdensity on the footprint.
    templates : TemplateSet, optional
        Templates whose linear fit is removed first.

    Returns
    -------
    SpectrumEstimate
        Smooth spectrum of the pixel averages, without shot noise.

    Raises
    ------
    DataError
        When the templates leave nothing of the field.

    Notes
    -----
    The model :math:`\ln C_\ell` quadratic in :math:`\ln \ell` goes through everything that
    happened to the data before it is compared with them: pixel window, mask coupling, shot
    noise, and the power that subtracting the mean and the fitted templates takes from the
    largest scales (an exact expectation, iterated because its share depends on the slope).  The
    multipoles are weighted as those of a Gaussian field (Whittle likelihood).  Its posterior, with
    flat priors on amplitude and slope, is sampled by importance.
    """
    nside, pixels, shot = field.nside, field.pixels, 1.0 / field.expected
    lmax, lfit = default_lmax(nside), 2 * nside
    basis = np.ones((1, field.n_pix))
    if templates is not None:
        basis = np.vstack([basis, templates.values])
    removal = _Removal(basis, shot, pixels, nside)
    residual = removal.residual(field.delta)
    if not np.var(residual) > MIN_LEFT * np.var(field.delta):
        msg = "templates reproduce delta: there is no field left whose spectrum could be estimated"
        raise DataError(msg)
    data = hp.alm2cl(masked_alm(residual, pixels, nside)[0], lmax=lmax)[1 : lfit + 1]
    coupling = _mask_coupling(hp.alm2cl(removal.alms[0], lmax=lmax))[1 : lfit + 1]
    noise = hp.nside2pixarea(nside) ** 2 * shot.sum() / (4.0 * np.pi)
    window = pixel_window(nside, lmax) ** 2
    dof = (2.0 * np.arange(1, lfit + 1) + 1.0) * field.f_sky

    def unremoved(shape):
        return coupling @ _smooth_spectrum(shape, window) + noise

    def whittle(shape, kept):
        model = unremoved(shape) * kept
        # a weak pull towards a power law keeps the curvature finite on noisy samples
        return 0.5 * np.sum(dof * (data / model + np.log(model))) + 0.5 * (shape[2] / CURVATURE) ** 2

    # the share that is kept depends on the slope only weakly, and not at all on the amplitude
    shape, kept = np.array([np.log(1e-4), -1.3, 0.0]), np.ones(lfit)
    for _ in range(ITERATIONS):
        shape = minimize(whittle, shape, args=(kept,), method="Nelder-Mead", options={"xatol": 1e-4}).x
        removed = removal.power(_smooth_spectrum(shape, window))[1 : lfit + 1]
        kept = np.maximum(1.0 - removed / unremoved(shape), MIN_KEPT)
    steps = 1e-4 * np.eye(3)
    slopes = np.array([np.log(unremoved(shape + h) / unremoved(shape - h)) / 2e-4 for h in steps])
    information = 0.5 * (slopes * dof) @ slopes.T + np.diag([0.0, 0.0, CURVATURE**-2])
    # wider than the information says: a power of few modes has a tail towards large values
    unit = 1.5 * np.random.default_rng(0).standard_normal((N_CANDIDATES, 3))
    candidates = shape + unit @ np.linalg.cholesky(np.linalg.inv(information)).T
    log_weights = np.array([-whittle(candidate, kept) for candidate in candidates]) + 0.5 * np.sum(
        (unit / 1.5) ** 2, axis=1
    )
    weights = np.exp(log_weights - log_weights.max())
    weights /= weights.sum()
    spectra = np.array([_smooth_spectrum(candidate, window) for candidate in candidates])
    equal = np.searchsorted(np.cumsum(weights), (np.arange(N_SPECTRA) + 0.5) / N_SPECTRA)
    return SpectrumEstimate(weights @ spectra, spectra[np.minimum(equal, N_CANDIDATES - 1)], shape)


def _smooth_spectrum(shape: np.ndarray, window: np.ndarray) -> np.ndarray:
    log_ell = np.log(np.arange(1, len(window)) / PIVOT)
    log_cl = np.clip(shape[0] + shape[1] * log_ell + shape[2] * log_ell**2, -60.0, 10.0)
    return np.concatenate([[0.0], np.exp(log_cl) * window[1:]])


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
