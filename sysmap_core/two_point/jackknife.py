"""Patches of the sky that galaxies, randoms and pixels share, and covariances from them."""

from __future__ import annotations

import numpy as np
import treecorr

from ..errors import DataError
from .points import Points, check_points

RESAMPLINGS = ("none", "jackknife", "bootstrap")

N_PATCHES = 40

N_BOOTSTRAP = 500

_PLACED = 20_000


def patch_centres(positions, n_patches: int = N_PATCHES, *, seed: int = 0) -> np.ndarray:
    """Centres of compact patches with about equal numbers of objects.

    Parameters
    ----------
    positions : tuple of ndarray, shape (n_obj,)
        RA and Dec of the randoms, or of the pixels [deg].
    n_patches : int
        Patches.
    seed : int
        Fixes where the search starts.

    Returns
    -------
    ndarray, shape (n_patches, 3)
        Unit vectors, from TreeCorr's k-means; galaxies, randoms and pixels share them.

    Raises
    ------
    DataError
        When there are fewer than two patches, or fewer than two objects for each.
    """
    points = check_points("positions", positions)
    if not 2 <= n_patches <= len(points) // 2:
        msg = f"n_patches is {n_patches} for {len(points)} positions: take 2 or more, with 2 or more positions each"
        raise DataError(msg)
    step = -(-len(points) // _PLACED)  # centres need no more objects than these
    some = Points(points.ra[::step], points.dec[::step])
    field = some.catalogue().getNField()
    _, centres = field.run_kmeans(n_patches, rng=np.random.default_rng(seed))
    return centres / np.linalg.norm(centres, axis=1)[:, None]


def patch_numbers(positions, centres: np.ndarray) -> np.ndarray:
    """Patch of every object: that with the nearest centre.

    Parameters
    ----------
    positions : tuple of ndarray, shape (n_obj,)
        RA and Dec [deg].
    centres : ndarray, shape (n_patches, 3)
        Unit vectors, as :func:`patch_centres` makes them.

    Returns
    -------
    ndarray of int, shape (n_obj,)
        Numbers from zero.
    """
    points = check_points("positions", positions)
    catalogue = treecorr.Catalog(ra=points.ra, dec=points.dec, ra_units="deg", dec_units="deg", patch_centers=centres)
    return np.zeros(len(points), int) if catalogue.patch is None else np.asarray(catalogue.patch, int)


def check_patches(patches: dict[str, np.ndarray]) -> int:
    """Number of patches, if every one of them holds objects of every kind.

    Parameters
    ----------
    patches : dict of str to ndarray of int
        Patch of every object, by what the objects are.

    Returns
    -------
    int
        Number of patches.

    Raises
    ------
    DataError
        When numbers are not whole, there is one patch only, or one holds none of the objects.
    """
    if any(p.dtype.kind not in "iu" or p.min() < 0 for p in patches.values()):
        msg = "patches are no whole numbers from 0: give the number of the patch of every object"
        raise DataError(msg)
    n_patches = 1 + max(int(np.max(p)) for p in patches.values())
    for what, numbers in patches.items():
        empty = np.flatnonzero(np.bincount(numbers, minlength=n_patches) == 0)
        if len(empty) or n_patches < 2:
            came = f"patch {empty[0]} of {n_patches} holds no {what}" if len(empty) else "there is one patch only"
            msg = f"{came}: number patches from 0 without gaps, and take as many as all hold objects, two or more"
            raise DataError(msg)
    return n_patches


def resampled(counts: list, resampling: str, estimate, empty: np.ndarray) -> np.ndarray:
    """Covariance of a statistic of pair counts over patches.

    Parameters
    ----------
    counts : list of treecorr.Corr2
        Counts with patches; the first draws the bootstrap.
    resampling : {"jackknife", "bootstrap"}
        What to do with the patches.
    estimate : callable
        From a list of such counts to the statistic, shape (n_theta,).
    empty : ndarray of bool, shape (n_theta,)
        Bins without a measurement; NaN in the result.

    Returns
    -------
    ndarray, shape (n_theta, n_theta)
        Covariance.

    Notes
    -----
    Pairs between patches are weighted as Mohammad & Percival (2022, MNRAS 514, 1289) recommend.
    """
    crossing = {"jackknife": "match", "bootstrap": "geom"}[resampling]
    cov = treecorr.estimate_multi_cov(
        counts, resampling, func=estimate, cross_patch_weight=crossing, num_bootstrap=N_BOOTSTRAP
    )
    cov[empty] = cov[:, empty] = np.nan
    return cov
