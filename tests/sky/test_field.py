"""Pixels, footprint and overdensity."""

import healpy as hp
import numpy as np
import pytest

from sysmap_core.errors import DataError
from sysmap_core.sky.field import footprint, overdensity

NSIDE = 8

NPIX = hp.nside2npix(NSIDE)


def test_footprint_is_relative_to_the_best_covered_pixel():
    coverage = np.zeros(NPIX)
    coverage[[3, 5, 7]] = (100, 10, 9.9)
    np.testing.assert_array_equal(footprint(coverage), [3, 5])
    np.testing.assert_array_equal(footprint(coverage, 0.05), [3, 5, 7])


def test_footprint_without_coverage():
    with pytest.raises(DataError, match="the coverage map is zero everywhere"):
        footprint(np.zeros(NPIX))


def test_overdensity_divides_by_what_is_expected():
    rng = np.random.default_rng(0)
    coverage = rng.uniform(0.2, 1, NPIX)
    counts = rng.poisson(30 * coverage).astype(float)
    pixels = np.arange(50, 500)
    field = overdensity(counts, coverage, pixels)
    np.testing.assert_allclose(field.expected * (1 + field.delta), counts[pixels])
    assert field.n_galaxies == pytest.approx(counts[pixels].sum())
    assert np.average(field.delta, weights=field.expected) == pytest.approx(0, abs=1e-12)
    assert (field.n_pix, field.nside, field.f_sky) == (450, NSIDE, 450 / NPIX)


def test_uneven_coverage_is_no_overdensity():
    coverage = np.random.default_rng(1).uniform(0.2, 1, NPIX)
    field = overdensity(7 * coverage, coverage, np.arange(NPIX))
    np.testing.assert_allclose(field.delta, 0, atol=1e-12)


def test_full_sky_is_unseen_off_the_footprint():
    field = overdensity(np.ones(NPIX), np.ones(NPIX), np.array([4, 9]))
    full = field.full_sky(np.array([1.0, 2.0]))
    np.testing.assert_array_equal(full[[4, 9]], [1, 2])
    assert (full == hp.UNSEEN).sum() == NPIX - 2
    assert field.full_sky(np.ones(2), fill=0.0).sum() == 2


def test_empty_overlap_of_galaxies_and_randoms():
    counts = np.zeros(NPIX)
    counts[0] = 5
    with pytest.raises(DataError, match="no galaxy of 5 lies on the 2 pixels of the footprint: empty overlap"):
        overdensity(counts, np.ones(NPIX), np.array([4, 9]))


def test_maps_of_two_resolutions():
    with pytest.raises(DataError, match="galaxies have 768 pixels and the coverage 3072: bring both to one nside"):
        overdensity(np.ones(NPIX), np.ones(4 * NPIX), np.array([4, 9]))
