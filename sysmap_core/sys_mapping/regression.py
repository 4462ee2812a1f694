"""The array interface: methods, their comparison and the likelihood ratio as plain functions of arrays.

Templates come first, then pixels.  :func:`~.decontaminate` does the
same with errors on the clustered sky; these functions need no positions unless they say so.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from scipy.stats import chi2

from ..errors import DataError, ParameterError
from ..inference import n_free_params
from ..methods import (
    METHODS,
    MIN_WEIGHT_DENOMINATOR,
    Decontamination,
    decontaminate,
    elastic_net,
    find_method,
    iterative_regression,
)
from ..sky import Field
from ..templates import from_pixels
from ..weights import column
from .posterior import make_log_likelihood

METHOD_ORDER = list(METHODS)


METHOD_COLORS = {name: row.colour for name, row in METHODS.items()} | {"observed": "#333333", "uncorrected": "#333333"}


METHOD_LABELS = {name: row.label for name, row in METHODS.items()} | {
    "observed": "observed",
    "uncorrected": "uncorrected",
}


METHOD_LINESTYLES = {name: row.linestyle for name, row in METHODS.items()} | {"observed": "-.", "uncorrected": ":"}


METHOD_MARKERS = {name: row.marker for name, row in METHODS.items()} | {"observed": "o", "uncorrected": "x"}


_OLD_NAMES = {"combined_mcmc": "MCMC-comb", "additive_mcmc": "MCMC-add", "isd": "ISD-3"}


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
        Maxima of both models, as :func:`~.pack_params` packs them.
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
    DataError
        When the ratio is negative: these are no maxima.

    Notes
    -----
    Berlfein et al. (2024), Eq. 19.
    """
    n_sys = len(delta_t)
    n_dof = n_free_params(n_sys, alt_model) - n_free_params(n_sys, null_model)
    if n_dof <= 0:
        msg = f"the null model is {null_model!r} in {alt_model!r}: give the model with fewer parameters as the null"
        raise ParameterError(msg)
    if not 0.0 < significance < 1.0:
        msg = f"significance is {significance!r}: give a probability between 0 and 1, such as 0.05"
        raise ParameterError(msg)
    lnl = [
        float(make_log_likelihood(n_sys, model, use_skewed)(theta, delta_g_obs, delta_t))
        for model, theta in ((null_model, theta_null), (alt_model, theta_alt))
    ]
    ratio = 2.0 * (lnl[1] - lnl[0])
    if not ratio > -1e-6:
        msg = f"the likelihood ratio is {ratio:.3g}: theta_alt is no maximum of the {alt_model} model; give maxima"
        raise DataError(msg)
    p = float(chi2.sf(max(ratio, 0.0), n_dof))
    return LikelihoodRatioResult(max(ratio, 0.0), n_dof, p, p < significance, null_model, alt_model)


