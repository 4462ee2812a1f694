"""The array interface: methods and their comparison as plain functions of arrays.

Templates come first, then pixels.  :func:`~.decontaminate` does the same with errors on the clustered sky; these
functions need no positions unless they say so.
"""

from __future__ import annotations

import time
import warnings

import numpy as np

from ..errors import ParameterError, unknown_name
from ..inference import fit_model
from ..methods import METHODS, decontaminate, elastic_net, iterative_regression, penalty_path, undone_contamination
from ..sky import Field
from ..templates import TemplateSet, from_pixels
from .plotting import METHOD_ORDER
from .results import LARGEST, as_dict, chain_keys, single_weight

PIXELS_PER_COLUMN = 10
"""With fewer pixels for each coefficient of a polynomial its order is reduced."""


_OTHER_NAMES = {"combined_mcmc": "MCMC-comb", "additive_mcmc": "MCMC-add", "isd": "ISD-3"}


_LATER = ("sampler", "n_chains", "nuts_n_warmup", "nuts_n_samples", "preselect", "good_pixels", "n_total_footprint")
_LATER += ("z_edges", "nz", "nside")


_MCMC = ("n_walkers", "n_steps", "n_burn", "progress", "vectorize", "seed", "use_skewed")


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
    **later,
) -> dict:
    """Run one method on arrays, with errors of independent pixels.

    Parameters
    ----------
    method : {"OLS", "ElasticNet", "ISD-1", "ISD-3", "MCMC-add", "MCMC-comb"}
        Row of :data:`~.METHODS` that needs no positions.
    delta_g_obs : ndarray, shape (n_pix,)
        Observed overdensity [1].
    delta_t : ndarray, shape (n_sys, n_pix)
        Templates; their mean over these pixels is taken off for the fit.
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
    **later
        Arguments of later versions: ``sampler``, ``n_chains`` and those of NUTS are not used, and ``preselect`` has
        to be False.

    Returns
    -------
    dict
        ``a_hat``, ``b_hat`` with ``var_a``, ``var_b``, ``cov_a``, ``cov_b``, per unit of the templates that came;
        ``sigma_hat``, ``chi2_residual``, the mean square of the overdensity less A, ``cleaned``, ``diagnostics``,
        ``elapsed_s``; ``weights`` of galaxies, 1 / (1 + A) between 0.05 and 20, for use alone; and
        ``galaxy_weights`` with ``random_weights``, for use together, see the notes.

        MCMC methods have ``flat_chain``, independent draws of ``(a, [b], sigma, [gamma])`` of the templates that are
        uncorrelated, ``R``, with which ``flat_chain[:, :n_sys] @ R`` are draws of ``a``, ``a_rot``, ``b_rot``,
        ``cov_a_rot``, ``cov_b_rot``, ``sampler``, ``acceptance_fraction``, ``rhat``, ``ess``, ``num_divergences``.
        ISD has ``n_iterations``, ``isd_outlier_mask``, the pixels at the largest weight, and their share.
        The elastic net has ``cv_info`` as :func:`elasticnet_contamination_fit`.  Keys of other methods are None.

    Raises
    ------
    ParameterError
        For an unknown method or argument, a penalty of ISD, or a preselection.
    DataError
        For data that cannot be fitted.

    Notes
    -----
    ``galaxy_weights`` 1 / (1 + B) and ``random_weights`` (1 + A) / (1 + B) undo the contamination exactly, whatever
    the counts.  Either alone leaves A or B.  ``weights`` undoes A, the mean density, and leaves B - A in the
    fluctuations.  The original weighted pixels of the MCMC methods by (1 + cleaned) / (1 + observed), which depends
    on the counts of the pixel itself and leaves a part of A where these are few.

    ISD finds a curve, so ``b_hat`` equals ``a_hat``, the projection of the curve of each template.  In the original
    ``b_hat`` was zero and ``a_hat`` of order 3 the linear coefficients of a cubic, which scatter more and are not the
    contamination.
    """
    name = _known(method)
    _check_later(later)
    if isd_lambda_poly:
        msg = f"isd_lambda_poly is {isd_lambda_poly}: the polynomials are orthogonal and take no penalty, leave it at 0"
        raise ParameterError(msg)
    sky, templates = _without_positions(delta_g_obs, delta_t)
    options = {"seed": seed, "use_skewed": use_skewed, "n_folds": cv_folds, "max_fits": isd_max_iter}
    return _run(name, sky, templates, delta_t, **options)


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
        Names of :func:`run_decontamination`, in any case, or ``combined_mcmc`` and ``additive_mcmc``.
    seed : int
        Fixes the draws.
    mcmc_kwargs : dict, optional
        Arguments of :func:`~.run_mcmc`, of which ``seed`` and ``use_skewed`` are used: there is no chain.

    Returns
    -------
    dict of str to dict
        What :func:`run_decontamination` gives, by the names that came and in their order.

    Raises
    ------
    ParameterError
        For an unknown method or argument.
    DataError
        When the footprint has another number of pixels than the overdensity, and for data that cannot be fitted.

    Notes
    -----
    Expected counts are not known here, and without them neither are errors on the clustered sky:
    give them to :func:`~.run_methods`.
    """
    chain = dict(mcmc_kwargs or {})
    for argument in chain:
        if argument not in _MCMC:
            raise unknown_name("argument in mcmc_kwargs", argument, _MCMC)
    options = {"seed": chain.get("seed", seed), "use_skewed": chain.get("use_skewed", False)}
    good = np.asarray(good_pixels)
    pixels = np.flatnonzero(good) if good.dtype == bool else good
    templates = from_pixels(np.asarray(delta_t, float), pixels, nside)
    sky = Field(np.asarray(delta_g_obs, float), np.full(len(pixels), np.inf), templates.footprint)
    return {name: _run(_known(name), sky, templates, delta_t, **options) for name in methods}


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
        Penalty of standardised templates; chosen by cross-validation when left out.
    cv_folds : int
        Sets of stretches of the pixels: positions are not known here, with them the folds are
        patches of the sky.
    max_iter : int
        Not used: the coordinate descent works on the covariance of the templates and runs to its end.
    fit_intercept : bool
        Whether the mean of the overdensity is fitted too; it does not enter the weights.

    Returns
    -------
    a_hat : ndarray, shape (n_sys,)
        Amplitudes, per unit of the template that came.
    weights : ndarray, shape (n_pix,)
        1 / (1 + A) of every pixel, between 0.05 and 20.
    cv_info : dict
        ``alpha_reg`` of the fit, ``l1_ratio``, ``cv_scores``, the mean squared error for every penalty that was
        tried or None, ``n_kept`` amplitudes that are not zero, ``intercept``, and ``status``.

    Raises
    ------
    ParameterError
        When ``l1_ratio``, ``alpha_reg`` or ``cv_folds`` is out of range.
    DataError
        For data that cannot be fitted.
    """
    delta = np.asarray(delta_g_obs, float)
    # standardised templates have no mean: an intercept is the mean of delta, whatever the amplitudes
    mean = float(delta.mean()) if fit_intercept else 0.0
    sky, templates = _without_positions(delta - mean, delta_t)
    a, info = _penalised(sky, templates, l1_ratio, cv_folds, alpha_reg)
    return a / templates.rms, single_weight(1.0 + a @ templates.values), info | {"intercept": mean}


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
        1 / F of every pixel, between 0.05 and 20.
    a_hat : ndarray, shape (n_sys,)
        Projection of the curve of each template on it, per unit of the template that came.  The original gave the
        coefficients of all monomials, the linear ones first: of order 3 these are not the contamination.
    n_iter : int
        Fits made.

    Raises
    ------
    ParameterError
        For another order, or a penalty.
    DataError
        For data that cannot be fitted.

    Warns
    -----
    UserWarning
        When there are fewer than ten pixels for each coefficient, and the order is reduced.
    """
    if lambda_poly:
        msg = f"lambda_poly is {lambda_poly}: the polynomials are orthogonal and take no penalty, leave it at 0"
        raise ParameterError(msg)
    sky, templates = _without_positions(delta_g_obs, delta_t)
    columns = poly_order * templates.n_sys
    if poly_order == 3 and sky.n_pix < PIXELS_PER_COLUMN * columns:
        msg = f"poly_order=3 gives {columns} columns for {sky.n_pix} pixels: it is reduced to 1"
        warnings.warn(msg, UserWarning, stacklevel=2)
        poly_order = 1
    found = iterative_regression(sky, templates, order=poly_order, tolerance=tol, max_fits=max_iter)
    return single_weight(found.curve), found.a / templates.rms, found.iterations


def _known(method: str) -> str:
    method = _OTHER_NAMES.get(method, method)
    for name in METHOD_ORDER:
        if name.lower() == str(method).lower():
            return name
    others = ", ".join(name for name in METHODS if name not in METHOD_ORDER)
    msg = f"method must be one of {METHOD_ORDER}, got {method!r}; {others} need positions: give decontaminate a Field"
    raise ParameterError(msg)


def _check_later(later: dict) -> None:
    for argument in later:
        if argument not in _LATER and not argument.startswith("preselect_"):
            raise unknown_name("argument", argument, _LATER)
    if later.get("preselect"):
        msg = (
            "preselect is True: choose templates first, by snr_template_ranking or forward_selection, and leave it out"
        )
        raise ParameterError(msg)


def _without_positions(delta_g_obs, delta_t) -> tuple[Field, TemplateSet]:
    delta = np.asarray(delta_g_obs, float)
    places = np.arange(len(delta))
    templates = from_pixels(np.asarray(delta_t, float), places)
    return Field(delta, np.full(len(delta), np.inf), templates.footprint), templates


def _run(name, sky, templates, delta_t, *, seed, use_skewed, n_folds=5, max_fits=50) -> dict:
    start = time.perf_counter()
    if name.startswith("MCMC"):
        skewed = use_skewed and name == "MCMC-comb"
        fit = fit_model(sky.delta, templates, METHODS[name].model, "skew-normal" if skewed else "gaussian", seed=seed)
        told = {**fit.diagnostics, "status": fit.status, "lnl": fit.maximum.lnl, "gamma": fit.gamma}
        found = {key: getattr(fit, key) for key in ("a", "b", "cov_a", "cov_b", "sigma")} | {"diagnostics": told}
        found |= undone_contamination(sky.delta, templates.values, fit.a, fit.b)
        result = as_dict(name, found, sky.delta, templates)
        result |= chain_keys(fit, result, np.asarray(delta_t, float), templates.rms)
    elif name == "ElasticNet":
        a, info = _penalised(sky, templates, 0.5, n_folds, None)
        found = vars(decontaminate(sky, templates, "OLS", shrinkage="none")) | {"a": a, "diagnostics": info}
        found |= undone_contamination(sky.delta, templates.values, a, np.zeros_like(a))
        found["sigma"] = np.std(found["cleaned"])
        result = as_dict(name, found, sky.delta, templates) | {"cv_info": info}
    else:
        options = {"max_fits": max_fits} if name.startswith("ISD") else {}
        fit = decontaminate(sky, templates, name, shrinkage="none", seed=seed, **options)
        result = as_dict(name, vars(fit), sky.delta, templates)
        if name.startswith("ISD"):
            capped = result["weights"] >= LARGEST * (1.0 - 1e-9)
            result |= {"n_iterations": fit.diagnostics["iterations"], "isd_outlier_mask": capped}
            result["isd_masked_fraction"] = float(np.mean(capped))
    return result | {"elapsed_s": time.perf_counter() - start}


def _penalised(sky, templates, l1_ratio, n_folds, alpha) -> tuple[np.ndarray, dict]:
    """Amplitudes of the elastic net, and what its cross-validation saw."""
    scores = None
    if alpha is None:
        penalties, scores = penalty_path(sky, templates, l1_ratio=l1_ratio, n_folds=n_folds)
        alpha = penalties[np.argmin(scores)]
    a, details = elastic_net(sky, templates, l1_ratio=l1_ratio, n_folds=n_folds, alpha=alpha)
    chosen = {"alpha_reg": details["alpha"], "l1_ratio": float(l1_ratio), "cv_scores": scores}
    return a, chosen | {key: details[key] for key in ("n_kept", "status")}
