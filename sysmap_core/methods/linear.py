"""Linear regressions of the overdensity on the templates, and on polynomials of them."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np

from ..errors import ParameterError
from ..sky import Field, spatial_patches
from ..templates import TemplateSet

N_ALPHAS = 100
"""Penalties that the cross-validation tries."""

SMALLEST_ALPHA = 1e-3
"""The last of them, relative to the first, which is the smallest that leaves no amplitude."""

CHOICE_TOLERANCE, TOLERANCE = 1e-4, 1e-9
"""Duality gaps, relative to the squares of the data, at which the penalty is chosen, and the fit with it ends."""

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
    from sklearn.exceptions import ConvergenceWarning

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
        from sklearn.linear_model import enet_path

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
    from sklearn.model_selection import GroupKFold

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