def run_decontamination(
    method: str,
    delta_g_obs: np.ndarray,
    delta_t: np.ndarray,
    *,
    n_walkers: int = 100,
    n_steps: int = 600,
    n_burn: int = 100,
    seed: int = 42,
    use_skewed: bool = False,
    progress: bool = False,
    cv_folds: int = 5,
    isd_max_iter: int = 50,
    isd_lambda_poly: float = 0.0,
) -> dict:
    """Run one method on arrays, with errors of independent pixels.

    Parameters
    ----------
    method : str
        Row of :data:`~.METHODS` that needs no positions, or ElasticNet.
    delta_g_obs : ndarray, shape (n_pix,)
        Observed overdensity [1].
    delta_t : ndarray, shape (n_sys, n_pix)
        Templates; they are standardised on these pixels.
    n_walkers, n_steps, n_burn, progress
        Not used: the posterior is drawn without a chain.
    seed : int
        Fixes the draws.
    use_skewed : bool
        Whether the field of MCMC-comb is skew-normal.
    cv_folds : int
        Of the elastic net: sets of stretches of the pixels, which is worse than patches of the sky.
    isd_max_iter : int
        Fits of ISD at most.
    isd_lambda_poly : float
        Only zero: the polynomials are orthogonal and need no penalty.

    Returns
    -------
    dict
        ``method``, ``a_hat``, ``b_hat``, ``var_a``, ``var_b``, ``cov_a``, ``cov_b``, ``sigma_hat``,
        ``weights`` (of the galaxies, as in the files), ``cleaned``, ``diagnostics`` and ``elapsed_s``.

    Raises
    ------
    ParameterError
        For an unknown method, or a penalty of ISD.
    DataError
        For data that cannot be fitted, or a method that needs positions.
    """
    row = find_method(_OLD_NAMES.get(method, method))
    if isd_lambda_poly:
        msg = f"isd_lambda_poly is {isd_lambda_poly}: the polynomials are orthogonal and take no penalty, leave it at 0"
        raise ParameterError(msg)
    if row.name == "ElasticNet":
        a, details, elapsed = _elastic_net(delta_g_obs, delta_t, cv_folds)
        return _linear_dict(row.name, delta_g_obs, delta_t, a, details, elapsed)
    options = {"likelihood": "skew-normal" if use_skewed else "gaussian"} if row.name == "MCMC-comb" else {}
    options |= {"max_fits": isd_max_iter} if row.name in ("ISD-1", "ISD-3") else {}
    return _as_dict(decontaminate(delta_g_obs, delta_t, row.name, seed=seed, **options))


def method_comparison(
    delta_g_obs: np.ndarray,
    delta_t: np.ndarray,
    good_pixels: np.ndarray,
    nside: int,
    methods: tuple[str, ...] = ("combined_mcmc", "additive_mcmc", "elasticnet", "ols"),
    seed: int = 42,
    mcmc_kwargs: dict | None = None,
) -> dict[str, dict]:
    """Run several methods on the same pixels, with errors of independent pixels.

    Parameters
    ----------
    delta_g_obs, delta_t
        As in :func:`run_decontamination`.
    good_pixels : ndarray of bool, shape (12 nside^2,), or of int, shape (n_pix,)
        Footprint: a mask of the sky or HEALPix indices, RING.  Its patches are the folds of the elastic net.
    nside : int
        Resolution.
    methods : tuple of str
        Rows of :data:`~.METHODS`.
    seed : int
        Fixes the draws.
    mcmc_kwargs : dict, optional
        Not used, as in :func:`run_decontamination`.

    Returns
    -------
    dict of str to dict
        What :func:`run_decontamination` gives, by the names that came.

    Notes
    -----
    Expected counts are not known here, and without them neither are errors on the clustered sky:
    give them to :func:`~.run_methods`.
    """
    good = np.asarray(good_pixels)
    pixels = np.flatnonzero(good) if good.dtype == bool else good
    templates = from_pixels(np.asarray(delta_t, float), pixels, nside)
    sky = Field(np.asarray(delta_g_obs, float), np.full(len(pixels), np.inf), pixels, nside)
    results = {}
    for name in methods:
        if find_method(_OLD_NAMES.get(name, name)).name == "ElasticNet":
            start = time.perf_counter()
            a, details = elastic_net(sky, templates)
            elapsed = time.perf_counter() - start
            results[name] = _linear_dict("ElasticNet", sky.delta, templates.values, a, details, elapsed)
        else:
            results[name] = run_decontamination(name, sky.delta, templates.values, seed=seed)
    return results


