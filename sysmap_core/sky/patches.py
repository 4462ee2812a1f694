"""Compact patches of a footprint."""

from __future__ import annotations

import healpy as hp
import numpy as np

from ..errors import DataError


def spatial_patches(pixels: np.ndarray, nside: int, n_patches: int) -> np.ndarray:
    """Compact patches of about equal numbers of pixels.

    Parameters
    ----------
    pixels : ndarray of int, shape (n_pix,)
        HEALPix indices, RING.
    nside : int
        Resolution.
    n_patches : int
        Number of patches.

    Returns
    -------
    ndarray of int, shape (n_pix,)
        Patch of every pixel: stretches of the NESTED curve, which are compact on the sky.

    Raises
    ------
    DataError
        When there are fewer pixels than patches.
    """
    if len(pixels) < n_patches:
        msg = f"{len(pixels)} pixels cannot make {n_patches} patches: take fewer patches or a finer nside"
        raise DataError(msg)
    rank = np.argsort(np.argsort(hp.ring2nest(nside, pixels)))
    return rank * n_patches // len(pixels)


def patch_members(pixels: np.ndarray, nside: int, n_patches: int) -> list[np.ndarray]:
    """Positions of the pixels of every patch."""
    patches = spatial_patches(pixels, nside, n_patches)
    return np.split(np.argsort(patches, kind="stable"), np.bincount(patches).cumsum()[:-1])
