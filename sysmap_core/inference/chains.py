"""Markov chains of a posterior: where importance draws are not reliable, and as a cross-check.

Both samplers start from draws of a normal approximation of the posterior, and the gradient sampler
works in coordinates in which that is a unit normal distribution.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import norm, rankdata

from ..backend import jax
from .maximum import Mode
from .pixel_likelihood import PixelSums

if TYPE_CHECKING:
    import emcee

NUTS_CHAINS = 4

NUTS_WARMUP = 300

LENGTH_IN_TAU = 50
"""An ensemble chain is long enough at this many autocorrelation times."""

EMCEE_BLOCK = 500

EMCEE_MAX_STEPS = 20_000

MAX_R_HAT = 1.01


@dataclass(frozen=True)
class Chain:
    """Draws of a sampler, in free parameters.

    Parameters
    ----------
    draws : ndarray, shape (n_chains, n_steps, n_params)
        Draws after burn-in.
    diagnostics : dict
        Numbers that apply to the sampler.
    status : str
        ``"converged"``, or what is missing.
    """

    draws: np.ndarray
    diagnostics: dict
    status: str


def _numpyro():
    """Numpyro, without the advice of its progress bar on notebook widgets; it is slow to import."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="IProgress not found")
        import numpyro
        import numpyro.diagnostics
        import numpyro.infer
    return numpyro


