"""Pareto-smoothed importance weights."""

from __future__ import annotations

import numpy as np


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
