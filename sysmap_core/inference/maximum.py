"""Maxima of a likelihood: whitened templates, and Newton steps that stay off the pole."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .pixel_likelihood import PixelSums

MAX_STEPS = 60


@dataclass(frozen=True)
class Mode:
    """Maximum of a likelihood, in its free parameters.

    Parameters
    ----------
    x : ndarray, shape (n_params,)
        Free parameters.
    lnl : float
        Log-likelihood.
    information : ndarray, shape (n_params, n_params)
        Minus the matrix of second derivatives.
    decrement : float
        Newton decrement: what another step would still gain in log-likelihood.
    efficiency : float
        Smallest selection efficiency over the pixels.
    steps : int
        Newton steps made.
    """

    x: np.ndarray
    lnl: float
    information: np.ndarray
    decrement: float
    efficiency: float
    steps: int


def find_mode(sums: PixelSums, x: np.ndarray) -> Mode:
    """Maximise a likelihood.

    Parameters
    ----------
    sums : PixelSums
        Likelihood.
    x : ndarray, shape (n_params,)
        Where to start, inside the allowed region.

    Returns
    -------
    Mode
        The best maximum found; a skewed likelihood is stationary at gamma = 0, so it starts on
        both sides of it.
    """
    if not sums.row.skewed:
        return _maximise(sums, x)
    starts = [np.concatenate([x[:-1], [gamma]]) for gamma in (1.5, -1.5)]
    return max((_maximise(sums, start) for start in starts), key=lambda mode: mode.lnl)


def find_mode_at(sums: PixelSums, x: np.ndarray) -> Mode:
    """Maximise a skewed likelihood at a given skewness.

    Parameters
    ----------
    sums : PixelSums
        Likelihood with a free ``gamma``.
    x : ndarray, shape (n_params,)
        Start; its last entry, ``gamma``, stays.

    Returns
    -------
    Mode
        Conditional maximum, with the information of the other parameters.
    """
    return _maximise(sums, x, n_move=len(x) - 1)


def _maximise(sums: PixelSums, x: np.ndarray, max_steps: int = MAX_STEPS, n_move: int | None = None) -> Mode:
    """Newton steps of the first parameters that never leave the region above the efficiency floor."""
    move = slice(n_move)
    lengths = 0.5 ** np.arange(16)
    steps = 0
    while True:
        lnl, gradient, hessian = sums.derivatives(x)
        gradient, hessian = gradient[move], hessian[move, move]
        eigenvalues, vectors = np.linalg.eigh(-hessian)
        # away from the maximum the curvature may have the wrong sign: its size is still a scale
        curvature = np.maximum(np.abs(eigenvalues), 1e-8 * np.abs(eigenvalues).max())
        direction = vectors @ (vectors.T @ gradient / curvature)
        decrement = 0.5 * gradient @ direction
        if decrement < 1e-10 or steps == max_steps:
            break
        step = np.zeros(len(x))
        step[move] = direction
        trial, _ = sums.values(x + lengths[:, None] * step)
        better = trial >= lnl + 1e-4 * lengths * 2.0 * decrement
        if not better.any():
            break
        x = x + lengths[np.argmax(better)] * step
        steps += 1
    information = (vectors * curvature) @ vectors.T
    return Mode(x, lnl, information, decrement, float(sums.values(x)[1][0]), steps)
