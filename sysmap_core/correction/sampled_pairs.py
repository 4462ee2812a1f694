"""Pairs of points on a footprint that are drawn instead of counted.

One end of a pair is an object or a random point, the other is drawn at a given separation from it.  Pairs
of a bin are so as many as wanted at every separation, also where a catalogue has next to none.
"""

from __future__ import annotations

from dataclasses import dataclass

import healpy as hp
import numpy as np

from ..errors import DataError
from ..sky import Footprint, scatter_galaxies

_BLOCK = 250_000


@dataclass(frozen=True)
class Starts:
    """First ends of the pairs.

    Parameters
    ----------
    points : ndarray, shape (n, 3)
        Unit vectors.
    place : ndarray of int, shape (n,)
        Position of their pixels in the footprint.
    coverage : ndarray, shape (n_pix,)
        Weight of a second end in every pixel.
    own : float
        What a point adds to the coverage of its pixel itself, as an object is no pair with itself.
    lookup : ndarray of int, shape (12 nside^2,)
        Position of every pixel in the footprint, -1 off it.
    """

    points: np.ndarray
    place: np.ndarray
    coverage: np.ndarray
    own: float
    lookup: np.ndarray


def start_points(
    footprint: Footprint, positions, coverage: np.ndarray | None, n_samples: int, rng: np.random.Generator
) -> Starts:
    """Choose the first ends of pairs.

    Parameters
    ----------
    footprint : Footprint
        Pixels.
    positions : tuple of ndarray, or None
        RA and Dec of objects [deg], each used about equally often; else points that follow the coverage and
        are uniform within a pixel.
    coverage : ndarray, shape (n_pix,), or None
        Expected counts of the pixels; counts of the objects where there are none.
    n_samples : int
        Pairs that will be drawn for a bin.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    Starts
        First ends.

    Raises
    ------
    DataError
        When there are neither objects nor a coverage, or an object is off the footprint.
    """
    pixels, nside = footprint.pixels, footprint.nside
    lookup = np.full(hp.nside2npix(nside), -1)
    lookup[pixels] = np.arange(len(pixels))
    if positions is None and coverage is None:
        msg = "neither positions nor coverage came: give the randoms, or the expected counts of the pixels"
        raise DataError(msg)
    if positions is None:
        counts = np.zeros(len(lookup), int)
        # a fixed share for every pixel, not a random one
        shares = np.floor(n_samples * np.cumsum(coverage) / coverage.sum())
        counts[pixels] = np.diff(shares, prepend=0.0).astype(int)
        drawn = scatter_galaxies(counts, nside, rng)
        ra, dec, rounds = drawn.ra, drawn.dec, 0
    else:
        ra, dec = (np.asarray(x, float) for x in positions)
        rounds = -(-n_samples // len(ra)) if len(ra) else 0
    place = lookup[hp.ang2pix(nside, ra, dec, lonlat=True)]
    outside = int(np.sum(place < 0))
    if outside or not len(ra):
        came = f"{outside} of {len(ra)} objects are off the footprint" if outside else "there is no object"
        msg = f"{came}: give objects on the pixels of the templates, and leave the others out"
        raise DataError(msg)
    own = 1.0 if coverage is None else 0.0
    if coverage is None:
        coverage = np.bincount(place, minlength=len(pixels)).astype(float)
    chosen = slice(None)
    if rounds:
        chosen = np.concatenate([rng.permutation(len(ra)) for _ in range(rounds)])[:n_samples]
    return Starts(hp.ang2vec(ra[chosen], dec[chosen], lonlat=True), place[chosen], coverage, own, lookup)


def sampled_products(
    values: np.ndarray, starts: Starts, edges_arcmin: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, float]:
    """Mean products of maps over pairs of points in one bin of separation.

    Parameters
    ----------
    values : ndarray, shape (n_maps, n_pix)
        Maps on the footprint.
    starts : Starts
        First ends of the pairs.
    edges_arcmin : ndarray, shape (2,)
        Edges of the bin [arcmin].
    rng : numpy.random.Generator
        Source of the second ends, which are spread evenly over the sky in the bin.

    Returns
    -------
    mean : ndarray, shape (n_maps, n_maps)
        Mean products, symmetric; NaN when no second end is on the footprint.
    error : ndarray, shape (n_maps, n_maps)
        Standard errors, upper bounds: pairs count as independent.
    separation : float
        Mean separation [arcmin].
    """
    far, near = np.cos(np.radians(np.asarray(edges_arcmin)[::-1] / 60.0))
    products, squares = (np.zeros((len(values), len(values))) for _ in range(2))
    total, total_squared, angle = 0.0, 0.0, 0.0
    for start in range(0, len(starts.points), _BLOCK):
        part = slice(start, start + _BLOCK)
        cosine = rng.uniform(far, near, len(starts.points[part]))
        first, second = starts.place[part], starts.lookup[_displaced(starts.points[part], cosine, starts.lookup, rng)]
        weight = np.where(second >= 0, starts.coverage[second] - starts.own * (second == first), 0.0)
        kept = weight > 0
        weight, one, other = weight[kept], values[:, first[kept]], values[:, second[kept]]
        products += (weight * one) @ other.T
        squares += (weight * one) ** 2 @ (other**2).T
        total, total_squared = total + weight.sum(), total_squared + np.sum(weight**2)
        angle += 60.0 * np.degrees(weight @ np.arccos(cosine[kept]))
    if not total > 0:
        return np.full_like(products, np.nan), np.zeros_like(products), np.nan
    mean = 0.5 * (products + products.T) / total
    # a product with its mirror image scatters at most as much as alone
    scatter = 0.5 * (squares + squares.T) - mean**2 * total_squared
    return mean, np.sqrt(np.maximum(scatter, 0.0)) / total, angle / total


def _displaced(points, cosine, lookup, rng):
    """Pixels of points at given separations from others, in random directions."""
    x, y, z = points.T
    level = np.hypot(x, y)
    with np.errstate(invalid="ignore", divide="ignore"):
        east = np.where(level > 0, np.stack([-y, x, np.zeros_like(z)]) / level, np.array([[0.0], [1.0], [0.0]]))
    north = np.cross(points, east.T).T
    angle, sine = rng.uniform(0.0, 2.0 * np.pi, len(points)), np.sqrt(1.0 - cosine**2)
    moved = cosine * points.T + sine * (np.cos(angle) * east + np.sin(angle) * north)
    return hp.vec2pix(hp.npix2nside(len(lookup)), *moved)
