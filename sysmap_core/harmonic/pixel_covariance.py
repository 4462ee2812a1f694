r"""Covariance matrices of pixels as operators, and linear systems with them.

A covariance between pixels of a cut sky is written :math:`C = L^t (Y X Y^t) L + B`: harmonic
transforms Y, a matrix of spectra X for each multipole, and matrices L and B in every pixel.  One
product takes two transforms for each map, whatever the number of pixels, and nothing of the
size of a pixel matrix is ever made.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..sky import Footprint
from .transforms import Transforms

MAX_STEPS = 500

_DEPENDENT = 1e-12


class PixelCovariance:
    r"""Covariance of k quantities in every pixel, :math:`C = L^t (Y X Y^t) L + B`.

    Parameters
    ----------
    spectra : ndarray, shape (lmax + 1, k, k)
        Positive matrix X of every multipole [sr]; beyond 3 nside pixels fold it back.
    mixing : ndarray, shape (k, k, n_pix)
        L, upper triangular, from the quantities to the fields with these spectra.
    local : ndarray, shape (k, k, n_pix)
        B, positive, the part without correlations between pixels.
    footprint : Footprint
        Pixels.

    Notes
    -----
    Arrays of quantities have shape (n, k, n_pix).
    """

    def __init__(self, spectra, mixing, local, footprint: Footprint):
        self.mixing, self.local = mixing, local
        self._fine = Transforms.of(footprint, len(spectra) - 1)
        self._spectra = spectra[self._fine.ell].transpose(1, 2, 0)
        self._set_preconditioner(spectra, footprint)

    def _set_preconditioner(self, spectra, footprint, coarse=2.0):
        area = footprint.pixel_area
        self._inverse = _pixel_inverse(self.mixing)
        noise = np.einsum("jip,jkp,klp->il", self._inverse, self.local, self._inverse) / self.local.shape[-1]
        self._coarse = Transforms.of(footprint, int(coarse * footprint.nside))
        inverse = np.linalg.inv(spectra / area + noise)
        # the smallest scales that are transformed stand for all smaller ones
        self._flat = inverse[self._coarse.lmax]
        self._correction = ((inverse - self._flat) * area)[self._coarse.ell].transpose(1, 2, 0)

    def apply(self, values: np.ndarray) -> np.ndarray:
        """Product with the matrix."""
        fields = _in_pixels(self.mixing, values)
        correlated = _harmonic(self._fine, self._spectra, fields)
        return _in_pixels(self.mixing.swapaxes(0, 1), correlated) + _in_pixels(self.local, values)

    def precondition(self, values: np.ndarray) -> np.ndarray:
        """Product with the inverse that the matrix would have on the whole sky, evenly covered."""
        fields = _in_pixels(self._inverse.swapaxes(0, 1), values)
        solved = _harmonic(self._coarse, self._correction, fields) + np.einsum("ij,njp->nip", self._flat, fields)
        return _in_pixels(self._inverse, solved)


def _in_pixels(matrices, values):
    out = np.empty_like(values)
    for i, row in enumerate(matrices):
        np.multiply(row[0], values[:, 0], out=out[:, i])
        for element, value in zip(row[1:], values.swapaxes(0, 1)[1:], strict=True):
            out[:, i] += element * value
    return out


def _harmonic(transforms, spectra, fields):
    return transforms.synthesise(_in_pixels(spectra, transforms.analyse(fields)))


def _pixel_inverse(matrices):
    return np.linalg.inv(matrices.transpose(2, 0, 1)).transpose(1, 2, 0)


@dataclass(frozen=True)
class Solution:
    """Solutions of linear systems with a covariance matrix.

    Parameters
    ----------
    values : ndarray, shape (n, k, n_pix)
        One solution W for each right-hand side.
    products : ndarray, shape (n, k, n_pix)
        C W, which differs from the right-hand sides by what is left of them.
    steps : int
        Conjugate gradient steps.
    residual : float
        Largest norm of what is left, relative to that of the right-hand side, both in the
        metric of the preconditioner.
    converged : bool
        Whether it is below the tolerance.
    """

    values: np.ndarray
    products: np.ndarray
    steps: int
    residual: float
    converged: bool


def solve(
    matrix: PixelCovariance,
    sources: np.ndarray,
    *,
    tolerance: float,
    start: np.ndarray | None = None,
    max_steps: int = MAX_STEPS,
) -> Solution:
    """Solve systems with a covariance matrix, all right-hand sides together.

    Parameters
    ----------
    matrix : PixelCovariance
        The matrix.
    sources : ndarray, shape (n, k, n_pix)
        Right-hand sides.
    tolerance : float
        Relative residual to stop at.
    start : ndarray, shape (n, k, n_pix), optional
        Where to start; zero by default.
    max_steps : int
        Where to give up.

    Returns
    -------
    Solution
        With ``converged`` false when ``max_steps`` did not suffice.

    Notes
    -----
    Preconditioned block conjugate gradients (O'Leary 1980, Linear Algebra Appl. 29, 293): every
    solution is sought in the directions of all, which halves the steps.  Directions that
    become dependent are left out.
    """
    values = np.zeros_like(sources) if start is None else start.copy()
    left = sources.copy() if start is None else sources - matrix.apply(values)
    seen = matrix.precondition(left)
    scale = _squares(sources, seen if start is None else matrix.precondition(sources))
    directions, steps = seen, 0
    residual = _relative(left, seen, scale)
    while residual > tolerance and steps < max_steps:
        images = matrix.apply(directions)
        metric = _dots(directions, images)
        if not np.all(np.diag(metric) > 0.0):
            break  # rounding has made the matrix or its approximate inverse indefinite: no further from here
        gain = _solve_dependent(metric, _dots(directions, left))
        values += _combine(gain, directions)
        left -= _combine(gain, images)
        seen = matrix.precondition(left)
        directions = seen - _combine(_solve_dependent(metric, _dots(images, seen)), directions)
        steps, residual = steps + 1, _relative(left, seen, scale)
    return Solution(values, sources - left, steps, residual, bool(residual <= tolerance))


def _dots(one, other):
    return one.reshape(len(one), -1) @ other.reshape(len(other), -1).T


def _combine(coefficients, rows):
    return (coefficients.T @ rows.reshape(len(rows), -1)).reshape(-1, *rows.shape[1:])


def _squares(one, other):
    return np.einsum("nkp,nkp->n", one, other)


def _relative(left, seen, scale):
    return float(np.sqrt(np.max(np.abs(_squares(left, seen)) / scale)))


def _solve_dependent(metric, right):
    """Solution of a system whose matrix may be singular to rounding."""
    norm = 1.0 / np.sqrt(np.diag(metric))
    size, axes = np.linalg.eigh(metric * np.outer(norm, norm))
    kept = axes[:, size > _DEPENDENT * size[-1]] / np.sqrt(size[size > _DEPENDENT * size[-1]])
    return norm[:, None] * (kept @ (kept.T @ (norm[:, None] * right)))
