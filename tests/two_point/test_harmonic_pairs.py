from itertools import pairwise

import healpy as hp
import numpy as np
import pytest

from sysmap_core.sky.footprints import Footprint
from sysmap_core.two_point.bins import angular_bins
from sysmap_core.two_point.harmonic_pairs import bin_integrals, harmonic_cross_sums, harmonic_sums, resolved


def cap_pixels(nside, radius_deg):
    return hp.query_disc(nside, [0.3, 0.2, 0.9], np.radians(radius_deg))


def test_all_bins_together_hold_every_pair_once():
    """From 0 to 180 degrees nothing is cut, whatever the band limit."""
    pixels = cap_pixels(16, 50.0)
    values = np.random.default_rng(0).standard_normal((2, len(pixels)))
    whole = angular_bins([0.0, 10800.0])
    pairs = 0.5 * (values.sum(1) ** 2 - (values**2).sum(1))
    np.testing.assert_allclose(harmonic_sums(values, Footprint(pixels, 16), whole)[0][:, 0], pairs, rtol=1e-10)
    far = [60 * np.degrees(np.pi / 2), 10800.0]  # half of it, on a sky that has pairs there
    everywhere = np.arange(hp.nside2npix(4))
    ones = np.ones((1, len(everywhere)))
    near = [0.0, 60 * np.degrees(np.pi / 2)]
    halves = [harmonic_sums(ones, Footprint(everywhere, 4), angular_bins(edges))[0][0, 0] for edges in (near, far)]
    assert sum(halves) == pytest.approx(0.5 * len(everywhere) * (len(everywhere) - 1))


def test_cross_sums_follow_from_the_sums_of_combined_maps():
    pixels, rng = cap_pixels(16, 40.0), np.random.default_rng(0)
    one, other = rng.standard_normal((3, len(pixels))), rng.standard_normal((2, len(pixels)))
    bins = angular_bins([400.0, 900.0, 1400.0])
    found = harmonic_cross_sums(one, other, Footprint(pixels, 16), bins)
    for i, j in np.ndindex(3, 2):
        both = harmonic_sums(np.array([one[i] + other[j], one[i] - other[j]]), Footprint(pixels, 16), bins)[0]
        np.testing.assert_allclose(found[i, j], (both[0] - both[1]) / 4, rtol=0, atol=1e-11 * np.abs(both).max())


def test_wide_bins_equal_the_sum_over_pairs():
    """A smooth map, bins of eleven pixels: those pairs that the band limit moves across an edge hardly matter."""
    nside, pixels = 32, cap_pixels(32, 40.0)
    vectors = np.array(hp.pix2vec(nside, pixels)).T
    smooth = vectors @ [0.5, -1.0, 0.3] + (vectors @ [1.0, 1.0, 0.0]) ** 2
    smooth -= smooth.mean()
    edges = np.array([20.0, 40.0, 60.0]) * 60
    theta = 60 * np.degrees(np.arccos(np.clip(vectors @ vectors.T, -1, 1)))
    bins = [(theta >= low) & (theta < high) for low, high in pairwise(edges)]
    (sums, pairs), (_, mean) = harmonic_sums(
        np.array([smooth, np.ones_like(smooth)]), Footprint(pixels, nside), angular_bins(edges)
    )
    np.testing.assert_allclose(pairs, [0.5 * b.sum() for b in bins], rtol=0.005)
    np.testing.assert_allclose(mean, [theta[b].mean() for b in bins], rtol=0.001)
    w = [np.outer(smooth, smooth)[b].mean() for b in bins]
    np.testing.assert_allclose(sums / pairs, w, rtol=0, atol=0.002 * np.var(smooth))


@pytest.mark.parametrize(
    ("edges", "finite"),
    [
        (np.geomspace(60.0, 1500.0, 3), [True, True]),
        (np.linspace(20.0, 60.0, 2), [False]),  # a pixel is 110 arcmin wide
        (np.linspace(2000.0, 4000.0, 3), [False, False]),  # the cap is 1200 arcmin wide
        (np.linspace(0.0, 3000.0, 3), [True, False]),
    ],
)
def test_bins_that_hold_no_pairs_are_flagged(edges, finite):
    pixels = cap_pixels(32, 10.0)
    pairs = harmonic_sums(np.ones((1, len(pixels))), Footprint(pixels, 32), angular_bins(edges))[0][0]
    assert resolved(pairs, Footprint(pixels, 32), angular_bins(edges)).tolist() == finite


def test_integrals_of_legendre_polynomials():
    edges = np.array([0.0, 30.0, 400.0, 3000.0])
    x, ell = np.cos(np.radians(edges / 60)), np.arange(1, 201)
    table = np.polynomial.legendre.legvander(x, 201)
    # (2l + 1) P_l is the derivative of P_(l+1) - P_(l-1)
    primitive = (table[:, 2:] - table[:, :-2]) / (2 * ell + 1)
    integrals, angles = bin_integrals(tuple(edges), 200)
    np.testing.assert_allclose(integrals[:, 1:], primitive[:-1] - primitive[1:], rtol=0, atol=1e-13)
    np.testing.assert_allclose(integrals[:, 0], x[:-1] - x[1:], rtol=1e-11)
    theta = np.radians(edges / 60)
    exact = np.diff(np.sin(theta) - theta * np.cos(theta))
    np.testing.assert_allclose(angles[:, 0], 60 * np.degrees(exact), rtol=1e-9)
