"""Simulated surveys of positions: what is put in is counted again."""

from dataclasses import replace

import numpy as np
import pytest
from astropy.coordinates import SkyCoord

from sysmap_core.errors import ParameterError
from sysmap_core.mocks.galaxy_spectrum import clustering_sigma
from sysmap_core.mocks.surveys import mock_survey, with_satellites
from sysmap_core.sky.catalogues import Catalogue
from sysmap_core.sky.counts import Counts

NSIDE = 8


@pytest.fixture(scope="module")
def survey():
    return mock_survey(NSIDE, 0.3, finer=2)


def rngs(seed):
    return map(np.random.default_rng, np.random.SeedSequence(seed).spawn(2))


def test_spectrum_has_the_rms_that_was_asked_for(survey):
    assert clustering_sigma(survey.spectrum, NSIDE) == pytest.approx(0.3)
    assert len(survey.spectrum) == 3 * 2 * NSIDE


def test_footprint_is_what_is_covered(survey):
    assert survey.mask.size == 4 * survey.coverage.size
    np.testing.assert_array_equal(survey.pixels, np.flatnonzero(survey.coverage >= 0.1))
    assert len(mock_survey(NSIDE, 0.3, finer=4, min_coverage=0.9).pixels) < len(survey.pixels)


def test_galaxies_are_counted_on_the_footprint(survey):
    mock = survey.draw(50_000, *rngs(1))
    field = survey.counted(mock.galaxies)
    assert len(mock.galaxies) == pytest.approx(50_000, rel=0.2)
    np.testing.assert_array_equal(field.pixels, survey.pixels)
    truth = field.contrast(1 + mock.delta[field.pixels])
    assert np.corrcoef(truth, field.delta)[0, 1] > 0.9


def test_contamination_changes_the_counts_where_it_is(survey):
    step = np.where(np.arange(len(survey.pixels)) % 2, -0.5, 0.5)
    clean, dirty = (survey.counted(survey.draw(4e5, *rngs(2), additive=a).galaxies) for a in (None, step))
    assert np.mean((dirty.delta - clean.delta) * step) / 0.25 == pytest.approx(1.0, abs=0.1)
    full = survey.full_sky(step)
    np.testing.assert_array_equal(full[survey.pixels], step)
    assert np.abs(full).sum() == np.abs(step).sum()


def test_a_survey_takes_the_coverage_of_randoms(survey):
    halved = replace(survey, coverage=Counts.known(survey.coverage * 2), pixels=survey.pixels[:50])
    field = halved.counted(survey.draw(1e4, *rngs(3)).galaxies)
    assert field.n_pix == 50


def test_a_field_needs_some_clustering():
    with pytest.raises(ParameterError, match="rms is 0: give a positive number"):
        mock_survey(NSIDE, 0)


def test_satellites_are_close_and_as_many_as_asked():
    rng = np.random.default_rng(2)
    ra, dec = rng.uniform(0, 360, 20_000), np.degrees(np.arcsin(rng.uniform(-1, 1, 20_000)))
    found = with_satellites(Catalogue(ra, dec), 0.2, rng, distance_arcmin=3.0)
    added = len(found) - 20_000
    assert added == pytest.approx(4000, abs=4 * np.sqrt(20_000 * 0.16))
    np.testing.assert_array_equal(found.ra[:20_000], ra)
    satellites = SkyCoord(found.ra[20_000:], found.dec[20_000:], unit="deg")
    nearest = satellites.match_to_catalog_sky(SkyCoord(ra, dec, unit="deg"))[1].arcmin
    # a Rayleigh distribution; hosts are a degree apart, and seldom is another galaxy nearer
    assert np.sqrt(np.mean(np.minimum(nearest, 20.0) ** 2)) == pytest.approx(3.0 * np.sqrt(2.0), rel=0.03)
