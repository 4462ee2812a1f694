"""The contamination model, by the names of the package sys_mapping.

The model and its parameters live in :mod:`sysmap_core.inference`, from where they come.
"""

from __future__ import annotations

import numpy as np

from ..errors import DataError
from ..inference import apply_contamination, invert_contamination, n_free_params, pack_params, unpack_params

__all__ = [
    "apply_contamination",
    "compute_two_point_correction",
    "invert_contamination",
    "n_free_params",
    "pack_params",
    "summed_products",
    "unpack_params",
]


def compute_two_point_correction(
    w_obs: np.ndarray, a_sq: np.ndarray, b_sq: np.ndarray, template_correlations: np.ndarray
) -> np.ndarray:
    r"""Take the contamination out of a correlation function.

    Parameters
    ----------
    w_obs : ndarray, shape (n_theta,)
        Observed correlation function [1].
    a_sq, b_sq : ndarray, shape (n_sys,) or (n_sys, n_sys)
        Squares of the amplitudes, or matrices, as :func:`debias_params` gives them.
    template_correlations : ndarray, shape (n_sys, n_theta) or (n_sys, n_sys, n_theta)
        Correlations of the templates in the same bins [1]; matrices need those of all pairs.

    Returns
    -------
    ndarray, shape (n_theta,)
        :math:`[w_{obs} - \sum A_{ij} \xi_{ij}] / [1 + \sum B_{ij} \xi_{ij}]`, over i = j for squares.

    Raises
    ------
    DataError
        When shapes do not fit.

    Notes
    -----
    Berlfein et al. (2024), Eqs. 15 and 16.  Squares leave out the correlations of different templates, also of
    rotated ones, which vanish at zero separation only; matrices keep them.
    """
    w, xi = np.asarray(w_obs, float), np.asarray(template_correlations, float)
    additive, multiplicative = (summed_products(name, x, xi) for name, x in (("a_sq", a_sq), ("b_sq", b_sq)))
    if w.shape != additive.shape:
        msg = f"w_obs has shape {w.shape} and template_correlations {xi.shape}: give both in the same bins"
        raise DataError(msg)
    return (w - additive) / (1.0 + multiplicative)


def summed_products(name: str, products: np.ndarray, correlations: np.ndarray) -> np.ndarray:
    r"""Products of amplitudes times correlations of templates, summed.

    Parameters
    ----------
    name : str
        Of the products, for messages.
    products : ndarray, shape (n_sys,) or (n_sys, n_sys)
        Squares of amplitudes, or the products of all pairs.
    correlations : ndarray, shape (n_sys, n_theta) or (n_sys, n_sys, n_theta)
        Correlations of the templates; matrices need those of all pairs.

    Returns
    -------
    ndarray, shape (n_theta,)
        :math:`\sum_{ij} P_{ij} \xi_{ij}`, over i = j for squares.

    Raises
    ------
    DataError
        When shapes do not fit.
    """
    products = np.asarray(products, float)
    n_sys, full = len(products), correlations.ndim == 3
    if products.shape != (n_sys,) * products.ndim or correlations.shape[:-1] != (n_sys,) * (1 + full):
        came = f"{name} has shape {products.shape} and the templates {correlations.shape}"
        msg = f"{came}: the numbers of templates differ"
        raise DataError(msg)
    if products.ndim == 2 and not full:
        msg = f"{name} is a matrix and the correlations have shape {correlations.shape}: give those of all pairs"
        raise DataError(msg)
    if products.ndim == 2:
        return np.einsum("ij,ijt->t", products, correlations)
    return np.einsum("i,it->t", products, np.einsum("iit->it", correlations) if full else correlations)
