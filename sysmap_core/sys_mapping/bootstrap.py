"""Bootstrap and jackknife of any estimator, over plain arrays."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable

import numpy as np

from ..errors import DataError
from ..methods import check_number
from ..sky import check_nside, patch_members

FEW_PATCHES = 5
"""A jackknife over fewer patches is told to be noisy."""


def block_bootstrap_variance(
    delta_g_obs, delta_t, good_pixels, nside: int, estimator: Callable, n_bootstrap=100, n_patches=10, seed=0
) -> np.ndarray:
    """Variance of any estimator by the bootstrap over compact patches of the sky.

    Parameters
    ----------
    delta_g_obs, delta_t : ndarray, shapes (n_pix,) and (n_sys, n_pix)
        Observed overdensity and templates on the footprint [1].
    good_pixels : ndarray of bool, shape (12 nside^2,), or of int, shape (n_pix,)
        Footprint: a mask of the sky or HEALPix indices, RING.
    nside : int
        Resolution.
    estimator : callable
        From overdensity and templates of the drawn pixels to numbers, shape (n_params,).
    n_bootstrap, n_patches, seed : int
        Resamples, patches drawn in each, and what fixes the draws.

    Returns
    -------
    ndarray, shape (n_params,)
        Variances, unbiased for the number of patches as in :func:`block_bootstrap`.

    Raises
    ------
    ParameterError, DataError
        When there are fewer than two patches or resamples, or shapes differ.
    """
    parts = _patches_of_arrays(delta_g_obs, delta_t, good_pixels, nside, n_patches)
    check_number("n_bootstrap", n_bootstrap, 1)
    drawn = np.random.default_rng(seed).integers(n_patches, size=(n_bootstrap, n_patches))
    samples = _estimates(estimator, delta_g_obs, delta_t, ([parts[k] for k in row] for row in drawn))
    return samples.var(0, ddof=1) * n_patches / (n_patches - 1.0)


def jackknife_covariance(
    delta_g_obs, delta_t, good_pixels, nside: int, estimator: Callable, n_patches: int = 10
) -> np.ndarray:
    """Covariance of any estimator by leaving out compact patches of the sky.

    Parameters
    ----------
    delta_g_obs, delta_t, good_pixels, nside, estimator, n_patches
        As in :func:`block_bootstrap_variance`, with the same errors.

    Returns
    -------
    ndarray, shape (n_params, n_params)
        Covariance.

    Warns
    -----
    UserWarning
        For fewer than :data:`FEW_PATCHES` patches.
    """
    parts = _patches_of_arrays(delta_g_obs, delta_t, good_pixels, nside, n_patches)
    if n_patches < FEW_PATCHES:
        msg = f"n_patches={n_patches} is small, and the variance noisy: take {FEW_PATCHES} or more"
        warnings.warn(msg, UserWarning, stacklevel=2)
    kept = (parts[:k] + parts[k + 1 :] for k in range(n_patches))
    offset = _estimates(estimator, delta_g_obs, delta_t, kept)
    offset -= offset.mean(0)
    return (n_patches - 1.0) / n_patches * offset.T @ offset


def _patches_of_arrays(delta, values, good, nside: int, n_patches: int) -> list[np.ndarray]:
    check_number("n_patches", n_patches, 1)
    good = np.asarray(good)
    pixels = np.flatnonzero(good) if good.dtype == bool else good
    if np.shape(delta) != pixels.shape or np.ndim(values) != 2 or np.shape(values)[1] != len(pixels):
        came = f"delta_g_obs has shape {np.shape(delta)} and delta_t {np.shape(values)}"
        raise DataError(f"{came} for {len(pixels)} good pixels: give (n_pix,) and (n_sys, n_pix) on the footprint")
    return patch_members(pixels, check_nside(nside), n_patches)


def _estimates(estimator: Callable, delta, values, chosen: Iterable[list[np.ndarray]]) -> np.ndarray:
    delta, values = np.asarray(delta), np.asarray(values)
    picks = (np.concatenate(parts) for parts in chosen)
    return np.array([np.atleast_1d(estimator(delta[pick], values[:, pick])) for pick in picks], float)
