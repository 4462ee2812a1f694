"""Maxima of a likelihood: whitened templates, and Newton steps that stay off the pole."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .errors import DataError, unknown_name
from .pixels import PixelSums

DEGENERATE = 1e-6
"""Eigenvalues of the template covariance below this, relative to the largest, are degenerate."""

MAX_STEPS = 60


def principal_axes(templates: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues and eigenvectors of the covariance of templates.

    Parameters
    ----------
    templates : ndarray, shape (n_sys, n_pix)
        Templates with zero mean.

    Returns
    -------
    eigenvalues : ndarray, shape (n_sys,)
        In increasing order.
    vectors : ndarray, shape (n_sys, n_sys)
        One eigenvector per column.
    """
    return np.linalg.eigh(templates @ templates.T / templates.shape[1])


def check_independent(templates: np.ndarray, names: tuple[str, ...]) -> None:
    """Stop when templates are linear combinations of each other.

    Parameters
    ----------
    templates : ndarray, shape (n_sys, n_pix)
        Templates with zero mean.
    names : tuple of str
        Their names.

    Raises
    ------
    DataError
        Naming those that are involved.
    """
    if len(templates) == 0:
        return
    eigenvalues, vectors = principal_axes(templates)
    weak = eigenvalues < DEGENERATE * eigenvalues[-1]
    if weak.any():
        involved = np.flatnonzero((np.abs(vectors[:, weak]) > 0.05).any(1))
        listed = ", ".join(names[i] for i in involved)
        msg = f"templates {listed} are linear combinations of each other: leave one of them out"
        raise DataError(msg)


def whiten(templates: np.ndarray, names: tuple[str, ...], degenerate: str = "error") -> tuple[np.ndarray, np.ndarray]:
    """Rotate and scale templates so that they are uncorrelated with unit rms.

    Parameters
    ----------
    templates : ndarray, shape (n_sys, n_pix)
        Templates.
    names : tuple of str
        Their names, for the error.
    degenerate : {"error", "project"}
        What to do with linear combinations that vanish: stop, or leave them out.

    Returns
    -------
    basis : ndarray, shape (n_sys, n_kept)
        Amplitudes of the templates are ``basis @ x``, x those of the whitened ones.
    white : ndarray, shape (n_kept, n_pix)
        Whitened templates.

    Raises
    ------
    DataError
        When templates are linear combinations of each other, and are not to be projected.
    ParameterError
        When ``degenerate`` is another word.

    Notes
    -----
    The rotation of Berlfein et al. (2024), appendix A, with a scale.
    """
    if degenerate not in ("error", "project"):
        raise unknown_name("treatment of degenerate templates", degenerate, ("error", "project"))
    if len(templates) == 0:
        return np.zeros((0, 0)), templates
    if degenerate == "error":
        check_independent(templates, names)
    eigenvalues, vectors = principal_axes(templates)
    weak = eigenvalues < DEGENERATE * eigenvalues[-1]
    basis = vectors[:, ~weak] / np.sqrt(eigenvalues[~weak])
    return basis, basis.T @ templates


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
