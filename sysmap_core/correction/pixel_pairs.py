"""Sums over pairs of pixel centres, for all pairs of many maps at once."""

from __future__ import annotations

import healpy as hp
import numpy as np
from scipy.sparse import csr_array
from scipy.spatial import cKDTree

from ..sky import Footprint
from ..two_point import Bins

_PAIRS = 2_000_000


def pixel_products(
    values: np.ndarray, weights: np.ndarray, footprint: Footprint, bins: Bins
) -> tuple[np.ndarray, np.ndarray]:
    r"""Mean products of maps over pairs of different pixels.

    Parameters
    ----------
    values : ndarray, shape (n_maps, n_pix)
        Maps on the footprint.
    weights : ndarray, shape (n_pix,)
        Weight of every pixel.
    footprint : Footprint
        Pixels.
    bins : Bins
        Bins of separation.

    Returns
    -------
    mean : ndarray, shape (n_maps, n_maps, n_theta)
        :math:`\sum W_p W_q x_p y_q / \sum W_p W_q`, symmetric in the maps; NaN in bins without pairs.
    separation : ndarray, shape (n_theta,)
        Mean separation [arcmin]; NaN in bins without pairs.

    Notes
    -----
    Every pair is counted, and found once for all maps: a matrix of pairs for each bin stands between
    the maps, :math:`T N_k T^t`.
    """
    pixels, nside = footprint.pixels, footprint.nside
    vectors = np.array(hp.pix2vec(nside, pixels)).T
    tree, chords = cKDTree(vectors), 2.0 * np.sin(np.radians(bins.edges / 60.0) / 2.0)
    n_maps, n_theta = len(values), len(bins.edges) - 1
    maps = np.vstack([values, np.ones(len(pixels))]) * weights
    sums, angle = np.zeros((n_theta, n_maps + 1, n_maps + 1)), np.zeros(n_theta)
    within_reach = max(1.0, min(len(pixels), hp.nside2npix(nside) * chords[-1] ** 2 / 4.0))
    step = int(np.clip(_PAIRS / within_reach, 1, len(pixels)))
    for start in range(0, len(pixels), step):
        rows = slice(start, min(start + step, len(pixels)))
        first, second, k, chord = _pairs(vectors[rows], start, tree, chords)
        block = rows.stop - start
        counted = csr_array(
            (np.ones(len(k)), (k * block + first - start, second)), shape=(n_theta * block, len(pixels))
        )
        others = (counted @ maps.T).reshape(n_theta, block, -1)
        sums += maps[:, rows] @ others
        separation = 120.0 * np.degrees(np.arcsin(np.minimum(chord / 2.0, 1.0)))
        angle += np.bincount(k, weights=weights[first] * weights[second] * separation, minlength=n_theta)
    total = sums[:, -1, -1].copy()
    total[total == 0] = np.nan
    products = 0.5 * (sums + sums.swapaxes(1, 2))[:, :-1, :-1] / total[:, None, None]
    return products.transpose(1, 2, 0), angle / total


def _pairs(vectors, start: int, tree: cKDTree, chords):
    """Pairs of a block of pixels with those behind them: both indices, bin and chord."""
    found = cKDTree(vectors).sparse_distance_matrix(tree, chords[-1], output_type="ndarray")
    first, second, chord = found["i"] + start, found["j"], found["v"]
    k = np.searchsorted(chords, chord, side="right") - 1
    kept = (second > first) & (k >= 0) & (k < len(chords) - 1)
    return first[kept], second[kept], k[kept], chord[kept]
