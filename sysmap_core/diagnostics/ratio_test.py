"""Is a sample contaminated, and by what?

Every probability here is calibrated: it uses covariances on the clustered sky.
"""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy.stats import chi2

from ..covariance import checked_spectrum, combined_covariance, pixel_moments, ratio_null_weights
from ..errors import unknown_name
from ..inference import field_rms, fit_model
from ..mocks import PixelField, clustered_counts, map_realisations
from ..sky import Field
from ..templates import TemplateSet
from .p_values import NULL_DRAWS, P_FLOOR, exceedance

N_NULL = 20
"""Realisations that the null of the likelihood ratio takes its mean from."""

NULLS = ("additive", "multiplicative")
"""Models inside the combined one."""


@dataclass(frozen=True)
class RatioTest:
    r"""Likelihood ratio of a simpler model in the combined one.

    Parameters
    ----------
    ratio : float
        lambda = 2 [ln L(combined) - ln L(null)], both at their maxima.
    p : float
        Probability of a larger ratio on a clustered sky on which the null is true.
    p_floor : float
        Smallest p that the draws of the null can give.
    p_wilks : float
        The same for independent Gaussian pixels, which galaxies are not.
    null_mean : float
        Mean of the ratio under the null; Wilks: the number of templates.
    null : {"additive", "multiplicative"}
        Simpler model.
    """

    ratio: float
    p: float
    p_floor: float
    p_wilks: float
    null_mean: float
    null: str = "additive"


def likelihood_ratio(
    field: Field,
    templates: TemplateSet,
    *,
    null: str = "additive",
    likelihood: str = "shot-noise",
    spectrum=None,
    realisations: int = N_NULL,
    seed: int = 0,
) -> RatioTest:
    r"""Test whether a simpler model does, or both kinds of contamination are needed.

    Parameters
    ----------
    field : Field
        Observed overdensity.
    templates : TemplateSet
        Templates on the same pixels.
    null : {"additive", "multiplicative"}
        Simpler model.
    likelihood : str
        Likelihood of both fits.
    spectrum : ndarray, shape (3 nside,), or SpectrumEstimate, optional
        Signal spectrum of the pixel averages [sr]; estimated from the field by default.
    realisations : int
        Realisations of the null that its mean is taken from; zero for the analytic null alone, which
        costs nothing and is conservative.
    seed : int
        Fixes the draws of the null, and the realisations.

    Returns
    -------
    RatioTest
        The ratio with its calibrated probability.

    Raises
    ------
    ParameterError
        For another null.

    Notes
    -----
    Berlfein et al. (2024), Eq. 19.  The null is :math:`\sum_k w_k \chi^2_1` with weights
    from the covariance of the scores on a lognormal field, evaluated at the fit of the null.  That covariance is of
    first order: it does not know that a fit of a takes the largest modes out of the square of the field, and its
    null is too large where the templates take up much of the field.  So the weights are brought to the mean
    of a few realisations, which know it to a tenth; the shape stays analytic, without a coarse floor of p.  The
    error of that mean is part of the null, which is an F distribution where all weights are equal.

    The variance of the squares in a pixel is that of the sample (:meth:`~.PixelMoments.measured_spread`): averages of
    a field over pixels are not quite lognormal, nor is the noise of a coverage that was counted with few randoms.
    """
    _check_null(null)
    spectrum = checked_spectrum(field, templates, spectrum)
    ratio, simple = _ratio(field, templates, null, likelihood)
    lognormal, weights = _null_weights(field, templates, spectrum, simple, null, likelihood)
    rng = np.random.default_rng(seed)
    draws = rng.chisquare(1, (NULL_DRAWS, templates.n_sys)) @ weights
    if realisations:
        drawn = _realised_ratios(field, templates, null, likelihood, spectrum, simple, realisations, seed, None)
        # a mean of few realisations scatters: without its own error 5 % would be 6 % with three templates
        freedom = realisations * weights.sum() ** 2 / np.sum(weights**2)
        draws *= drawn.mean() / lognormal.sum() * freedom / rng.chisquare(freedom, NULL_DRAWS)
        weights *= drawn.mean() / lognormal.sum()
    p = exceedance(ratio, draws)
    p_wilks = float(chi2.sf(ratio, templates.n_sys))
    return RatioTest(ratio, p, P_FLOOR, p_wilks, float(weights.sum()), null)


def ratio_realisations(
    field: Field,
    templates: TemplateSet,
    *,
    null: str = "additive",
    likelihood: str = "shot-noise",
    spectrum=None,
    number: int = 64,
    seed: int = 0,
    executor: Executor | None = None,
) -> np.ndarray:
    """Likelihood ratios of fields on which the simpler model is true, the cross-check of the analytic null.

    Parameters
    ----------
    field : Field
        Sample whose footprint, expected counts and null fit the realisations have.
    templates : TemplateSet
        Templates on the same pixels.
    null : {"additive", "multiplicative"}
        Simpler model.
    likelihood : str
        Likelihood of both fits.
    spectrum : ndarray, shape (3 nside,), or SpectrumEstimate, optional
        Signal spectrum of the pixel averages [sr]; estimated from the field by default.
    number, seed : int
        Realisations, and what fixes them for any number of workers.
    executor : concurrent.futures.Executor, optional
        Where to fit them; here by default.

    Returns
    -------
    ndarray, shape (number,)
        Ratios; :func:`exceedance` turns them into a probability.

    Raises
    ------
    ParameterError
        For another null.
    """
    _check_null(null)
    spectrum = checked_spectrum(field, templates, spectrum)
    _, simple = _ratio(field, templates, null, likelihood)
    return _realised_ratios(field, templates, null, likelihood, spectrum, simple, number, seed, executor)


def _null_weights(field, templates, spectrum, simple, null: str, likelihood: str) -> list[np.ndarray]:
    """Weights of the null on a lognormal field, and with the spread of the squares that the sample has."""
    moments = pixel_moments(field, templates.values, spectrum, simple.a, simple.b)
    fitted = spectrum, simple.a, simple.b, field_rms(simple.sigma, simple.gamma)
    known = {"shot_aware": likelihood == "shot-noise"}
    spreads = 1.0, moments.measured_spread(field.delta - simple.a @ templates.values)
    covs = [combined_covariance(field, templates, *fitted, **known, spread=spread) for spread in spreads]
    return [ratio_null_weights(cov, templates.n_sys, null) for cov in covs]


def _realised_ratios(field, templates, null, likelihood, spectrum, simple, number, seed, executor) -> np.ndarray:
    clustering = PixelField.of(spectrum)
    contamination = simple.a @ templates.values, simple.b @ templates.values
    one = partial(_realised_ratio, field, templates, null, likelihood, clustering, contamination)
    return np.array(list(map_realisations(one, number, seed, executor=executor)))


def _check_null(null: str) -> None:
    if null not in NULLS:
        raise unknown_name("null model", null, NULLS)


def _ratio(field, templates, null: str, likelihood: str):
    """Likelihood ratio at the maxima, and the maximum of the null."""
    simple, combined = (
        fit_model(field, templates, model, likelihood, draws=16).maximum for model in (null, "combined")
    )
    return max(2.0 * (combined.lnl - simple.lnl), 0.0), simple


def _realised_ratio(field, templates, null, likelihood, clustering, contamination, seed) -> float:
    drawn = clustered_counts(field, clustering, np.random.default_rng(seed), *contamination)
    return _ratio(drawn, templates, null, likelihood)[0]