def elasticnet_contamination_fit(
    delta_g_obs: np.ndarray,
    delta_t: np.ndarray,
    *,
    l1_ratio: float = 0.5,
    alpha_reg: float | None = None,
    cv_folds: int = 5,
    max_iter: int = 10000,
    fit_intercept: bool = False,
) -> tuple[np.ndarray, np.ndarray, dict]:
    """Additive amplitudes by an elastic net.

    Parameters
    ----------
    delta_g_obs, delta_t
        As in :func:`run_decontamination`.
    l1_ratio : float
        Share of the L1 penalty, above 0 and up to 1.
    alpha_reg : float, optional
        Penalty; chosen by cross-validation when left out.
    cv_folds : int
        Sets of stretches of the pixels: positions are not known here, with them the folds are
        patches of the sky.
    max_iter : int
        Not used: the coordinate descent works on the covariance of the templates and runs to its end.
    fit_intercept : bool
        Whether the mean of the overdensity is fitted too.

    Returns
    -------
    a_hat : ndarray, shape (n_sys,)
        Amplitudes, per rms of the template.
    contamination : ndarray, shape (n_pix,)
        A of every pixel.
    details : dict
        ``alpha``, ``n_kept`` and ``status``.
    """
    delta = np.asarray(delta_g_obs, float)
    # standardised templates have no mean: an intercept is the mean of delta, whatever the amplitudes
    mean = delta.mean() if fit_intercept else 0.0
    sky, templates = _without_positions(delta - mean, delta_t)
    a, details = elastic_net(sky, templates, l1_ratio=l1_ratio, n_folds=cv_folds, alpha=alpha_reg)
    return a, mean + a @ templates.values, details


def iterative_systematics_decontamination(
    delta_g_obs: np.ndarray,
    delta_t: np.ndarray,
    *,
    poly_order: int = 3,
    max_iter: int = 20,
    tol: float = 1e-05,
    lambda_poly: float = 0.0,
) -> tuple[np.ndarray, np.ndarray, int]:
    """Weights by iteratively re-weighted polynomials of all templates.

    Parameters
    ----------
    delta_g_obs, delta_t
        As in :func:`run_decontamination`.
    poly_order : {1, 3}
        Order of the polynomials.
    max_iter, tol : int and float
        Fits at most, and rms change of the curve at which they end.
    lambda_poly : float
        Only zero: the polynomials are orthogonal and need no penalty.

    Returns
    -------
    weights : ndarray, shape (n_pix,)
        1 / F of every pixel, at most 20.
    a_hat : ndarray, shape (n_sys,)
        Projection of the curve of each template on it.
    n_iter : int
        Fits made.

    Raises
    ------
    ParameterError
        For another order, or a penalty.
    """
    if lambda_poly:
        msg = f"lambda_poly is {lambda_poly}: the polynomials are orthogonal and take no penalty, leave it at 0"
        raise ParameterError(msg)
    sky, templates = _without_positions(np.asarray(delta_g_obs, float), delta_t)
    found = iterative_regression(sky, templates, order=poly_order, tolerance=tol, max_fits=max_iter)
    return found.weights, found.a, found.iterations


def _without_positions(delta, delta_t):
    places = np.arange(len(delta))
    templates = from_pixels(np.asarray(delta_t, float), places, None)
    return Field(delta, np.full(len(delta), np.inf), places, None), templates


def _elastic_net(delta, delta_t, cv_folds):
    start = time.perf_counter()
    a, _, details = elasticnet_contamination_fit(delta, delta_t, cv_folds=cv_folds)
    return a, details, time.perf_counter() - start


def _linear_dict(method, delta, delta_t, a, details, elapsed) -> dict:
    """What a linear fit gives, in the form of the other methods."""
    linear = _as_dict(decontaminate(delta, delta_t, "OLS"))
    _, templates = _without_positions(np.asarray(delta, float), delta_t)
    additive = a @ templates.values
    found = {
        "method": method,
        "a_hat": a,
        "sigma_hat": float(np.std(delta - additive)),
        "weights": 1.0 / np.maximum(1.0 + additive, MIN_WEIGHT_DENOMINATOR),
        "cleaned": delta - additive,
        "diagnostics": details,
        "elapsed_s": elapsed,
    }
    return linear | found


def _as_dict(fit: Decontamination) -> dict:
    return {
        "method": fit.method,
        "a_hat": fit.a,
        "b_hat": fit.b,
        "var_a": np.diag(fit.cov_a),
        "var_b": np.diag(fit.cov_b),
        "cov_a": fit.cov_a,
        "cov_b": fit.cov_b,
        "sigma_hat": fit.sigma,
        "weights": column(fit),
        "cleaned": fit.cleaned,
        "diagnostics": fit.diagnostics,
        "elapsed_s": fit.elapsed_s,
    }
