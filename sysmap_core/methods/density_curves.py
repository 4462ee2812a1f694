"""Density of galaxies against the value of a template: bins, and polynomials through them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.polynomial.legendre import legvander

from ..sky import Field
from .linear import _BLOCK

TAIL, MIN_TAIL = 0.002, 20
"""Pixels beyond the well-populated range of a template, on each side: a share, and at least a number."""


@dataclass(frozen=True)
class Polynomials:
    """Polynomials of one template, orthonormal on its pixels, and constant outside of a range.

    Parameters
    ----------
    low, high : float
        The range [1].
    coefficients : ndarray, shape (order + 1, order + 1)
        Of Legendre polynomials on the range; a row of zeros is one that the pixels cannot tell from the others.
    """

    low: float
    high: float
    coefficients: np.ndarray

    @classmethod
    def on(cls, t: np.ndarray, low: float, high: float, order: int) -> Polynomials:
        """Polynomials up to an order, of the template values ``t`` of shape (n_pix,)."""
        legendre = cls(low, high, np.eye(order + 1))(t)
        gram = legendre @ legendre.T / t.size
        coefficients = np.zeros_like(gram)
        # a template of two values has a line and no cubic
        size = next(n for n in range(order + 1, 0, -1) if np.linalg.cond(gram[:n, :n]) < 1e12)
        coefficients[:size, :size] = np.linalg.inv(np.linalg.cholesky(gram[:size, :size]))
        return cls(low, high, coefficients)

    def __call__(self, t: np.ndarray) -> np.ndarray:
        """Values at template values ``t`` of shape (n,); shape (order + 1, n)."""
        width = self.high - self.low
        x = (2.0 * np.clip(t, self.low, self.high) - self.low - self.high) / (width if width > 0 else 1.0)
        return self.coefficients @ legvander(x, len(self.coefficients) - 1).T


def populated_range(t: np.ndarray) -> tuple[float, float]:
    """Range of a template ``t`` of shape (n_pix,) without its tails of few pixels, :data:`TAIL`."""
    beyond = max(int(TAIL * t.size), MIN_TAIL)
    ends = [beyond, t.size - 1 - beyond]
    low, high = np.partition(t, ends)[ends]
    return float(low), float(high)


def reweighted_fit(design: np.ndarray, field: Field, curve: np.ndarray) -> np.ndarray:
    r"""Least squares of the density, with the variances that a selection gives to the pixels.

    Parameters
    ----------
    design : ndarray, shape (n_terms, n_pix)
        What is fitted, the first row being a constant.
    field : Field
        Observed overdensity.
    curve : ndarray, shape (n_pix,)
        Selection F, positive [1].

    Returns
    -------
    ndarray, shape (n_terms,)
        Coefficients, relative to that of the constant.

    Notes
    -----
    :math:`V = \sigma^2 F^2 + F \nu + F^2 \rho`, with :math:`\sigma^2` from the residuals.
    """
    shot = field.noise.variance(curve)
    # no clustering, or less than can be seen, leaves the shot noise
    sigma2 = max(np.sum((1.0 + field.delta - curve) ** 2 - shot) / np.sum(curve**2), 0.0)
    weight = 1.0 / (sigma2 * curve**2 + shot)
    gram, products = np.zeros((len(design), len(design))), np.zeros(len(design))
    # in blocks, as a weighted copy of all would need the memory of all once more
    for start in range(0, curve.size, _BLOCK):
        part = slice(start, start + _BLOCK)
        weighted = design[:, part] * weight[part]
        gram += weighted @ design[:, part].T
        products += weighted @ (1.0 + field.delta[part])
    coefficients = np.linalg.lstsq(gram, products, rcond=1e-10)[0]
    return coefficients / coefficients[0]


def bin_starts(sorted_t: np.ndarray, n_bins: int) -> np.ndarray:
    """Where bins of equal occupancy start.

    Parameters
    ----------
    sorted_t : ndarray, shape (n_pix,)
        Template values, rising.
    n_bins : int
        Bins wanted; equal values stay together, so that there may be fewer.

    Returns
    -------
    ndarray of int, shape (n_bins,)
        First pixel of each bin; bins have two pixels or more.
    """
    n = sorted_t.size
    wanted = np.arange(1, n_bins) * n // n_bins
    left, right = (np.searchsorted(sorted_t, sorted_t[wanted], side) for side in ("left", "right"))
    starts = [0]
    for cut in np.unique(np.where(wanted - left <= right - wanted, left, right)):
        if cut - starts[-1] >= 2 and n - cut >= 2:
            starts.append(int(cut))
    return np.array(starts)


def binned_density(density: np.ndarray, share: np.ndarray, starts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean density of bins of pixels, and the variance of the mean from the scatter in the bin.

    Parameters
    ----------
    density : ndarray, shape (n_fields, n_pix)
        Counts over expected counts, the pixels of a bin side by side [1].
    share : ndarray, shape (n_pix,)
        Weight of each pixel in the mean of its bin, with sum one there.
    starts : ndarray of int, shape (n_bins,)
        First pixel of each bin; bins have two pixels or more.

    Returns
    -------
    mean, variance : ndarray, shape (n_fields, n_bins)
        Of every field in every bin.

    Notes
    -----
    Two passes: the difference of two mean squares has no digits left where the scatter is small.
    """
    size = np.diff(starts, append=share.size)
    mean = np.add.reduceat(density * share, starts, axis=1)
    scatter = (density - np.repeat(mean, size, axis=1)) * share
    return mean, np.add.reduceat(scatter**2, starts, axis=1) * (size / (size - 1.0))


