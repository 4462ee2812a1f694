from itertools import pairwise

import healpy as hp
import numpy as np
import pytest

from sysmap_core.correction import pixel_pairs
from sysmap_core.correction.pixel_pairs import pixel_products
from sysmap_core.sky.footprints import Footprint
from sysmap_core.two_point.bins import angular_bins

NSIDE = 8

RNG = np.random.default_rng(0)

PIXELS = np.flatnonzero(np.abs(hp.pix2vec(NSIDE, np.arange(hp.nside2npix(NSIDE)))[2]) > 0.4)

VALUES, WEIGHTS = RNG.standard_normal((3, len(PIXELS))), RNG.uniform(0.2, 1.0, len(PIXELS))


def dense(edges):
    """All pairs, written out."""
    vectors = np.array(hp.pix2vec(NSIDE, PIXELS))
    theta = 60 * np.degrees(np.arccos(np.clip(vectors.T @ vectors, -1, 1)))
    np.fill_diagonal(theta, -1.0)
    maps = WEIGHTS * VALUES
    mean, separation = [], []
    for low, high in pairwise(edges):
        pairs = (theta >= low) & (theta < high)
        weight = WEIGHTS @ pairs @ WEIGHTS
        mean.append(maps @ pairs @ maps.T / weight)
        separation.append(WEIGHTS @ (pairs * theta) @ WEIGHTS / weight)
    return np.moveaxis(mean, 0, 2), np.array(separation)


@pytest.mark.parametrize("edges", [np.geomspace(450, 3000, 6), np.linspace(0, 10_700, 5)])
@pytest.mark.parametrize("pairs", [1, 20_000, 10**9])
def test_it_is_the_sum_over_all_pairs(edges, pairs, monkeypatch):
    """Whatever the size of the blocks, and up to nearly opposite points."""
    monkeypatch.setattr(pixel_pairs, "_PAIRS", pairs)
    mean, separation = pixel_products(VALUES, WEIGHTS, Footprint(PIXELS, NSIDE), angular_bins(edges))
    expected, expected_separation = dense(edges)
    np.testing.assert_allclose(mean, expected, atol=1e-10)
    np.testing.assert_allclose(separation, expected_separation, rtol=1e-6)


def test_bins_without_pairs_are_nan():
    mean, separation = pixel_products(VALUES, WEIGHTS, Footprint(PIXELS, NSIDE), angular_bins(np.geomspace(1, 100, 3)))
    assert np.isnan(mean).all()
    assert np.isnan(separation).all()


def test_pixels_without_weight_do_not_count():
    edges, off = np.geomspace(450, 3000, 4), np.arange(len(PIXELS)) < 100
    weights = np.where(off, 0.0, WEIGHTS)
    one, _ = pixel_products(np.where(off, 1e6, VALUES), weights, Footprint(PIXELS, NSIDE), angular_bins(edges))
    other, _ = pixel_products(VALUES[:, ~off], WEIGHTS[~off], Footprint(PIXELS[~off], NSIDE), angular_bins(edges))
    np.testing.assert_allclose(one, other, atol=1e-10)
