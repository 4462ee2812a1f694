"""Importance draws of a posterior, with Pareto-smoothed weights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .maximum import Mode
from .pixels import PixelSums

PROPOSAL_WIDTH = 1.04
"""The proposal is slightly wider than the Laplace approximation, to cover heavier tails."""


@dataclass(frozen=True)
class WeightedDraws:
    """Draws from the Laplace approximation, weighted to the posterior.

    Parameters
    ----------
    draws : ndarray, shape (n_draws, n_params)
        Free parameters.
    weights : ndarray, shape (n_draws,)
        Weights, sum one.
    mean : ndarray, shape (n_params,)
        Posterior mean.
    cov : ndarray, shape (n_params, n_params)
        Posterior covariance.
    k_hat : float
        Shape of the tail of the weights; reliable below 0.7.
    effective : float
        Effective number of draws.
    """

    draws: np.ndarray
    weights: np.ndarray
    mean: np.ndarray
    cov: np.ndarray
    k_hat: float
    effective: float


def importance_draws(sums: PixelSums, mode: Mode, n_draws: int, rng: np.random.Generator) -> WeightedDraws:
    """Draw from the Laplace approximation and weight the draws to the posterior.

    Parameters
    ----------
    sums : PixelSums
        Likelihood.
    mode : Mode
        Its maximum.
    n_draws : int
        Number of draws.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    WeightedDraws
        With their moments; what is known of the proposal serves as control variate.
    """
    half = rng.standard_normal((-(-n_draws // 2), sums.n_params))
    z = np.concatenate([half, -half])[:n_draws]  # antithetic: the mean of the proposal is exact
    laplace = np.linalg.inv(mode.information)
    draws = mode.x + PROPOSAL_WIDTH * z @ np.linalg.cholesky(laplace).T
    lnl, _ = sums.values(draws, fast=True)
    # flat in sigma, so the density of ln sigma carries a factor sigma
    weights, k_hat = smoothed_weights(lnl + draws[:, sums.n_free] + 0.5 * np.square(z).sum(1))
    offset, excess = draws - mode.x, weights - 1.0 / n_draws
    shift = excess @ offset
    cov = PROPOSAL_WIDTH**2 * laplace + (offset * excess[:, None]).T @ offset - np.outer(shift, shift)
    return WeightedDraws(draws, weights, mode.x + shift, cov, k_hat, effective_draws(weights))


def pareto_fit(excess: np.ndarray) -> tuple[float, float]:
    """Generalised Pareto distribution of the excesses over a threshold.

    Parameters
    ----------
    excess : ndarray, shape (n,)
        Positive excesses, in increasing order.

    Returns
    -------
    k, scale : float
        Shape and scale.

    Notes
    -----
    The profile posterior mean of Zhang & Stephens (2009, Technometrics 51, 316), with the
    weakly informative prior on k of Vehtari et al. (2024, JMLR 25, 72).
    """
    n = len(excess)
    n_grid = 30 + int(np.sqrt(n))
    quartile = excess[int(n / 4 + 0.5) - 1]
    theta = 1.0 / excess[-1] + (1.0 - np.sqrt(n_grid / (np.arange(1, n_grid + 1) - 0.5))) / (3.0 * quartile)
    k_grid = np.log1p(-theta[:, None] * excess).mean(1)
    profile = n * (np.log(-theta / k_grid) - k_grid - 1.0)
    weights = np.exp(profile - profile.max())
    theta_mean = np.sum(weights * theta) / weights.sum()
    k = float(np.log1p(-theta_mean * excess).mean())
    scale = -k / theta_mean
    return (k * n + 0.5 * 10) / (n + 10), float(scale)


def smoothed_weights(log_ratio: np.ndarray) -> tuple[np.ndarray, float]:
    """Normalised importance weights with their largest values smoothed.

    Parameters
    ----------
    log_ratio : ndarray, shape (n_draws,)
        Logarithm of target over proposal density, up to a constant; minus infinity outside
        the support of the target.

    Returns
    -------
    weights : ndarray, shape (n_draws,)
        Weights with sum one.
    k_hat : float
        Shape of the Pareto tail: the weights are reliable below 0.7.

    Notes
    -----
    Vehtari, Simpson, Gelman, Yao & Gabry (2024, JMLR 25, 72).
    """
    log_ratio = log_ratio - log_ratio.max()
    ratio = np.exp(log_ratio)
    n = len(ratio)
    n_tail = int(np.ceil(min(0.2 * n, 3.0 * np.sqrt(n))))
    order = np.argsort(ratio)
    tail = order[-n_tail:]
    cut = ratio[order[-n_tail - 1]]
    excess = ratio[tail] - cut
    if n_tail < 5 or excess[0] <= 0 or excess[-1] - excess[0] < 1e-12:
        return ratio / ratio.sum(), float("-inf")
    k_hat, scale = pareto_fit(excess)
    quantile = (np.arange(n_tail) + 0.5) / n_tail
    smooth = scale / k_hat * np.expm1(-k_hat * np.log1p(-quantile)) if k_hat else -scale * np.log1p(-quantile)
    ratio[tail] = np.minimum(cut + smooth, 1.0)
    return ratio / ratio.sum(), k_hat


def effective_draws(weights: np.ndarray) -> float:
    """Effective number of draws, 1 / sum w^2.

    Parameters
    ----------
    weights : ndarray, shape (n_draws,)
        Normalised weights.

    Returns
    -------
    float
        Between one and n_draws.
    """
    return float(1.0 / np.sum(np.square(weights)))
