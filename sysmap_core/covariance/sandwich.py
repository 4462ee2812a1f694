r"""Covariance of amplitudes on a clustered sky.

Pixels of a galaxy map are not independent: errors that assume so are too small by factors of
a few, most of all for smooth templates.  Every estimator here solves score equations
:math:`s_\theta = \sum_p [u_p e_p + v_p (e_p^2 - V_p)] = 0` with :math:`e = d - A`; their
covariance on a correlated field is the sandwich :math:`F^{-1} J F^{-1}`, with J from the
correlation function of the field.  Nothing is simulated.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..harmonic import cross_spectra, harmonic_products, masked_alm, variance
from ..sky import CountNoise, Field
from ..templates import TemplateSet
from .estimated_spectrum import SpectrumEstimate, unresolved_variance
from .lognormal_moments import PixelMoments, moment_spectra, pixel_moments


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


def linear_covariance(
    field: Field, templates: TemplateSet, spectrum: np.ndarray | SpectrumEstimate | None, a=None, b=None
) -> Calibrated:
    r"""Covariance of the amplitudes of a linear fit.

    Parameters
    ----------
    field : Field
        Overdensity with its expected counts.
    templates : TemplateSet
        Templates on the same pixels.
    spectrum : ndarray, shape (3 nside,), SpectrumEstimate, or None
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
    beyond = {"unresolved": unresolved_variance(spectrum)}
    draws = linear_covariance_draws(field, templates, np.atleast_2d(spectrum), a, b, **beyond)
    return Calibrated(draws[0], fisher)


