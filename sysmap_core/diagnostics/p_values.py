"""Probabilities that chance gives as much."""

from __future__ import annotations

import numpy as np
from scipy.stats import norm

NULL_DRAWS = 100_000

P_FLOOR = 1.0 / (1.0 + NULL_DRAWS)
"""Smallest probability that the draws can give."""

SIGNIFICANCE = 0.05


def p_text(p: float) -> str:
    """Text of a probability, never below what the draws can tell.

    Parameters
    ----------
    p : float
        Probability from :data:`NULL_DRAWS` draws.

    Returns
    -------
    str
        Two digits, or ``<`` and the floor.
    """
    return f"{p:.2g}" if p > P_FLOOR else f"<{P_FLOOR:.0e}"


def exceedance(value: float, null: np.ndarray) -> float:
    """Probability of a larger value under a null that is known from draws.

    Parameters
    ----------
    value : float
        Measured value.
    null : ndarray, shape (n,)
        Draws of the null.

    Returns
    -------
    float
        (1 + number of draws that are as large) / (1 + n): never below its floor 1 / (1 + n).
    """
    return float((1 + np.sum(null >= value)) / (1 + len(null)))


def family_wise_p(values: np.ndarray, cov: np.ndarray, seed: int = 0, *, draws: np.ndarray | None = None) -> np.ndarray:
    """Probability that the largest of many correlated amplitudes exceeds each one, by chance.

    Parameters
    ----------
    values : ndarray, shape (n_sys,)
        Amplitudes.
    cov : ndarray, shape (n_sys, n_sys)
        Their covariance.
    seed : int
        Fixes the draws of the null.
    draws : ndarray, shape (n_draws, n_sys, n_sys), optional
        Covariances that are as likely; the null then knows that the errors are estimates.

    Returns
    -------
    ndarray, shape (n_sys,)
        p of every template, for the largest ``|a|`` over its error in the family.
    """
    error = np.sqrt(np.diag(cov))
    roots = np.linalg.cholesky((cov[None] if draws is None else draws) / np.outer(error, error))
    unit = np.random.default_rng(seed).standard_normal((NULL_DRAWS, len(values)))
    parts = np.array_split(unit, len(roots))
    largest = np.sort(np.concatenate([np.abs(u @ r.T).max(1) for u, r in zip(parts, roots, strict=True)]))
    above = NULL_DRAWS - np.searchsorted(largest, np.abs(values) / error)
    return (1.0 + above) / (1.0 + NULL_DRAWS)


def template_p(values: np.ndarray, cov: np.ndarray, *, draws: np.ndarray | None = None) -> np.ndarray:
    """Probability that each amplitude alone is as large by chance, in either direction.

    Parameters
    ----------
    values, cov, draws
        As in :func:`family_wise_p`.

    Returns
    -------
    ndarray, shape (n_sys,)
        p of every template, whatever the others are; 0.0027 is "3 sigma".
    """
    variances = np.diagonal(cov[None] if draws is None else draws, axis1=1, axis2=2)
    return np.mean(2.0 * norm.sf(np.abs(values) / np.sqrt(variances)), axis=0)
