"""Linear regressions of the overdensity on the templates, and on polynomials of them."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.polynomial.legendre import legvander
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import enet_path
from sklearn.model_selection import GroupKFold

from .covariance import spatial_patches
from .errors import ParameterError
from .sky import Field
from .templates import TemplateSet

N_ALPHAS = 100
"""Penalties that the cross-validation tries."""

SMALLEST_ALPHA = 1e-3
"""The last of them, relative to the first, which is the smallest that leaves no amplitude."""

CHOICE_TOLERANCE, TOLERANCE = 1e-4, 1e-9
"""Duality gaps, relative to the squares of the data, at which the penalty is chosen, and the fit with it ends."""

TAIL, MIN_TAIL = 0.002, 20
"""Pixels beyond the well-populated range of a template, on each side: a share, and at least a number."""

_MAX_ITER, _BLOCK = 10_000, 65_536


def least_squares(field: Field, templates: TemplateSet) -> np.ndarray:
    """Ordinary least squares.

    Parameters
    ----------
    field : Field
        Observed overdensity.
    templates : TemplateSet
        Templates on the same pixels.

    Returns
    -------
    ndarray, shape (n_sys,)
        Additive amplitudes, per rms of the template.
    """
    values = templates.values
    return np.linalg.solve(values @ values.T, values @ field.delta)


def elastic_net(
    field: Field,
    templates: TemplateSet,
    *,
    l1_ratio: float = 0.5,
    n_folds: int = 5,
    n_patches: int = 50,
    alpha: float | None = None,
) -> tuple[np.ndarray, dict]:
    """Elastic net with its penalty chosen by cross-validation over patches of the sky.

    Parameters
    ----------
    field : Field
        Observed overdensity.
    templates : TemplateSet
        Templates on the same pixels.
    l1_ratio : float
        Share of the L1 penalty, above 0 and up to 1.
    n_folds : int
        Folds of the cross-validation; each is a set of whole patches, as neighbouring pixels
        are correlated and would tell a fold what it is tested on.
    n_patches : int
        Patches that make up the folds.
    alpha : float, optional
        Penalty, in the convention of scikit-learn; without it, cross-validation chooses.

    Returns
    -------
    a : ndarray, shape (n_sys,)
        Additive amplitudes, per rms of the template.
    details : dict
        ``alpha`` of the fit, ``n_kept`` non-zero amplitudes, and ``status`` of the coordinate descent.

    Raises
    ------
    ParameterError
        When ``l1_ratio`` or ``alpha`` is out of range, or there are fewer patches than folds.

    References
    ----------
    Zou & Hastie (2005, J. R. Stat. Soc. B 67, 301).
    """
    _check_penalty(l1_ratio, alpha)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        if alpha is None:
            folds = _fold_products(field, templates, n_folds, n_patches)
            total = sum(folds[1:], folds[0])
            alphas, errors = _cross_validate(folds, total, l1_ratio)
            alpha = alphas[np.argmin(errors)]
        else:
            total = _products(templates.values, field.delta)
        a = total.path([alpha], l1_ratio, TOLERANCE)[:, 0]
    stuck = any(issubclass(warning.category, ConvergenceWarning) for warning in caught)
    status = "coordinate descent did not converge" if stuck else "converged"
    return a, {"alpha": float(alpha), "n_kept": int(np.sum(a != 0)), "status": status}


def penalty_path(
    field: Field, templates: TemplateSet, *, l1_ratio: float = 0.5, n_folds: int = 5, n_patches: int = 50
) -> tuple[np.ndarray, np.ndarray]:
    """Error of predictions of held-out patches, for every penalty of the elastic net.

    Parameters
    ----------
    field, templates, l1_ratio, n_folds, n_patches
        As in :func:`elastic_net`.

    Returns
    -------
    alphas : ndarray, shape (n_alphas,)
        Penalties, falling, in the convention of scikit-learn.
    errors : ndarray, shape (n_alphas,)
        Mean squared error, averaged over the folds [1].

    Raises
    ------
    ParameterError
        When ``l1_ratio`` is out of range, or there are fewer patches than folds.
    """
    _check_penalty(l1_ratio, None)
    folds = _fold_products(field, templates, n_folds, n_patches)
    return _cross_validate(folds, sum(folds[1:], folds[0]), l1_ratio)


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
    :math:`V = \sigma^2 F^2 + F / \bar n`, with :math:`\sigma^2` from the residuals.
    """
    shot = curve / field.expected
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


