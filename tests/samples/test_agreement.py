"""Galaxies and randoms that do not belong together are refused, in a sentence with numbers."""

import healpy as hp
import numpy as np
import pytest

from sysmap_core.errors import DataError
from sysmap_core.mocks import mock_survey
from sysmap_core.samples.agreement import check_catalogues, check_map, check_number, check_overlap, enough_nside
from sysmap_core.sky.counts import Counts
from sysmap_core.sky.random_points import uniform_randoms

NSIDE = 16


def counted(randoms):
    return Counts.of(randoms.ra, randoms.dec, NSIDE)


@pytest.fixture(scope="module")
def survey():
    """Clustered galaxies and uniform randoms of one footprint."""
    made = mock_survey(NSIDE, 0.3)
    galaxies = made.draw(60_000, np.random.default_rng(1), np.random.default_rng(2)).galaxies
    return galaxies, uniform_randoms(made.mask, 200_000, np.random.default_rng(3))


def test_good_pair_has_no_notes(survey):
    check_catalogues(*survey, ("g", "r"))
    assert check_number(*survey, counted(survey[1]), NSIDE) == []


def test_same_positions_are_refused(survey):
    galaxies, _ = survey
    with pytest.raises(DataError, match=r"randoms r.fits hold the positions of the galaxies of g.fits: give random"):
        check_catalogues(galaxies, galaxies, ("g.fits", "r.fits"))


def test_swapped_files_are_refused(survey):
    galaxies, randoms = survey
    with pytest.raises(
        DataError, match=r"randoms a are more clustered than the galaxies b, by \d+ .*swap data and ran"
    ):
        check_catalogues(randoms, galaxies, ("b", "a"))


def test_swapped_files_are_refused_when_they_are_equally_long(survey):
    galaxies, randoms = survey
    with pytest.raises(DataError, match="swap data and randoms"):
        check_catalogues(randoms.restricted(np.arange(len(galaxies))), galaxies, ("b", "a"))


def test_shot_noise_of_few_randoms_is_no_clustering(survey):
    galaxies, randoms = survey
    check_catalogues(galaxies, randoms.restricted(np.arange(0, len(randoms), 80)), ("g", "r"))


def test_few_randoms_are_noted_with_their_number(survey):
    galaxies, randoms = survey
    few = randoms.restricted(np.arange(30_000))
    (note,) = check_number(galaxies, few, counted(few), NSIDE)
    assert note.startswith(f"The randoms are fewer than the galaxies, 30000 for {len(galaxies)}")


def off(share):
    """Galaxies of which a share lies off the coverage."""
    return np.random.default_rng(4).random(10_000) >= share


def test_galaxies_elsewhere_are_refused():
    with pytest.raises(DataError, match=r"\d+ of 10000 galaxies lie in pixels without randoms: check that both cover"):
        check_overlap(off(0.7), "randoms")


@pytest.mark.parametrize(
    ("share", "ending"), [(0.3, "which is a lot: do both cover the same sky?"), (0.05, "randoms.")]
)
def test_galaxies_off_the_coverage_are_counted(share, ending):
    inside = off(share)
    (note,) = check_overlap(inside, "randoms")
    assert note.startswith(f"{np.sum(~inside)} of 10000 galaxies")
    assert note.endswith(ending)


def test_full_overlap_has_no_note():
    assert check_overlap(off(0.0), "randoms") == []


def randoms_per_pixel(mean):
    counts = np.random.default_rng(5).poisson(mean, hp.nside2npix(NSIDE)).astype(float)
    return Counts(counts, counts)


def test_far_too_few_randoms_are_refused_with_a_resolution_that_would_do(survey):
    with pytest.raises(
        DataError, match=r"counted with 1\.0 randoms in a typical pixel of nside 16: .* or nside 4, where"
    ):
        check_number(*survey, randoms_per_pixel(0.9), NSIDE)


def test_few_randoms_are_noted_with_a_resolution_that_would_do(survey):
    (note,) = check_number(*survey, randoms_per_pixel(6.0), NSIDE)
    assert note == (
        "With 6.0 randoms in a typical pixel b cannot be fitted: give more randoms, or nside 8, "
        "where 10 would be in a pixel."
    )


def test_weights_of_randoms_count_as_objects(survey):
    counts = randoms_per_pixel(6.0)
    weighted = Counts(7.0 * counts.weights, 49.0 * counts.squares)
    assert check_number(*survey, weighted, NSIDE) == check_number(*survey, counts, NSIDE) != []


@pytest.mark.parametrize(("typical", "enough"), [(10.0, 64), (9.9, 32), (2.4, 16), (0.01, 2)])
def test_resolution_with_enough_randoms(typical, enough):
    assert enough_nside(typical, 64) == enough


def test_randoms_that_follow_a_map_scatter_as_random_points(survey):
    observed = Counts.known(mock_survey(NSIDE, 0.3).coverage)
    (note,) = check_map(counted(survey[1]), observed, 0.0)
    assert scatter(note) == pytest.approx(1.0, abs=0.05)


def test_randoms_that_do_not_follow_a_map_scatter_more(survey):
    varied = mock_survey(NSIDE, 0.3).coverage * np.random.default_rng(6).uniform(0.5, 1.0, hp.nside2npix(NSIDE))
    (note,) = check_map(counted(survey[1]), Counts.known(varied), 0.0)
    # 148 randoms per pixel, and a relative scatter of .19
    assert scatter(note) == pytest.approx(2.5, rel=0.1)


def scatter(note):
    return float(note.split("around it ")[1].split()[0])


def test_randoms_off_a_map_are_refused(survey):
    with pytest.raises(DataError, match=r"12\.0% of the randoms lie where the coverage is zero: check that both"):
        check_map(counted(survey[1]), Counts.known(np.ones(hp.nside2npix(NSIDE))), 0.12)
