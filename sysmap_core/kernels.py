r"""Covariance matrices of pixels as operators, and linear systems with them.

A covariance between pixels of a cut sky is written :math:`C = L^t (Y X Y^t) L + B`: harmonic
transforms Y, a matrix of spectra X for each multipole, and matrices L and B in every pixel.  One
product takes two transforms for each map, whatever the number of pixels, and nothing of the
size of a pixel matrix is ever made.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import ducc0
import healpy as hp
import numpy as np

MAX_STEPS = 500
_DEPENDENT = 1e-12
_DIGITS = 12


def default_lmax(nside: int) -> int:
    """Band limit of a HEALPix map.

    Parameters
    ----------
    nside : int
        Resolution.

    Returns
    -------
    int
        3 nside - 1.
    """
    return 3 * nside - 1


class Content:
    """Arrays as a key of a cache: equal where their values are.

    Parameters
    ----------
    *arrays : ndarray
        Arrays.
    """

    def __init__(self, *arrays: np.ndarray):
        self.arrays = arrays

    def __hash__(self):
        return hash(tuple(array.tobytes() for array in self.arrays))

    def __eq__(self, other):
        return all(np.array_equal(one, two) for one, two in zip(self.arrays, other.arrays, strict=True))


def coverage_pattern(expected: np.ndarray) -> np.ndarray:
    """Expected counts relative to their mean.

    Parameters
    ----------
    expected : ndarray, shape (n_pix,)
        Expected counts.

    Returns
    -------
    ndarray, shape (n_pix,)
        The same for all realisations of a sample, down to the last digit: rounding is cut off.
    """
    return np.round(expected / np.mean(expected), _DIGITS)


class Transforms:
    """Spherical harmonic transforms of maps on a footprint.

    Parameters
    ----------
    pixels : ndarray of int, shape (n_pix,)
        HEALPix indices, RING.
    nside : int
        Resolution.
    lmax : int
        Band limit.
    """

    def __init__(self, pixels: np.ndarray, nside: int, lmax: int):
        rings = ducc0.healpix.Healpix_Base(nside, "RING").sht_info()
        start = rings["ringstart"].astype(np.int64)
        # rings that the footprint does not touch would cost as much as the others
        used, ring = np.unique(np.searchsorted(start, pixels, side="right") - 1, return_inverse=True)
        length = rings["nphi"][used]
        packed = np.cumsum(length).astype(np.int64) - length.astype(np.int64)
        self._inside, self._size = pixels + (packed - start[used])[ring], int(length.sum())
        self._geometry = {
            "theta": rings["theta"][used],
            "nphi": length,
            "phi0": rings["phi0"][used],
            "ringstart": packed.astype(np.uint64),
            "lmax": lmax,
            "spin": 0,
            "nthreads": 0,
        }
        self.lmax = lmax

    @cached_property
    def ell(self) -> np.ndarray:
        """Multipole of every coefficient, shape (n_alm,)."""
        return hp.Alm.getlm(self.lmax)[0]

    def analyse(self, values: np.ndarray) -> np.ndarray:
        """Sums over pixels of maps times spherical harmonics, shapes (..., n_pix) to (..., n_alm)."""
        flat = values.reshape(-1, values.shape[-1])
        maps = np.zeros((len(flat), 1, self._size))
        maps[:, 0, self._inside] = flat
        alms = ducc0.sht.adjoint_synthesis(map=maps, **self._geometry)
        return alms.reshape(*values.shape[:-1], -1)

    def synthesise(self, alms: np.ndarray) -> np.ndarray:
        """Maps on the footprint from their coefficients, shapes (..., n_alm) to (..., n_pix)."""
        maps = ducc0.sht.synthesis(alm=alms.reshape(-1, 1, alms.shape[-1]), **self._geometry)
        return maps[:, 0, self._inside].reshape(*alms.shape[:-1], -1)


def cross_spectra(alms1: np.ndarray, alms2: np.ndarray) -> np.ndarray:
    """Cross spectra of all pairs of two sets of maps.

    Parameters
    ----------
    alms1, alms2 : ndarray of complex, shapes (n1, n_alm) and (n2, n_alm)
        Harmonic coefficients of real maps.

    Returns
    -------
    ndarray, shape (n1, n2, lmax + 1)
        Spectra [sr].
    """
    lmax = hp.Alm.getlmax(alms1.shape[-1])
    order = np.argsort(hp.Alm.getlm(lmax)[0], kind="stable")
    # real and imaginary parts of one multipole side by side: its spectra are one product of matrices
    rows1 = np.take(alms1, order, axis=-1).view(float)
    rows2 = rows1 if alms2 is alms1 else np.take(alms2, order, axis=-1).view(float)
    found = np.empty((len(alms1), len(alms2), lmax + 1))
    for ell in range(lmax + 1):
        part = slice(ell * (ell + 1), (ell + 1) * (ell + 2))
        both_signs = 2.0 * rows1[:, part] @ rows2[:, part].T
        found[..., ell] = (both_signs - np.outer(alms1[:, ell].real, alms2[:, ell].real)) / (2 * ell + 1)
    return found


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
    pixels : ndarray of int, shape (n_pix,)
        HEALPix indices, RING.
    nside : int
        Resolution.

    Notes
    -----
    Arrays of quantities have shape (n, k, n_pix).
    """

    def __init__(self, spectra, mixing, local, pixels, nside):
        self.mixing, self.local = mixing, local
        self._fine = Transforms(pixels, nside, len(spectra) - 1)
        self._spectra = spectra[self._fine.ell].transpose(1, 2, 0)
        self._set_preconditioner(spectra, pixels, nside)

    def _set_preconditioner(self, spectra, pixels, nside, coarse=2.0):
        area = hp.nside2pixarea(nside)
        self._inverse = _pixel_inverse(self.mixing)
        noise = np.einsum("jip,jkp,klp->il", self._inverse, self.local, self._inverse) / self.local.shape[-1]
        self._coarse = Transforms(pixels, nside, int(coarse * nside))
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
