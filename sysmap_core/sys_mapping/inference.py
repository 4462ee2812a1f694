"""The array interface: posterior and chain as plain functions of arrays.

Templates come first, then pixels; parameters are ``theta = (a, [b], sigma, [gamma])``, as
:func:`~sysmap_core.sys_mapping.contamination.pack_params` packs them.  :func:`~.fit_model`
does the same inference without a chain, knows the shot noise, and returns the maximum as well.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import emcee
import numpy as np

from ..errors import DataError, ParameterError, ShortChainWarning
from ..inference import (
    LENGTH_IN_TAU,
    PixelSums,
    amplitude_basis,
    autocorrelation_time,
    ensemble,
    pack_params,
    posterior_starts,
)
from .likelihood import LIKELIHOOD, check_shapes


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
    check_shapes(n_sys, delta, templates)
    sums = PixelSums(delta, templates, model, LIKELIHOOD[bool(use_skewed)])
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

    Walkers move by differential evolution (Nelson, Ford & Payne 2014, ApJS 210, 11), which mixes faster than the
    stretch moves of the original.

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
    starts = posterior_starts(*data[2:4], model, LIKELIHOOD[bool(use_skewed)], n_walkers, seed)
    gamma = starts.pop("gamma")
    theta = pack_params(**starts, gamma=gamma if use_skewed else None, model=model)
    sampler, state = ensemble(log_prob, theta, seed, vectorize=vectorize)
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


def _warn_if_short(sampler: emcee.EnsembleSampler, n_burn: int) -> None:
    kept, tau = sampler.iteration - n_burn, autocorrelation_time(sampler, n_burn)
    if not kept >= LENGTH_IN_TAU * tau:
        too_few = f"fewer than {LENGTH_IN_TAU} autocorrelation times of {tau:.0f}"
        warnings.warn(f"the chain keeps {kept} steps, {too_few}: take more n_steps", ShortChainWarning, stacklevel=3)
