r"""Covariance of amplitudes on a clustered sky.

Pixels of a galaxy map are not independent: errors that assume so are too small by factors of
a few, most of all for smooth templates.  Every estimator here solves score equations
:math:`s_\theta = \sum_p [u_p e_p + v_p (e_p^2 - V_p)] = 0` with :math:`e = d - A`; their
covariance on a correlated field is the sandwich :math:`F^{-1} J F^{-1}`, with J from the
correlation function of the field.  Nothing is simulated.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import healpy as hp
import numpy as np

from .errors import DataError
from .harmonic_pairs import harmonic_cross_sums, harmonic_sums
from .kernels import Content, coverage_pattern, cross_spectra
from .likelihood import MIN_DENSITY
from .points import angular_bins
from .sky import Field
from .spectra import (
    correlate,
    correlation_from_spectrum,
    harmonic_products,
    masked_alm,
    spectrum_from_correlation,
    variance,
)
from .template_correlations import TemplateCorrelations
from .templates import TemplateSet


@dataclass(frozen=True)
class Calibrated:
    """Covariances of amplitudes, with clustering and without.

    Parameters
    ----------
    cov : ndarray, shape (n_theta, n_theta)
        On the clustered sky.
    fisher : ndarray, shape (n_theta, n_theta)
        Information of independent pixels; its inverse is what they would give.
    """

    cov: np.ndarray
    fisher: np.ndarray


def linear_covariance(field: Field, templates: TemplateSet, spectrum: np.ndarray | None, a=None, b=None) -> Calibrated:
    r"""Covariance of the amplitudes of a linear fit.

    Parameters
    ----------
    field : Field
        Overdensity with its expected counts.
    templates : TemplateSet
        Templates on the same pixels.
    spectrum : ndarray, shape (3 nside,), or None
        Spectrum of the pixel averages, without shot noise [sr]; None for independent pixels of
        unit variance.
    a, b : ndarray, shape (n_sys,), optional
        Additive and multiplicative amplitudes; zero by default.

    Returns
    -------
    Calibrated
        For ``a``.

    Notes
    -----
    :math:`M (T \Xi T^t) M` with :math:`M = (T T^t)^{-1}`.  An overdensity is relative to the mean density of the
    survey, clustering included: see :func:`combined_covariance`.
    """
    fisher = templates.values @ templates.values.T
    if spectrum is None:
        return Calibrated(np.linalg.inv(fisher), fisher)
    return Calibrated(linear_covariance_draws(field, templates, np.atleast_2d(spectrum), a, b)[0], fisher)


def linear_covariance_draws(field: Field, templates: TemplateSet, spectra: np.ndarray, a=None, b=None) -> np.ndarray:
    r"""Covariances of the amplitudes of a linear fit, for many spectra.

    Parameters
    ----------
    field : Field
        Overdensity with its expected counts.
    templates : TemplateSet
        Templates on the same pixels.
    spectra : ndarray, shape (n, 3 nside)
        Spectra of the pixel averages, without shot noise [sr].
    a, b : ndarray, shape (n_sys,), optional
        Additive and multiplicative amplitudes; zero by default.

    Returns
    -------
    ndarray, shape (n, n_sys, n_sys)
        What :func:`linear_covariance` gives for each of them.
    """
    values = templates.values
    moments = _moments(field, values, spectra[0], a, b)
    none = np.zeros_like(values)
    weights = _relative_to_mean(values, none, none[0], moments.density, field)
    noise = (weights * (moments.density * moments.shot)) @ weights.T
    if np.all(moments.efficiency == 1.0):
        # templates and coverage are the same in all realisations of a sample, which differ in how they are mixed
        content = Content(field.pixels, values, coverage_pattern(field.expected))
        products = _spectra_with_coverage(content, field.nside)
        mixing = np.hstack([np.eye(len(values)), -(values @ moments.density)[:, None] / field.n_pix])
    else:
        alms = masked_alm(weights * moments.efficiency, field.pixels, field.nside)
        products, mixing = cross_spectra(alms, alms), np.eye(len(values))
    power = (2.0 * np.arange(spectra.shape[1]) + 1.0) * spectra / hp.nside2pixarea(field.nside) ** 2
    signal = np.moveaxis(products @ power.T, -1, 0)
    inverse = np.linalg.inv(values @ values.T)
    return inverse @ (mixing @ signal @ mixing.T + noise) @ inverse


@lru_cache(maxsize=2)
def _spectra_with_coverage(content: Content, nside: int) -> np.ndarray:
    pixels, values, pattern = content.arrays
    alms = masked_alm(np.vstack([values, pattern]), pixels, nside)
    return cross_spectra(alms, alms)


def combined_covariance(
    field: Field, templates: TemplateSet, spectrum: np.ndarray | None, a, b, sigma: float, *, shot_aware: bool = True
) -> Calibrated:
    r"""Covariance of both amplitudes and the width, on a lognormal field.

    Parameters
    ----------
    field : Field
        Overdensity with its expected counts.
    templates : TemplateSet
        Templates on the same pixels.
    spectrum : ndarray, shape (3 nside,), or None
        Spectrum of the pixel averages, without shot noise [sr]; None for independent pixels.
    a, b : ndarray, shape (n_sys,)
        Fitted amplitudes.
    sigma : float
        Fitted width; with a spectrum, the width is that of the spectrum.
    shot_aware : bool
        Whether the likelihood that was fitted models the shot noise (else it is Eq. 17 of
        Berlfein et al. 2024).

    Returns
    -------
    Calibrated
        For ``(a, b, sigma)``.

    Notes
    -----
    With :math:`x = 1 + \xi`, :math:`s = 1 + \sigma^2`, the score covariance needs the kernels
    :math:`\xi`, :math:`c_{12} = s x^2 - 2x + 2 - s` and
    :math:`c_{22} = s^2 x^4 - 4 s x^2 + 2 s + 4 x - 3 - (s-1)^2`; coincident pixels have the
    moments of Poisson counts of a lognormal field.

    Counts are divided by the mean density of the survey, which is :math:`1 + \bar d` times the true one, with
    :math:`\bar d = \sum_p \bar n_p e_p / \sum_p \bar n_p`.  To first order this takes :math:`(1 + A)\,\bar d` from e
    and :math:`[2V - (1 + A) / \bar n]\,\bar d` from :math:`e^2 - V`.

    The fitted width scatters with the power of the largest scales; beside the covariance that a spectrum predicts,
    the width has to be that of the same spectrum.
    """
    values = templates.values
    moments = _moments(field, values, spectrum, a, b)
    density, efficiency, shot = moments.density, moments.efficiency, moments.shot
    modelled_shot = shot if shot_aware else np.zeros_like(shot)
    if spectrum is not None:
        unmodelled = np.mean(density * (shot - modelled_shot) / efficiency**2)
        sigma = np.sqrt(moments.sigma2 + unmodelled)
    model_variance = (sigma * efficiency) ** 2 + density * modelled_shot
    mean_slope = np.vstack([values, np.zeros_like(values), np.zeros((1, field.n_pix))])
    variance_slope = np.vstack(
        [values * modelled_shot, 2.0 * sigma**2 * efficiency * values, (2.0 * sigma * efficiency**2)[None]]
    )
    linear = mean_slope / model_variance
    square = variance_slope / (2.0 * model_variance**2)
    fisher = linear @ mean_slope.T + square @ variance_slope.T
    if spectrum is None:
        return Calibrated(np.linalg.inv(fisher), fisher)
    weights = _relative_to_mean(linear, square, 2.0 * model_variance - density * modelled_shot, density, field)
    scores = _score_covariance(weights, square, moments, spectrum, field)
    inverse = np.linalg.inv(fisher)
    return Calibrated(inverse @ scores @ inverse, fisher)


def ratio_null_weights(calibrated: Calibrated, n_sys: int, null: str = "additive") -> np.ndarray:
    r"""Null distribution of the likelihood ratio of a simpler model on a clustered sky.

    Parameters
    ----------
    calibrated : Calibrated
        Covariances of ``(a, b, sigma)``.
    n_sys : int
        Number of templates.
    null : {"additive", "multiplicative"}
        Simpler model: b = 0, or b = a.

    Returns
    -------
    ndarray, shape (n_sys,)
        Weights w: the ratio is distributed as :math:`\sum_k w_k \chi^2_1` (Wilks: all one).

    Notes
    -----
    The null is :math:`K \theta = 0`; w are the eigenvalues of
    :math:`K\,{\rm Cov}\,K^T (K F^{-1} K^T)^{-1}`.
    """
    constraint = np.zeros((n_sys, len(calibrated.cov)))
    constraint[:, n_sys : 2 * n_sys] = np.eye(n_sys)
    if null == "multiplicative":
        constraint[:, :n_sys] = -np.eye(n_sys)
    information = np.linalg.inv(constraint @ np.linalg.inv(calibrated.fisher) @ constraint.T)
    root = np.linalg.cholesky(information)
    return np.linalg.eigvalsh(root.T @ constraint @ calibrated.cov @ constraint.T @ root)


def observed_with_removed(
    field: Field,
    templates: TemplateSet,
    correlations: TemplateCorrelations,
    spectrum: np.ndarray,
    *,
    a: np.ndarray,
    cov_a: np.ndarray,
) -> np.ndarray:
    r"""Covariance of a correlation function of pixels with the contamination that a linear fit removes from it.

    Parameters
    ----------
    field : Field
        Overdensity with its expected counts.
    templates : TemplateSet
        Templates on the same pixels.
    correlations : TemplateCorrelations
        Their correlations over pairs of pixels.
    spectrum : ndarray, shape (3 nside,)
        Spectrum of the pixel averages, without shot noise [sr].
    a : ndarray, shape (n_sys,)
        Fitted amplitudes, per rms of the template.
    cov_a : ndarray, shape (n_sys, n_sys)
        Their calibrated covariance.

    Returns
    -------
    ndarray, shape (n_theta, n_theta)
        Rows are bins of the observed correlation function, columns of what is removed [1].

    Notes
    -----
    Both are quadratic in the data: :math:`w = d^t Q d` and, with :math:`\hat a = H d`,
    :math:`\hat a^t \xi \hat a`.  For a Gaussian field of covariance :math:`\Xi` around the contamination
    :math:`T^t a`, with :math:`g = H \Xi`, the covariance is
    :math:`4\,{\rm tr}[(a a^t - C_a)\,(T Q g^t)\,\xi] + 2\,{\rm tr}[(g Q g^t)\,\xi]`.  Pixels count alike in
    all averages.  The skewness of a field, left out here, matters on small patches.
    """
    values, pixels, nside = templates.values, field.pixels, field.nside
    functionals = np.linalg.solve(values @ values.T, values)
    carried = correlate(functionals, np.asarray(spectrum, float), pixels, nside) + functionals / field.expected
    # an overdensity is relative to the mean density of the survey
    carried -= carried @ field.expected[:, None] / field.expected.sum()
    bins = angular_bins(correlations.theta_edges)
    pairs = harmonic_sums(np.ones((1, field.n_pix)), pixels, nside, bins)[0]
    means = harmonic_cross_sums(np.vstack([values, carried]), carried, pixels, nside, bins) / pairs
    of_templates, of_amplitudes = np.split(means, 2)
    products = np.outer(a, a) - cov_a
    crossed = np.einsum("ki,ijt,jku->tu", products, of_templates, correlations.xi, optimize=True)
    return 4.0 * crossed + 2.0 * np.einsum("ijt,iju->tu", of_amplitudes, correlations.xi)


def spatial_patches(pixels: np.ndarray, nside: int, n_patches: int) -> np.ndarray:
    """Compact patches of about equal numbers of pixels.

    Parameters
    ----------
    pixels : ndarray of int, shape (n_pix,)
        HEALPix indices, RING.
    nside : int
        Resolution.
    n_patches : int
        Number of patches.

    Returns
    -------
    ndarray of int, shape (n_pix,)
        Patch of every pixel: stretches of the NESTED curve, which are compact on the sky.

    Raises
    ------
    DataError
        When there are fewer pixels than patches.
    """
    if len(pixels) < n_patches:
        msg = f"{len(pixels)} pixels cannot make {n_patches} patches: take fewer patches or a finer nside"
        raise DataError(msg)
    rank = np.argsort(np.argsort(hp.ring2nest(nside, pixels)))
    return rank * n_patches // len(pixels)


def _moments(field: Field, values, spectrum, a, b) -> PixelMoments:
    none = np.zeros(len(values))
    density = np.maximum(1.0 + (none if a is None else a) @ values, MIN_DENSITY)
    efficiency = 1.0 + (none if b is None else b) @ values
    return PixelMoments(0.0 if spectrum is None else variance(spectrum), 1.0 / field.expected, density, efficiency)


def _relative_to_mean(linear, square, square_mean, density, field: Field) -> np.ndarray:
    """Weights of e in scores whose data were divided by the mean density of the survey."""
    share = field.expected / field.expected.sum()
    response = linear @ density + square @ square_mean
    return linear - response[:, None] * share


@dataclass(frozen=True)
class PixelMoments:
    """Moments of e = q delta + Poisson noise in one pixel, for a lognormal field delta.

    Parameters
    ----------
    sigma2 : float
        Variance of the field [1].
    shot : ndarray, shape (n_pix,)
        1 / nbar [1].
    density, efficiency : ndarray, shape (n_pix,)
        1 + A, and q = 1 + B.
    """

    sigma2: float
    shot: np.ndarray
    density: np.ndarray
    efficiency: np.ndarray

    def second(self):
        """Mean of e^2."""
        return self.efficiency**2 * self.sigma2 + self.density * self.shot

    def third(self):
        """Mean of e^3."""
        q, nu, s = self.efficiency, self.shot, 1.0 + self.sigma2
        return q**3 * (s**3 - 3.0 * s + 2.0) + 3.0 * q**2 * nu * self.sigma2 + nu**2 * self.density

    def fourth(self):
        """Mean of e^4."""
        q, nu, s, m = self.efficiency, self.shot, 1.0 + self.sigma2, self.density
        delta3, delta4 = s**3 - 3.0 * s + 2.0, s**6 - 4.0 * s**3 + 6.0 * s - 3.0
        noise2 = 3.0 * nu**2 * (m**2 + q**2 * self.sigma2)
        mixed = 6.0 * q**2 * nu * (m * self.sigma2 + q * delta3) + 4.0 * q**2 * nu**2 * self.sigma2
        return q**4 * delta4 + mixed + nu**3 * m + noise2


def moment_spectra(spectrum: np.ndarray, sigma2: float | None = None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    r"""Spectra of a lognormal field, of the field with its square, and of its square.

    Parameters
    ----------
    spectrum : ndarray, shape (lmax + 1,)
        Spectrum of the field [sr].
    sigma2 : float, optional
        Variance of the field, where it has more than the spectrum holds.

    Returns
    -------
    tuple of ndarray, shape (lmax + 1,)
        Legendre transforms of the kernels :math:`\xi`, :math:`c_{12}` and :math:`c_{22}` of
        :func:`combined_covariance` [sr].
    """
    lmax, xi = len(spectrum) - 1, correlation_from_spectrum(spectrum)
    s, x = 1.0 + (variance(spectrum) if sigma2 is None else sigma2), 1.0 + xi
    crossed = s * x**2 - 2.0 * x + 2.0 - s
    squared = s**2 * x**4 - 4.0 * s * x**2 + 2.0 * s + 4.0 * x - 3.0 - (s - 1.0) ** 2
    return tuple(spectrum_from_correlation(kernel, lmax) for kernel in (xi, crossed, squared))


def _score_covariance(linear, square, moments: PixelMoments, spectrum, field: Field):
    """Covariance of sum_p u e + v (e^2 - V): harmonic sums over pairs, one-pixel moments for p = p'."""
    cls = dict(zip(("11", "12", "22"), moment_spectra(spectrum), strict=True))
    q = moments.efficiency
    # the Poisson noise of one point of a pair, nu / q, multiplies the weight of its square
    first, second = q * linear + q * moments.shot * square, q**2 * square
    alms1 = masked_alm(first, field.pixels, field.nside)
    alms2 = masked_alm(second, field.pixels, field.nside)

    def pairs(left, right, kernel):
        return harmonic_products(left, right, cls[kernel] / hp.nside2pixarea(field.nside) ** 2)

    crossed = pairs(alms1, alms2, "12")
    total = pairs(alms1, alms1, "11") + crossed + crossed.T + pairs(alms2, alms2, "22")
    # what the harmonic sums hold at zero separation gives way to the moments of one pixel
    zero = {name: variance(cl) for name, cl in cls.items()}
    e2, e3, e4 = moments.second(), moments.third(), moments.fourth()
    total += (linear * e2) @ linear.T - zero["11"] * first @ first.T
    total += (linear * e3) @ square.T + (square * e3) @ linear.T
    total -= zero["12"] * (first @ second.T + second @ first.T)
    total += (square * (e4 - e2**2)) @ square.T - zero["22"] * second @ second.T
    return total
