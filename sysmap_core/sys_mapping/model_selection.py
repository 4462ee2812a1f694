"""The array interface: the likelihood ratio of two models, from their maxima."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from scipy.stats import chi2

from ..errors import ParameterError
from ..inference import n_free_params
from .likelihood import make_log_likelihood

NEGATIVE = 1e-6
"""A ratio below minus this is not that of maxima, whatever the rounding."""


@dataclass(frozen=True)
class LikelihoodRatioResult:
    """Likelihood ratio of two models for independent pixels.

    Parameters
    ----------
    lambda_lr : float
        2 [ln L(alternative) - ln L(null)].
    n_dof : int
        Parameters that the alternative has more.
    p_value : float
        Probability of a larger ratio by Wilks' theorem, which galaxies do not obey.
    reject_null : bool
        Whether it is below the significance.
    null_model, alt_model : str
        Models.
    """

    lambda_lr: float
    n_dof: int
    p_value: float
    reject_null: bool
    null_model: str
    alt_model: str


def likelihood_ratio_test(
    delta_g_obs: np.ndarray,
    delta_t: np.ndarray,
    theta_null: np.ndarray,
    theta_alt: np.ndarray,
    null_model: str,
    alt_model: str,
    use_skewed: bool = False,
    significance: float = 0.05,
) -> LikelihoodRatioResult:
    r"""Compare two nested models at their maxima, for independent pixels.

    Parameters
    ----------
    delta_g_obs : ndarray, shape (n_pix,)
        Observed overdensity [1].
    delta_t : ndarray, shape (n_sys, n_pix)
        Standardised templates [1].
    theta_null, theta_alt : ndarray, shape (n_params,)
        Maxima of both models, as :func:`~sysmap_core.sys_mapping.contamination.pack_params` packs them.
    null_model, alt_model : {"additive", "multiplicative", "combined"}
        The null has fewer parameters.
    use_skewed : bool
        Whether the field is skew-normal.
    significance : float
        Level below which the null is rejected.

    Returns
    -------
    LikelihoodRatioResult
        With the p of Wilks' theorem: on a clustered sky it is far too small, and
        :func:`~.likelihood_ratio` is calibrated.

    Raises
    ------
    ParameterError
        When the null is not the smaller model, or the significance is no probability.

    Warns
    -----
    UserWarning
        When the ratio is negative, which it cannot be between maxima; p is one then.

    Notes
    -----
    Berlfein et al. (2024), Eq. 19.
    """
    n_sys = len(delta_t)
    n_dof = n_free_params(n_sys, alt_model) - n_free_params(n_sys, null_model)
    if n_dof <= 0:
        msg = f"alt_model {alt_model!r} must have more free amplitudes than null_model {null_model!r}: exchange the two"
        raise ParameterError(msg)
    if not 0.0 < significance < 1.0:
        msg = f"significance is {significance!r}: give a probability between 0 and 1, such as 0.05"
        raise ParameterError(msg)
    lnl = [
        float(make_log_likelihood(n_sys, model, use_skewed)(theta, delta_g_obs, delta_t))
        for model, theta in ((null_model, theta_null), (alt_model, theta_alt))
    ]
    ratio = 2.0 * (lnl[1] - lnl[0])
    if ratio < -NEGATIVE:
        msg = f"the likelihood ratio is {ratio:.3g}: theta_alt is no maximum of the {alt_model} model; give maxima"
        warnings.warn(msg, UserWarning, stacklevel=2)
    p = float(chi2.sf(max(ratio, 0.0), n_dof))
    return LikelihoodRatioResult(ratio, n_dof, p, p < significance, null_model, alt_model)
