"""Linear regressions of the overdensity on the templates."""

from __future__ import annotations

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import ElasticNetCV
from sklearn.model_selection import GroupKFold

from .covariance import spatial_patches
from .sky import Field
from .templates import TemplateSet


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
    field: Field, templates: TemplateSet, *, l1_ratio: float = 0.5, n_folds: int = 5, n_patches: int = 50
) -> tuple[np.ndarray, dict]:
    """Elastic net with its penalty chosen by cross-validation over patches of the sky.

    Parameters
    ----------
    field : Field
        Observed overdensity.
    templates : TemplateSet
        Templates on the same pixels.
    l1_ratio : float
        Share of the L1 penalty, between 0 and 1.
    n_folds : int
        Folds of the cross-validation; each is a set of whole patches, as neighbouring pixels
        are correlated and would tell a fold what it is tested on.
    n_patches : int
        Patches that make up the folds.

    Returns
    -------
    a : ndarray, shape (n_sys,)
        Additive amplitudes, per rms of the template.
    details : dict
        ``alpha`` chosen, ``n_kept`` non-zero amplitudes, and ``status`` of the coordinate descent.

    References
    ----------
    Zou & Hastie (2005, J. R. Stat. Soc. B 67, 301).
    """
    patches = spatial_patches(field.pixels, field.nside, n_patches)
    folds = list(GroupKFold(n_folds).split(field.delta, groups=patches))
    net = ElasticNetCV(l1_ratio=l1_ratio, cv=folds, fit_intercept=False, max_iter=10_000)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        net.fit(templates.values.T, field.delta)
    status = "coordinate descent did not converge" if caught else "converged"
    return net.coef_, {"alpha": float(net.alpha_), "n_kept": int(np.sum(net.coef_ != 0)), "status": status}
