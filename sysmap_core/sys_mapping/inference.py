"""The array interface: likelihood, posterior, chain and rotation as plain functions of arrays.

Templates come first, then pixels; parameters are ``theta = (a, [b], sigma, [gamma])``, as
:func:`~.pack_params` packs them.  :func:`~.fit_model`
does the same inference without a chain, knows the shot noise, and returns the maximum as well.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import emcee
import numpy as np

from ..backend import jax, jnp
from ..errors import DataError, ParameterError, ShortChainWarning
from ..inference import (
    LENGTH_IN_TAU,
    MIN_EFFICIENCY,
    PixelSums,
    amplitude_basis,
    check_model,
    find_likelihood,
    find_mode,
    laplace_draws,
    unpack_params,
)
from ..templates import principal_axes, whiten

_LIKELIHOOD = {False: "gaussian", True: "skew-normal"}  # by use_skewed


def make_log_likelihood(n_sys: int, model: str, use_skewed: bool = False) -> Callable:
    """Log-likelihood of an overdensity, a function that JAX can differentiate and compile.

    Parameters
    ----------
    n_sys : int
        Number of templates.
    model : {"additive", "multiplicative", "combined"}
        Contamination model.
    use_skewed : bool
        Whether the field is skew-normal, with ``gamma`` at the end of the parameters, or Gaussian.

    Returns
    -------
    callable
        From ``theta``, shape (n_params,), ``delta_g_obs``, shape (n_pix,), and ``delta_t``, shape
        (n_sys, n_pix), to a scalar.  Minus infinity where ``sigma <= 0``, where the selection
        efficiency of any pixel is below ``MIN_EFFICIENCY``, and where an input is not finite.
        It raises :class:`~.DataError` when shapes differ.

    Raises
    ------
    ParameterError
        For an unknown model.

    Notes
    -----
    Berlfein et al. (2024), Eq. 17, and Eq. 18 for the skewed field, whose ``sigma`` is a scale and
    not an rms.  Both attribute the shot noise of the counts to the field: the likelihood
    ``"shot-noise"`` of :func:`~.fit_model` does not.
    """
    check_model(model)
    row = find_likelihood(_LIKELIHOOD[bool(use_skewed)])

    @jax.jit
    def log_likelihood(theta, delta_g_obs, delta_t):
        theta, delta, templates = jnp.asarray(theta), jnp.asarray(delta_g_obs), jnp.asarray(delta_t)
        _check_shapes(n_sys, delta, templates)
        a, b, sigma, gamma = unpack_params(theta, n_sys, model, use_skewed)
        efficiency = 1.0 + b @ templates
        inside = (efficiency >= MIN_EFFICIENCY).all() & (sigma > 0.0)
        # values that are harmless outside too: gradients go through both sides of a choice
        log_sigma = jnp.log(jnp.where(sigma > 0.0, sigma, 1.0))
        floored = jnp.maximum(efficiency, 0.5 * MIN_EFFICIENCY)
        lnl = row.pixel(a @ templates, floored, log_sigma, gamma if use_skewed else 0.0, delta, 0.0).sum()
        return jnp.where(inside & jnp.isfinite(lnl), lnl, -jnp.inf)

    return log_likelihood


def make_log_prob(
    n_sys: int,
    model: str,
    delta_g_obs: np.ndarray,
    delta_t: np.ndarray,
    use_skewed: bool = False,
    sigma_min: float = 1e-6,
    vectorize: bool = False,
) -> tuple[Callable, int]:
    """Logarithm of the posterior density of ``theta``, up to a constant.

    Parameters
    ----------
    n_sys : int
        Number of templates.
    model : {"additive", "multiplicative", "combined"}
        Contamination model.
    delta_g_obs : ndarray, shape (n_pix,)
        Observed overdensity [1].
    delta_t : ndarray, shape (n_sys, n_pix)
        Standardised templates [1].
    use_skewed : bool
        Whether the field is skew-normal or Gaussian.
    sigma_min : float
        The width of the field is above this [1].
    vectorize : bool
        Whether the function takes many parameter vectors at once.

    Returns
    -------
    log_prob : callable
        From ``theta``, shape (n_dim,), to a float; with ``vectorize`` from shape (n, n_dim) to
        (n,).  Minus infinity where the prior vanishes and wherever the likelihood is not finite.
    n_dim : int
        Number of parameters.

    Raises
    ------
    DataError
        When shapes differ or values are not finite.
    ParameterError
        For an unknown model.

    Notes
    -----
    Flat priors on amplitudes, ``sigma > sigma_min`` and ``gamma``, above the efficiency floor.
    """
    delta, templates = np.asarray(delta_g_obs, float), np.asarray(delta_t, float)
    _check_shapes(n_sys, delta, templates)
    sums = PixelSums(delta, templates, model, _LIKELIHOOD[bool(use_skewed)])
    ndim, wanted = (2, f"(n, {sums.n_params})") if vectorize else (1, f"({sums.n_params},)")

    def log_prob(theta):
        theta = np.asarray(theta, float)
        if theta.ndim != ndim or theta.shape[-1] != sums.n_params:
            msg = f"theta has shape {theta.shape}: give {wanted}, as vectorize is {vectorize}"
            raise DataError(msg)
        x = np.array(theta, ndmin=2)
        sigma = x[:, sums.n_free]
        allowed = sigma > max(sigma_min, 0.0)
        x[:, sums.n_free] = np.log(np.where(allowed, sigma, 1.0))
        density = np.where(allowed, sums.values(x)[0], -np.inf)
        return density if vectorize else float(density[0])

    return log_prob, sums.n_params


def run_mcmc(
    n_sys: int,
    *,
    model: str = "combined",
    delta_g_obs: np.ndarray,
    delta_t: np.ndarray,
    use_skewed: bool = False,
    n_walkers: int = 250,
    n_steps: int = 1500,
    n_burn: int = 300,
    seed: int = 42,
    progress: bool = True,
    vectorize: bool = False,
) -> tuple[np.ndarray, emcee.EnsembleSampler]:
    """Sample the posterior of ``theta`` with the ensemble of Foreman-Mackey et al. (2013, PASP 125, 306).

    Parameters
    ----------
    n_sys, model, delta_g_obs, delta_t, use_skewed
        As in :func:`make_log_prob`.
    n_walkers, n_steps : int
        Walkers, at least two per parameter, and steps of each.  They start on draws of the Laplace
        approximation at the maximum of the likelihood, not in a small ball.
    n_burn : int
        Steps at the beginning that are left out of the chain.
    seed : int
        Fixes the start of the walkers and every draw.
    progress : bool
        Whether emcee shows its progress bar.
    vectorize : bool
        Whether walkers that move together are computed in one call, which is faster, or one by
        one.  The chain is the same.

    Returns
    -------
    flat_chain : ndarray, shape (n_walkers * (n_steps - n_burn), n_dim)
        Draws of ``(a, [b], sigma, [gamma])`` after burn-in, step by step.
    sampler : emcee.EnsembleSampler
        With the whole chain, burn-in included.

    Warns
    -----
    ShortChainWarning
        When the kept steps are fewer than 50 autocorrelation times.

    Raises
    ------
    DataError
        When shapes differ, values are not finite, the overdensity is constant, or templates are
        linear combinations of each other.
    ParameterError
        For an unknown model, too few walkers or steps.
    """
    data = n_sys, model, np.asarray(delta_g_obs, float), np.asarray(delta_t, float), use_skewed
    log_prob, n_dim = make_log_prob(*data, vectorize=vectorize)
    _check_chain(n_walkers, n_steps, n_burn, n_dim)
    start = _laplace_draws(*data, n_walkers, seed)
    sampler = emcee.EnsembleSampler(n_walkers, n_dim, log_prob, vectorize=vectorize)
    state = emcee.State(start, random_state=np.random.RandomState(seed).get_state())
    sampler.run_mcmc(state, n_steps, progress=progress)
    _warn_if_short(sampler, n_burn)
    return sampler.get_chain(discard=n_burn, flat=True), sampler


def get_mle_params(flat_chain: np.ndarray) -> np.ndarray:
    """Posterior median of every parameter.  It is not a maximum of the likelihood.

    The name is that of the original interface.  A chain alone does not hold the maximum: never
    compare likelihoods here.  The maximum is ``fit_model(...).maximum``.

    Parameters
    ----------
    flat_chain : ndarray, shape (n_draws, n_dim)
        Draws, as :func:`run_mcmc` returns them.

    Returns
    -------
    ndarray, shape (n_dim,)
        Medians, in the order of the columns.

    Raises
    ------
    DataError
        When the chain has another number of axes, or no draws.
    """
    return np.median(_checked_draws(flat_chain), axis=0)


def get_param_covariance_from_chain(flat_chain: np.ndarray, n_sys: int, model: str) -> tuple[np.ndarray, np.ndarray]:
    """Posterior covariances of the additive and of the multiplicative amplitudes.

    Parameters
    ----------
    flat_chain : ndarray, shape (n_draws, n_dim)
        Draws of ``(a, [b], sigma, [gamma])``.
    n_sys, model
        As in :func:`make_log_prob`.

    Returns
    -------
    cov_a, cov_b : ndarray, shape (n_sys, n_sys)
        ``cov_b`` is zero for the additive model and equals ``cov_a`` for the multiplicative one.

    Raises
    ------
    DataError
        When the chain has fewer than two draws, or not the columns of the model.
    ParameterError
        For an unknown model.
    """
    to_a, to_b = amplitude_basis(n_sys, model)
    n_free = to_a.shape[1]
    draws = _checked_draws(flat_chain, least=2)
    if draws.shape[1] not in (n_free + 1, n_free + 2):
        wanted = f"the {model} model with {n_sys} templates has {n_free + 1}, or {n_free + 2} with gamma"
        msg = f"flat_chain has {draws.shape[1]} columns: {wanted}"
        raise DataError(msg)
    cov = np.cov(draws[:, :n_free].T).reshape(n_free, n_free)
    return to_a @ cov @ to_a.T, to_b @ cov @ to_b.T


def get_param_variance_from_chain(flat_chain: np.ndarray, n_sys: int, model: str) -> tuple[np.ndarray, np.ndarray]:
    """Posterior variances of the additive and of the multiplicative amplitudes.

    Parameters and errors are those of :func:`get_param_covariance_from_chain`.

    Returns
    -------
    var_a, var_b : ndarray, shape (n_sys,)
        Diagonals of the covariances.
    """
    cov_a, cov_b = get_param_covariance_from_chain(flat_chain, n_sys, model)
    return np.diag(cov_a).copy(), np.diag(cov_b).copy()


def rotate_templates(delta_t: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    r"""Rotate templates to uncorrelated ones.

    Parameters
    ----------
    delta_t : ndarray, shape (n_sys, n_pix)
        Standardised templates [1].

    Returns
    -------
    rotated : ndarray, shape (n_sys, n_pix)
        Rotated templates :math:`t' = V^t t`; the mean square of each is its eigenvalue.
    rotation_matrix : ndarray, shape (n_sys, n_sys)
        :math:`V`, one eigenvector per column.
    eigenvalues : ndarray, shape (n_sys,)
        In decreasing order, as the rows of ``rotated``.

    Raises
    ------
    DataError
        When the templates have another number of axes, no pixels, or values that are not finite.

    Notes
    -----
    :math:`C = T T^t / N = V D V^t`, Berlfein et al. (2024), appendix A.  Nothing is left out: directions
    whose eigenvalue is far below the largest are linear combinations of templates that vanish, and
    their amplitudes mean nothing.  :func:`~.whiten` names these templates.
    """
    templates = np.asarray(delta_t, float)
    if templates.ndim != 2 or templates.shape[1] == 0 or not np.isfinite(templates).all():
        came = f"shape {templates.shape} and {np.sum(~np.isfinite(templates))} values that are not finite"
        msg = f"delta_t has {came}: give (n_sys, n_pix), all finite"
        raise DataError(msg)
    eigenvalues, vectors = (part[..., ::-1] for part in principal_axes(templates))
    return vectors.T @ templates, vectors, eigenvalues


def transform_params_from_rotated(
    a_rot: np.ndarray, b_rot: np.ndarray, rotation_matrix: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    r"""Amplitudes of the templates from those of the rotated ones.

    Parameters
    ----------
    a_rot, b_rot : ndarray, shape (n_sys,)
        Amplitudes of the rotated templates.
    rotation_matrix : ndarray, shape (n_sys, n_sys)
        :math:`V` of :func:`rotate_templates`.

    Returns
    -------
    a, b : ndarray, shape (n_sys,)
        :math:`a = V a'` and :math:`b = V b'`.

    Raises
    ------
    DataError
        When shapes differ.

    Notes
    -----
    Berlfein et al. (2024), appendix A.  A covariance goes back as a full matrix,
    :math:`V \, \mathrm{Cov}' \, V^t`; variances alone do not.
    """
    rotation = np.asarray(rotation_matrix, float)
    if rotation.ndim != 2 or not np.shape(a_rot) == np.shape(b_rot) == (len(rotation),) == rotation.shape[1:]:
        came = f"a_rot {np.shape(a_rot)}, b_rot {np.shape(b_rot)} and rotation_matrix {rotation.shape}"
        msg = f"shapes are {came}: give (n_sys,), (n_sys,) and (n_sys, n_sys)"
        raise DataError(msg)
    return rotation @ np.asarray(a_rot, float), rotation @ np.asarray(b_rot, float)


def _check_shapes(n_sys: int, delta, templates) -> None:
    if delta.ndim != 1 or templates.shape != (n_sys, len(delta)):
        shapes = f"delta_g_obs has shape {delta.shape} and delta_t {templates.shape}"
        msg = f"{shapes}: give (n_pix,) and ({n_sys}, n_pix), as n_sys is {n_sys}"
        raise DataError(msg)


def _check_chain(n_walkers: int, n_steps: int, n_burn: int, n_dim: int) -> None:
    if n_walkers < 2 * n_dim:
        msg = f"n_walkers is {n_walkers} for {n_dim} parameters: give at least {2 * n_dim}"
        raise ParameterError(msg)
    if not 0 <= n_burn < n_steps:
        msg = f"n_burn is {n_burn} and n_steps {n_steps}: take 0 <= n_burn < n_steps"
        raise ParameterError(msg)


def _checked_draws(flat_chain, least: int = 1) -> np.ndarray:
    draws = np.asarray(flat_chain, float)
    if draws.ndim != 2 or len(draws) < least:
        msg = f"flat_chain has shape {draws.shape}: give (n_draws, n_dim) with at least {least} draws"
        raise DataError(msg)
    return draws


def _laplace_draws(n_sys, model, delta, templates, use_skewed, n_walkers: int, seed: int) -> np.ndarray:
    """Draws of ``theta`` from the Laplace approximation, all inside the allowed region."""
    if not np.std(delta) > 0:
        msg = f"delta_g_obs is constant ({delta[0]:.6g}): there is no field whose width could be fitted"
        raise DataError(msg)
    basis, white = whiten(templates, tuple(f"template {i}" for i in range(n_sys)))
    sums = PixelSums(delta, white, model, _LIKELIHOOD[bool(use_skewed)])
    x = np.zeros(sums.n_params)
    x[sums.n_free] = np.log(np.std(delta))
    theta = laplace_draws(sums, find_mode(sums, x), n_walkers, seed)
    for block in range(0, sums.n_free, max(n_sys, 1)):  # a, and b where it is free
        theta[:, block : block + n_sys] = theta[:, block : block + n_sys] @ basis.T
    theta[:, sums.n_free] = np.exp(theta[:, sums.n_free])
    return theta


def _warn_if_short(sampler: emcee.EnsembleSampler, n_burn: int) -> None:
    kept = sampler.iteration - n_burn
    with np.errstate(invalid="ignore", divide="ignore"):  # of walkers that never moved
        tau = float(np.max(sampler.get_autocorr_time(discard=n_burn, tol=0)))
    if not kept >= LENGTH_IN_TAU * tau:
        too_few = f"fewer than {LENGTH_IN_TAU} autocorrelation times of {tau:.0f}"
        warnings.warn(f"the chain keeps {kept} steps, {too_few}: take more n_steps", ShortChainWarning, stacklevel=3)
