"""Importance draws of a posterior, with Pareto-smoothed weights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import CubicSpline

from .maximum import Mode, find_mode_at
from .pixel_likelihood import PixelSums

PROPOSAL_WIDTH = 1.04
"""The proposal is slightly wider than the Laplace approximation, to cover heavier tails."""

PROFILE_DEPTH = 12.0
"""A profile ends where the log-likelihood is lower than its maximum by this."""

PROFILE_NODES = 25

PROFILE_CELLS = 1000

MAX_SKEWNESS = 100.0


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


@dataclass(frozen=True)
class Proposal:
    """Distribution that is close to a posterior and easy to draw from, with draws of it.

    Parameters
    ----------
    draws : ndarray, shape (n_draws, n_params)
        Free parameters.
    log_density : ndarray, shape (n_draws,)
        Logarithm of the density at the draws, up to a constant.
    mean : ndarray, shape (n_params,)
        Mean of the distribution, not of the draws.
    cov : ndarray, shape (n_params, n_params)
        Covariance of the distribution.
    """

    draws: np.ndarray
    log_density: np.ndarray
    mean: np.ndarray
    cov: np.ndarray


def importance_draws(sums: PixelSums, mode: Mode, n_draws: int, rng: np.random.Generator) -> WeightedDraws:
    """Draw from an approximation of the posterior and weight the draws to it.

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

    Notes
    -----
    The approximation is that of Laplace; a skewed likelihood is followed along ``gamma`` instead,
    because its information vanishes at gamma = 0 and the two signs are separate maxima.
    """
    if sums.row.skewed:
        proposal = skewness_profile(sums, mode).proposal(n_draws, rng)
    else:
        proposal = laplace_proposal(mode, n_draws, rng)
    draws = proposal.draws
    lnl, _ = sums.values(draws, fast=True)
    # flat in sigma, so the density of ln sigma carries a factor sigma
    weights, k_hat = smoothed_weights(lnl + draws[:, sums.n_free] - proposal.log_density)
    offset, excess = draws - proposal.mean, weights - 1.0 / n_draws
    shift = excess @ offset
    cov = proposal.cov + (offset * excess[:, None]).T @ offset - np.outer(shift, shift)
    return WeightedDraws(draws, weights, proposal.mean + shift, cov, k_hat, effective_draws(weights))


def laplace_proposal(mode: Mode, n_draws: int, rng: np.random.Generator) -> Proposal:
    """Normal distribution at a maximum, slightly wider than its curvature.

    Parameters
    ----------
    mode : Mode
        Maximum of the likelihood.
    n_draws : int
        Number of draws.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    Proposal
        Antithetic draws: their mean is exact.
    """
    z = _antithetic(n_draws, len(mode.x), rng)
    cov = PROPOSAL_WIDTH**2 * np.linalg.inv(mode.information)
    draws = mode.x + z @ np.linalg.cholesky(cov).T
    return Proposal(draws, -0.5 * np.square(z).sum(1), mode.x, cov)


@dataclass(frozen=True)
class SkewnessProfile:
    """Posterior of the skewness, with a normal distribution of the rest for every value of it.

    Parameters
    ----------
    gamma : ndarray, shape (n_nodes,)
        Values, in increasing order.
    log_density : ndarray, shape (n_nodes,)
        Logarithm of the marginal density there, up to a constant.
    mean : ndarray, shape (n_nodes, n_params - 1)
        Maxima of the other parameters.
    cov : ndarray, shape (n_nodes, n_params - 1, n_params - 1)
        Their covariance.
    """

    gamma: np.ndarray
    log_density: np.ndarray
    mean: np.ndarray
    cov: np.ndarray

    def proposal(self, n_draws: int, rng: np.random.Generator) -> Proposal:
        """Draws of gamma from cells of a fine grid, and of the rest given gamma."""
        edges = np.linspace(self.gamma[0], self.gamma[-1], PROFILE_CELLS + 1)
        centres, width = 0.5 * (edges[1:] + edges[:-1]), edges[1] - edges[0]
        log_cell = CubicSpline(self.gamma, self.log_density)(centres) / PROPOSAL_WIDTH**2
        mass = np.exp(log_cell - log_cell.max())
        mass /= mass.sum()
        # one draw in each of n_draws equal parts of the probability
        quantile = (rng.permutation(n_draws) + rng.random(n_draws)) / n_draws
        gamma = np.interp(quantile, np.concatenate([[0.0], np.cumsum(mass)]), edges)
        cell = np.clip(((gamma - edges[0]) / width).astype(int), 0, PROFILE_CELLS - 1)
        root = np.linalg.cholesky(self._covariance(gamma))
        z = _antithetic(n_draws, self.mean.shape[1], rng)
        rest = self._mean(gamma) + np.einsum("nij,nj->ni", root, z)
        log_density = np.log(mass[cell]) - 0.5 * np.square(z).sum(1) - np.log(np.einsum("nii->ni", root)).sum(1)
        draws = np.column_stack([rest, gamma])
        return Proposal(draws, log_density, *self._moments(centres, mass, width))

    def _mean(self, gamma):
        return CubicSpline(self.gamma, self.mean)(gamma)

    def _covariance(self, gamma):
        # linear between nodes: a mixture of covariances is one
        upper = np.clip(np.searchsorted(self.gamma, gamma), 1, len(self.gamma) - 1)
        share = ((gamma - self.gamma[upper - 1]) / (self.gamma[upper] - self.gamma[upper - 1]))[:, None, None]
        return PROPOSAL_WIDTH**2 * ((1.0 - share) * self.cov[upper - 1] + share * self.cov[upper])

    def _moments(self, centres, mass, width):
        points = np.column_stack([self._mean(centres), centres])
        mean = mass @ points
        cov = (points - mean).T @ ((points - mean) * mass[:, None])
        cov[:-1, :-1] += np.tensordot(mass, self._covariance(centres), 1)
        cov[-1, -1] += width**2 / 12.0
        return mean, cov


def skewness_profile(sums: PixelSums, mode: Mode) -> SkewnessProfile:
    """Profile of a skewed likelihood over gamma.

    Parameters
    ----------
    sums : PixelSums
        Likelihood with a free ``gamma``.
    mode : Mode
        Its maximum.

    Returns
    -------
    SkewnessProfile
        As far as the likelihood is not negligible; both signs unless gamma = 0 is excluded.
    """
    nodes = {mode.x[-1]: mode}

    def at(gamma, near):
        nodes[gamma] = find_mode_at(sums, np.append(near.x[:-1], gamma))
        return nodes[gamma]

    if mode.lnl - at(0.0, mode).lnl > PROFILE_DEPTH:
        del nodes[0.0]  # the other sign is excluded
    best = max(node.lnl for node in nodes.values())
    width = np.sqrt(np.linalg.inv(mode.information)[-1, -1])
    for direction in (1.0, -1.0):
        step, gamma = min(2.0 * width, 0.25) * direction, max(nodes, key=lambda g: g * direction)
        node = nodes[gamma]
        while best - node.lnl < PROFILE_DEPTH and abs(gamma) < MAX_SKEWNESS:
            gamma, step = gamma + step, 1.3 * step
            node = at(gamma, node)
            best = max(best, node.lnl)
    grid = np.linspace(min(nodes), max(nodes), PROFILE_NODES)
    found = [at(gamma, nodes[min(nodes, key=lambda g, gamma=gamma: abs(g - gamma))]) for gamma in grid]
    cov = np.array([np.linalg.inv(node.information) for node in found])
    log_det = np.linalg.slogdet(cov)[1]
    # flat in sigma: the density of ln sigma carries a factor sigma
    log_density = [node.lnl + node.x[sums.n_free] for node in found] + 0.5 * log_det
    return SkewnessProfile(grid, log_density, np.array([node.x[:-1] for node in found]), cov)


def _antithetic(n_draws: int, n_params: int, rng: np.random.Generator) -> np.ndarray:
    half = rng.standard_normal((-(-n_draws // 2), n_params))
    return np.concatenate([half, -half])[:n_draws]


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
    if log_ratio.max() == -np.inf:
        # not one draw is in the support of the target: they say nothing of it
        return np.full(len(log_ratio), 1.0 / len(log_ratio)), float("inf")
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