@dataclass(frozen=True)
class TemplateBins:
    """Bins of one template, of equal numbers of pixels.

    Parameters
    ----------
    rank : ndarray of int, shape (n_pix,)
        Pixels in the order of their bins.
    share : ndarray, shape (n_pix,)
        Weight of each of them in the mean of its bin.
    starts : ndarray of int, shape (n_bins,)
        Where the bins start in that order.
    base : Polynomials
        Constant beyond the medians of the outermost bins.
    design : ndarray, shape (n_bins, order + 1)
        Their means over the pixels of each bin.
    """

    rank: np.ndarray
    share: np.ndarray
    starts: np.ndarray
    base: Polynomials
    design: np.ndarray

    @classmethod
    def of(cls, t: np.ndarray, expected: np.ndarray, n_bins: int, order: int) -> TemplateBins:
        """Bins of a template with expected counts, both of shape (n_pix,), and polynomials up to an order."""
        rank = np.argsort(t, kind="stable")
        ordered, weight = t[rank], expected[rank]
        starts = bin_starts(ordered, n_bins)
        share = weight / np.repeat(np.add.reduceat(weight, starts), np.diff(starts, append=t.size))
        # medians, as one pixel can move the mean of a bin far out
        outermost = np.split(ordered, starts[1:])
        low, high = (float(np.median(outermost[k])) for k in (0, -1))
        base = Polynomials.on(t, low, high, order)
        return cls(rank, share, starts, base, np.add.reduceat(base(ordered) * share, starts, axis=1).T)

    def measure(self, density: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and variance in the bins, (n_fields, n_bins), of densities of shape (n_fields, n_pix)."""
        return binned_density(density[:, self.rank], self.share, self.starts)

    def fit(self, mean: np.ndarray, variance: np.ndarray, order: int) -> tuple[np.ndarray, np.ndarray]:
        """Coefficients, (n_fields, order + 1), and Delta chi2 against a constant, (n_fields,)."""
        # the pixels of a small bin may agree by chance, and would rule the fit
        floor = 1e-3 * np.mean(variance, axis=1, keepdims=True) + np.finfo(float).tiny
        weight = 1.0 / np.maximum(variance, floor)
        design, share = self.design[:, : order + 1], weight / weight.sum(1, keepdims=True)
        gram = np.einsum("fk,ki,kj->fij", share, design, design)
        inverse = np.linalg.pinv(gram, rcond=1e-10, hermitian=True)
        coefficients = np.einsum("fij,kj,fk->fi", inverse, design, share * mean)
        constant = np.sum(share * mean, axis=1, keepdims=True)
        gain = (mean - constant) ** 2 - (mean - coefficients @ design.T) ** 2
        return coefficients, np.maximum(np.sum(weight * gain, axis=1), 0.0)