def run_nuts(sums: PixelSums, mode: Mode, n_draws: int, seed: int) -> Chain:
    """Sample with the No-U-Turn sampler.

    Parameters
    ----------
    sums : PixelSums
        Likelihood.
    mode : Mode
        Normal approximation: its maximum, or the mean and inverse covariance of the posterior.
    n_draws : int
        Draws of all chains together.
    seed : int
        Fixes all draws.

    Returns
    -------
    Chain
        Of four chains.

    References
    ----------
    Hoffman & Gelman (2014, JMLR 15, 1593), as implemented in numpyro.
    """
    infer = _numpyro().infer
    root = np.linalg.cholesky(np.linalg.inv(mode.information))
    log_density = sums.log_posterior()

    def potential(z):
        return -log_density(mode.x + root @ z)

    start = np.linalg.solve(root, (laplace_draws(sums, mode, NUTS_CHAINS, seed) - mode.x).T).T
    sampler = infer.MCMC(
        infer.NUTS(potential_fn=potential),
        num_warmup=NUTS_WARMUP,
        num_samples=-(-n_draws // NUTS_CHAINS),
        num_chains=NUTS_CHAINS,
        chain_method="vectorized",
        progress_bar=False,
    )
    extra = ("diverging", "accept_prob")
    sampler.run(jax.random.PRNGKey(seed), init_params=start, extra_fields=extra)
    fields = sampler.get_extra_fields()
    draws = mode.x + np.asarray(sampler.get_samples(group_by_chain=True)) @ root.T
    diagnostics = mixing(draws) | {
        "divergences": int(np.sum(fields["diverging"])),
        "acceptance": float(np.mean(fields["accept_prob"])),
    }
    mixed = diagnostics["r_hat"] < MAX_R_HAT
    status = "converged" if mixed else f"chains disagree (R-hat {diagnostics['r_hat']:.3f} above {MAX_R_HAT})"
    return Chain(draws, diagnostics, status)


def run_emcee(sums: PixelSums, mode: Mode, seed: int, *, walkers: int | None = None) -> Chain:
    """Sample with the affine-invariant ensemble, all walkers in one call.

    Parameters
    ----------
    sums : PixelSums
        Likelihood.
    mode : Mode
        Normal approximation, as in :func:`run_nuts`; walkers start on it, not in a small ball.
    seed : int
        Fixes all draws.
    walkers : int, optional
        Number of walkers; four per parameter by default, and at least 32.

    Returns
    -------
    Chain
        One row per walker.

    References
    ----------
    Foreman-Mackey et al. (2013, PASP 125, 306).
    """
    walkers = walkers or max(32, 4 * sums.n_params)
    start = laplace_draws(sums, mode, walkers, seed)

    def log_probability(x):
        return sums.values(x, fast=True)[0] + x[:, sums.n_free]

    sampler, state = ensemble(log_probability, start, seed)
    tau = np.inf
    while sampler.iteration < EMCEE_MAX_STEPS and not sampler.iteration > LENGTH_IN_TAU * tau:
        state = sampler.run_mcmc(state, EMCEE_BLOCK)
        tau = autocorrelation_time(sampler)
    burn = int(5 * tau) if np.isfinite(tau) else sampler.iteration // 2
    draws = sampler.get_chain(discard=min(burn, sampler.iteration // 2)).swapaxes(0, 1)
    long_enough = sampler.iteration > LENGTH_IN_TAU * tau
    status = (
        "converged"
        if long_enough
        else f"the chain has {sampler.iteration} steps, fewer than {LENGTH_IN_TAU} autocorrelation times of {tau:.0f}"
    )
    diagnostics = {
        "tau": tau,
        "steps": sampler.iteration,
        "walkers": walkers,
        "acceptance": float(np.mean(sampler.acceptance_fraction)),
        "ess_bulk": draws.shape[0] * draws.shape[1] / tau,
    }
    return Chain(draws, diagnostics, status)


def ensemble(
    log_probability: Callable, start: np.ndarray, seed: int, *, vectorize: bool = True
) -> tuple[emcee.EnsembleSampler, emcee.State]:
    """Affine-invariant ensemble before its first step.

    Parameters
    ----------
    log_probability : callable
        Logarithm of the density, of all walkers that move together or of one.
    start : ndarray, shape (n_walkers, n_params)
        Where the walkers start.
    seed : int
        Fixes all draws.
    vectorize : bool
        Whether ``log_probability`` takes many points at once.

    Returns
    -------
    sampler : emcee.EnsembleSampler
        The ensemble.
    state : emcee.State
        What its ``run_mcmc`` starts from.
    """
    import emcee

    sampler = emcee.EnsembleSampler(*start.shape, log_probability, vectorize=vectorize, moves=_moves())
    return sampler, emcee.State(start, random_state=np.random.RandomState(seed).get_state())


def autocorrelation_time(sampler: emcee.EnsembleSampler, discard: int = 0) -> float:
    """Longest autocorrelation time of an ensemble over its parameters.

    Parameters
    ----------
    sampler : emcee.EnsembleSampler
        Ensemble that has run.
    discard : int
        Steps at the beginning that are left out.

    Returns
    -------
    float
        In steps; NaN when a walker never moved.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        return float(np.max(sampler.get_autocorr_time(discard=discard, tol=0)))


def _moves():
    """Differential evolution mixes faster than the stretch move, and whole differences jump between maxima.

    Its snooker variant is left out: with emcee 3.1 it made widths 15 % too small in 12 dimensions.
    """
    from emcee import moves

    return [(moves.DEMove(), 0.8), (moves.DEMove(gamma0=1.0), 0.1), (moves.StretchMove(), 0.1)]


def laplace_draws(sums: PixelSums, mode: Mode, number: int, seed: int) -> np.ndarray:
    """Starting points of chains: draws of the normal approximation, inside the allowed region.

    Parameters
    ----------
    sums : PixelSums
        Likelihood.
    mode : Mode
        Its maximum.
    number : int
        Points wanted.
    seed : int
        Fixes them.

    Returns
    -------
    ndarray, shape (number, n_params)
        Free parameters; points below the efficiency floor are drawn in towards the maximum.
    """
    root = np.linalg.cholesky(np.linalg.inv(mode.information))
    offset = np.random.default_rng(seed).standard_normal((number, sums.n_params)) @ root.T
    for _ in range(20):
        outside = ~np.isfinite(sums.values(mode.x + offset)[0])
        if not outside.any():
            break
        offset = np.where(outside[:, None], 0.5 * offset, offset)
    return mode.x + offset


def mixing(draws: np.ndarray) -> dict[str, float]:
    """Agreement of chains and number of independent draws, for the worst parameter.

    Parameters
    ----------
    draws : ndarray, shape (n_chains, n_steps, n_params)
        Draws.

    Returns
    -------
    dict
        ``r_hat`` (rank-normalised, split), ``ess_bulk`` and ``ess_tail`` (of the 5 % and 95 %
        quantiles).

    References
    ----------
    Vehtari, Gelman, Simpson, Carpenter & Bürkner (2021, Bayesian Analysis 16, 667).
    """
    diagnostics = _numpyro().diagnostics
    effective = diagnostics.effective_sample_size
    ranks = np.apply_along_axis(rankdata, 0, draws.reshape(-1, draws.shape[-1])).reshape(draws.shape)
    normal = norm.ppf((ranks - 0.375) / (draws[..., 0].size + 0.25))
    tails = [draws <= np.quantile(draws, q, axis=(0, 1)) for q in (0.05, 0.95)]
    return {
        "r_hat": float(np.max(diagnostics.split_gelman_rubin(normal))),
        "ess_bulk": float(np.min(effective(normal))),
        "ess_tail": float(min(np.min(effective(t.astype(float))) for t in tails)),
    }