def linear_covariance_draws(
    field: Field, templates: TemplateSet, spectra: np.ndarray, a=None, b=None, *, unresolved: float = 0.0
) -> np.ndarray:
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
    unresolved : float
        Variance of the pixel averages that is not in the spectra, see :class:`SpectrumEstimate` [1].

    Returns
    -------
    ndarray, shape (n, n_sys, n_sys)
        What :func:`linear_covariance` gives for each of them.
    """
    values, spectra = templates.values, np.asarray(spectra, float)
    moments = pixel_moments(field, values, spectra[0], a, b)
    none = np.zeros_like(values)
    weights = _relative_to_mean(values, none, none[0], moments.density, field)
    local = moments.noise.variance(moments.density) + unresolved * moments.efficiency**2
    noise = (weights * local) @ weights.T
    if np.all(moments.efficiency == 1.0):
        # templates and coverage are the same in all realisations of a sample, which differ in how they are mixed
        products = templates.remember(
            "spectra with coverage", field.pattern.tobytes(), lambda: _spectra_with_coverage(templates, field.pattern)
        )
        mixing = np.hstack([np.eye(len(values)), -(values @ moments.density)[:, None] / field.n_pix])
    else:
        alms = masked_alm(weights * moments.efficiency, field.footprint)
        products, mixing = cross_spectra(alms, alms), np.eye(len(values))
    power = (2.0 * np.arange(spectra.shape[1]) + 1.0) * spectra / field.footprint.pixel_area**2
    signal = np.moveaxis(products @ power.T, -1, 0)
    inverse = np.linalg.inv(values @ values.T)
    return inverse @ (mixing @ signal @ mixing.T + noise) @ inverse


def _spectra_with_coverage(templates: TemplateSet, pattern: np.ndarray) -> np.ndarray:
    alms = masked_alm(np.vstack([templates.values, pattern]), templates.footprint)
    return cross_spectra(alms, alms)


def combined_covariance(
    field: Field,
    templates: TemplateSet,
    spectrum: np.ndarray | SpectrumEstimate | None,
    a: np.ndarray,
    b: np.ndarray,
    sigma: float,
    *,
    shot_aware: bool = True,
    spread: float = 1.0,
) -> Calibrated:
    r"""Covariance of both amplitudes and the width, on a lognormal field.

    Parameters
    ----------
    field : Field
        Overdensity with its expected counts.
    templates : TemplateSet
        Templates on the same pixels.
    spectrum : ndarray, shape (3 nside,), SpectrumEstimate, or None
        Spectrum of the pixel averages, without shot noise [sr]; None for independent pixels.
    a, b : ndarray, shape (n_sys,)
        Fitted amplitudes.
    sigma : float
        Fitted width; with a spectrum, the width is that of the spectrum.
    shot_aware : bool
        Whether the likelihood that was fitted models the shot noise (else it is Eq. 17 of
        Berlfein et al. 2024).
    spread : float
        Variance of :math:`e^2` in a pixel over that of a lognormal field, where it was measured, see
        :meth:`PixelMoments.measured_spread`.

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
    and :math:`[2V - (1 + A) \nu]\,\bar d` from :math:`e^2 - V`.

    The fitted width scatters with the power of the largest scales; beside the covariance that a spectrum predicts,
    the width has to be that of the same spectrum.
    """
    values, moments = templates.values, pixel_moments(field, templates.values, spectrum, a, b)
    density, efficiency, noise = moments.density, moments.efficiency, moments.noise
    modelled = noise if shot_aware else CountNoise.poisson(np.full(field.n_pix, np.inf))
    if spectrum is not None:
        unmodelled = 0.0 if shot_aware else np.mean(noise.variance(density) / efficiency**2)
        sigma = np.sqrt(moments.sigma2 + unmodelled)
    share = 1.0 + modelled.coverage
    model_variance = (sigma * efficiency) ** 2 * share + modelled.variance(density)
    mean_slope = np.vstack([values, np.zeros_like(values), np.zeros((1, field.n_pix))])
    variance_slope = np.vstack(
        [
            values * modelled.slope(density),
            2.0 * sigma**2 * efficiency * share * values,
            (2.0 * sigma * efficiency**2 * share)[None],
        ]
    )
    linear = mean_slope / model_variance
    square = variance_slope / (2.0 * model_variance**2)
    fisher = linear @ mean_slope.T + square @ variance_slope.T
    if spectrum is None:
        return Calibrated(np.linalg.inv(fisher), fisher)
    mean_response = 2.0 * model_variance - density * modelled.galaxies
    weights = _relative_to_mean(linear, square, mean_response, density, field)
    scores = _score_covariance(weights, square, moments, np.asarray(spectrum, float), field)
    if spread != 1.0:
        scores += (spread - 1.0) * (square * (moments.fourth() - moments.second() ** 2)) @ square.T
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


def _relative_to_mean(linear, square, square_mean, density, field: Field) -> np.ndarray:
    """Weights of e in scores whose data were divided by the mean density of the survey."""
    share = field.expected / field.expected.sum()
    response = linear @ density + square @ square_mean
    return linear - response[:, None] * share


def _score_covariance(linear, square, moments: PixelMoments, spectrum, field: Field):
    """Covariance of sum_p u e + v (e^2 - V): harmonic sums over pairs, one-pixel moments for p = p'."""
    cls = dict(zip(("11", "12", "22"), moment_spectra(spectrum, moments.sigma2), strict=True))
    q = moments.efficiency
    # e^2 - V of one point of a pair follows its own noise, and the weight of its square is multiplied by the slope
    first = q * linear + q * moments.noise.slope(moments.density) * square
    second = q**2 * (1.0 + moments.noise.coverage) * square
    alms1 = masked_alm(first, field.footprint)
    alms2 = masked_alm(second, field.footprint)

    def pairs(left, right, kernel):
        return harmonic_products(left, right, cls[kernel] / field.footprint.pixel_area**2)

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


def sum_covariance(rows: np.ndarray, field: Field, spectrum: np.ndarray | SpectrumEstimate) -> np.ndarray:
    """Covariance of weighted sums of the overdensity on a clustered sky.

    Parameters
    ----------
    rows : ndarray, shape (n, n_pix)
        Weights of the pixels in every sum.
    field, spectrum : Field, and ndarray, shape (3 nside,), or SpectrumEstimate
        Footprint with its expected counts, and spectrum of the pixel averages without shot noise [sr].

    Returns
    -------
    ndarray, shape (n, n)
        Of ``rows @ delta``, delta having no mean over the expected counts by construction; as
        in :func:`~.linear_covariance`, for any weights.
    """
    cl, none = np.asarray(spectrum, float), np.zeros_like(rows)
    weights = _relative_to_mean(rows, none, none[0], np.ones(field.n_pix), field)
    alms = masked_alm(weights, field.footprint)
    signal = harmonic_products(alms, alms, cl / field.footprint.pixel_area**2)
    local = field.noise.variance() + unresolved_variance(spectrum)
    return signal + (weights * local) @ weights.T
