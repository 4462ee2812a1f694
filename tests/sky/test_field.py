"""Pixels, footprint and overdensity."""

import healpy as hp
import numpy as np
import pytest

from sysmap_core.errors import DataError
from sysmap_core.sky.counts import Counts
from sysmap_core.sky.field import Field, footprint, overdensity

NSIDE = 8

NPIX = hp.nside2npix(NSIDE)


def test_footprint_is_relative_to_well_covered_pixels():
    coverage = np.zeros(NPIX)
    coverage[:50] = 100
    coverage[[3, 5, 7]] = (100, 10, 9.9)
    np.testing.assert_array_equal(footprint(coverage), np.delete(np.arange(50), 7))
    np.testing.assert_array_equal(footprint(coverage, 0.05), np.arange(50))


@pytest.mark.parametrize("missing", [0.0, np.nan, hp.UNSEEN, np.float32(hp.UNSEEN)])
def test_deep_fields_do_not_shrink_the_footprint(missing):
    """A few pixels of a hundred times the coverage, or one of duplicated randoms, with nothing elsewhere."""
    coverage = np.full(NPIX, missing, np.asarray(missing).dtype)
    inside = np.arange(100, 600)
    coverage[inside] = np.random.default_rng(0).poisson(50, 500)
    wide = footprint(coverage)
    np.testing.assert_array_equal(wide, inside)
    coverage[inside[:20]] *= 100
    np.testing.assert_array_equal(footprint(coverage), wide)


def test_masked_pixels_are_not_covered():
    coverage = np.ma.array(np.ones(NPIX), mask=np.arange(NPIX) < 700)
    np.testing.assert_array_equal(footprint(coverage), np.arange(700, NPIX))


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
    field = overdensity(Counts.known(7 * coverage), coverage, np.arange(NPIX))
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


@pytest.fixture
def uneven():
    rng = np.random.default_rng(2)
    coverage = rng.uniform(0.2, 1, NPIX)
    return overdensity(rng.poisson(30 * coverage).astype(float), coverage, np.arange(50, 500))


def test_blank_field():
    field = Field.blank(np.array([4, 9]), NSIDE, 30)
    assert (field.n_pix, field.n_galaxies, field.nside) == (2, 60.0, NSIDE)
    assert not field.delta.any()


def test_contrast_is_relative_to_the_mean_of_the_counts(uneven):
    np.testing.assert_allclose(uneven.contrast(5 * (1 + uneven.delta)), uneven.delta, atol=1e-14)
    assert np.average(uneven.contrast(np.arange(450.0)), weights=uneven.expected) == pytest.approx(0, abs=1e-12)


def test_restricted_field_is_that_of_the_part(uneven):
    kept = uneven.pixels[::-3]
    galaxies = uneven.full_sky((1 + uneven.delta) * uneven.expected, 0.0)
    wanted = overdensity(galaxies, Counts.known(uneven.full_sky(uneven.expected, 0.0)), kept)
    part = uneven.restricted(kept)
    np.testing.assert_array_equal(part.pixels, kept)
    np.testing.assert_allclose(part.delta, wanted.delta, atol=1e-14)
    np.testing.assert_allclose(part.expected, wanted.expected, rtol=1e-14)
    assert part.nside == NSIDE


def test_restricted_field_keeps_the_noise_of_its_counts():
    rng = np.random.default_rng(3)
    weights, randoms = rng.uniform(1, 4, NPIX), rng.poisson(50, NPIX).astype(float)
    galaxies = Counts(10 * weights, 10 * weights**2)
    whole = overdensity(galaxies, randoms, np.arange(NPIX))
    part = whole.restricted(np.arange(0, NPIX, 2))
    np.testing.assert_allclose(part.noise.coverage, whole.noise.coverage[::2])
    np.testing.assert_allclose(part.noise.galaxies * part.expected, (whole.noise.galaxies * whole.expected)[::2])


def test_pixels_without_coverage_are_refused():
    with pytest.raises(DataError, match=r"1 of 2 pixels of the footprint are not covered: take the pixels of footpri"):
        overdensity(np.ones(NPIX), np.arange(NPIX) / NPIX, np.array([0, 9]))


def test_restriction_to_strange_pixels(uneven):
    with pytest.raises(DataError, match="1 of 2 pixels are not among the 450 of the footprint"):
        uneven.restricted(np.array([49, 50]))
    with pytest.raises(DataError, match="0 of 0 pixels are not among the 450 of the footprint"):
        uneven.restricted(np.array([], int))


def test_restriction_to_no_galaxies():
    field = overdensity(np.arange(NPIX, dtype=float), np.ones(NPIX), np.arange(9))
    with pytest.raises(DataError, match="the 1 pixels that are kept hold no galaxy: keep more of the 9"):
        field.restricted(np.array([0]))


def test_pattern_of_the_coverage_is_that_of_all_realisations(uneven):
    """Down to the last digit: what is remembered for it is found again."""
    for scale in (3.0, 0.1, 1.0 / 7.0):
        scaled = Field(uneven.delta, scale * uneven.expected, uneven.footprint)
        assert scaled.pattern.tobytes() == uneven.pattern.tobytes()
    assert uneven.pattern.mean() == pytest.approx(1.0)