@dataclass(frozen=True)
class _Products:
    """Products of templates and data, summed over some pixels: all that a linear fit needs of them.

    ``matrix`` has shape (n_sys + 1, n_sys + 1); its last row and column belong to the data.
    """

    matrix: np.ndarray
    n_pix: int

    def __add__(self, other):
        return _Products(self.matrix + other.matrix, self.n_pix + other.n_pix)

    def __sub__(self, other):
        return _Products(self.matrix - other.matrix, self.n_pix - other.n_pix)

    def path(self, alphas, l1_ratio, tolerance):
        """Amplitudes for every penalty, shape (n_sys, n_alphas)."""
        # few rows with the same products as all the pixels are the same problem to scikit-learn,
        # but for the number of rows, by which it multiplies the penalty
        power, axes = np.linalg.eigh(self.matrix)
        rows = np.sqrt(np.maximum(power, 0.0))[:, None] * axes.T
        return enet_path(
            np.asfortranarray(rows[:, :-1]),
            np.ascontiguousarray(rows[:, -1]),
            l1_ratio=l1_ratio,
            alphas=np.asarray(alphas) * self.n_pix / len(rows),
            precompute=self.matrix[:-1, :-1].copy(),
            Xy=self.matrix[:-1, -1].copy(),
            tol=tolerance,
            max_iter=_MAX_ITER,
            check_input=False,
        )[1]

    def error(self, amplitudes):
        """Mean squared error of the data less the templates with these amplitudes, shape (n_alphas,)."""
        residual = np.vstack([amplitudes, np.full((1, amplitudes.shape[1]), -1.0)])
        return np.sum(residual * (self.matrix @ residual), axis=0) / self.n_pix


def _products(values, delta):
    crossed = (values @ delta)[:, None]
    return _Products(np.block([[values @ values.T, crossed], [crossed.T, delta @ delta]]), delta.size)


def _fold_products(field, templates, n_folds, n_patches):
    if not 2 <= n_folds <= n_patches:
        msg = f"n_folds is {n_folds} for {n_patches} patches: give 2 folds or more, and at least a patch for each"
        raise ParameterError(msg)
    if field.nside is None:
        patches = np.arange(field.n_pix) * n_patches // field.n_pix  # stretches: nothing is known of the sky
    else:
        patches = spatial_patches(field.pixels, field.nside, n_patches)
    # short integers are sorted several times faster
    patches = patches.astype(np.min_scalar_type(n_patches))
    held_out = (test for _, test in GroupKFold(n_folds).split(field.delta, groups=patches))
    return [_products(templates.values[:, test], field.delta[test]) for test in held_out]


def _cross_validate(folds, total, l1_ratio):
    # the smallest penalty that leaves no amplitude
    first = max(np.max(np.abs(total.matrix[:-1, -1])) / (total.n_pix * l1_ratio), np.finfo(float).resolution)
    alphas = np.geomspace(first, first * SMALLEST_ALPHA, N_ALPHAS)
    errors = [fold.error((total - fold).path(alphas, l1_ratio, CHOICE_TOLERANCE)) for fold in folds]
    return alphas, np.mean(errors, axis=0)


def _check_penalty(l1_ratio, alpha):
    if not 0.0 < l1_ratio <= 1.0:
        msg = f"l1_ratio is {l1_ratio!r}: give a share above 0 and up to 1"
        raise ParameterError(msg)
    if alpha is not None and not (np.isfinite(alpha) and alpha > 0.0):
        msg = f"alpha is {alpha!r}: give a positive penalty, none for cross-validation, or take least_squares"
        raise ParameterError(msg)
