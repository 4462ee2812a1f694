"""Moments of a pixel of weighted galaxies whose coverage was counted."""

import numpy as np
import pytest
from skies import one_pixel_moments

from sysmap_core.covariance.lognormal_moments import PixelMoments
from sysmap_core.sky.counts import CountNoise


def test_known_coverage():
    q, density, nbar = np.array([0.9, 1.0, 1.2]), np.array([1.1, 1.0, 0.8]), np.array([20.0, 30.0, 40.0])
    moments = PixelMoments(0.09, CountNoise.poisson(nbar), density, q)
    found = moments.second(), moments.third(), moments.fourth()
    for one, wanted in zip(found, one_pixel_moments(0.09, q, density, nbar), strict=True):
        np.testing.assert_allclose(one, wanted, rtol=1e-10)


@pytest.mark.parametrize(("nbar", "randoms"), [(8.0, 400.0), (8.0, 40.0), (8.0, 16.0), (30.0, 60.0)])
def test_counted_coverage(nbar, randoms):
    """Against draws of coverage, field and counts."""
    rng, n, sigma2, density, q = np.random.default_rng(0), 2_000_000, 0.09, 1.2, 0.9
    width = np.sqrt(np.log1p(sigma2))
    delta = np.expm1(width * rng.standard_normal(n) - width**2 / 2)
    coverage = rng.gamma(randoms, 1.0 / randoms, n)
    e = rng.poisson(nbar * coverage * (density + q * delta)) / nbar - density
    noise = CountNoise(np.array([1.0 / nbar]), np.array([1.0 / randoms]))
    moments = PixelMoments(sigma2, noise, np.array([density]), np.array([q]))
    found = [moments.second(), moments.third(), moments.fourth()]
    for power, one in zip((2, 3, 4), found, strict=True):
        sample = e**power
        assert one[0] == pytest.approx(sample.mean(), abs=4 * sample.std() / np.sqrt(n))


def test_spread_of_squares_is_one_for_what_is_modelled():
    """And more for a field with a longer tail of the same variance; 100 000 pixels know it to some per cent."""
    rng, n, sigma2 = np.random.default_rng(1), 100_000, 0.09
    moments = PixelMoments(sigma2, CountNoise.poisson(np.full(n, 30.0)), np.ones(n), np.ones(n))

    def spread(shift):
        width = np.sqrt(np.log1p(sigma2 / shift**2))
        delta = shift * np.expm1(width * rng.standard_normal(n) - width**2 / 2)
        return moments.measured_spread(rng.poisson(30.0 * np.maximum(1.0 + delta, 0.0)) / 30.0 - 1.0)

    assert spread(1.0) == pytest.approx(1.0, abs=0.06)
    assert spread(0.5) > 1.3
    assert spread(3.0) < 0.9
