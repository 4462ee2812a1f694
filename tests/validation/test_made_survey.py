"""The files of a made survey: what they hold, and that their truth comes back."""

import healpy as hp
import numpy as np
import pytest
from astropy.table import Table

from sysmap_core.analysis import run_sample
from sysmap_core.samples import read_sample, split
from sysmap_core.sky import read_coverage
from sysmap_core.validation.made_survey import AMPLITUDES, GROWTH, TEMPLATES, Z_EDGES, made_survey, region_map

NSIDE = 16


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return made_survey(tmp_path_factory.mktemp("made"), NSIDE, seed=2)


@pytest.fixture(scope="module")
def sample(made):
    return read_sample(made.spec)


def test_files_are_those_of_a_stranger(made, sample):
    galaxies = Table.read(made.spec.data)
    assert set(galaxies.colnames) == {"TARGETID", "TARGET_RA", "TARGET_DEC", "Z", "PHOTSYS", "WEIGHT_COMP"}
    assert len(np.unique(galaxies["TARGETID"])) == len(galaxies)
    assert set(galaxies["PHOTSYS"]) == {"N", "S", "D"}
    assert galaxies["WEIGHT_COMP"].min() > 1.0
    assert sample.simulated
    assert sample.template_names == TEMPLATES
    assert sample.galaxies.columns["TARGETID"].dtype.kind in "iu"


def test_galaxies_and_randoms_lie_where_was_observed(made, sample):
    fine = read_coverage(made.spec.coverage, 4 * NSIDE, frame="equatorial")
    for objects in (sample.galaxies, sample.randoms):
        seen = fine[hp.ang2pix(4 * NSIDE, objects.ra, objects.dec, lonlat=True)] > 0
        # a satellite may be moved over the edge
        assert np.mean(seen) > 0.99
    (note,) = [note for note in sample.notes if "scatter around it" in note]
    assert float(note.split("around it ")[1].split()[0]) == pytest.approx(1.0, abs=0.1)


def test_weights_make_up_for_what_is_missing(sample):
    """Stripes of completeness are seen in the number of galaxies, and not in the sum of their weights."""
    pattern = np.sin(np.radians(9.0 * sample.galaxies.ra)) * np.cos(np.radians(5.0 * sample.galaxies.dec))
    of_randoms = np.sin(np.radians(9.0 * sample.randoms.ra)) * np.cos(np.radians(5.0 * sample.randoms.dec))
    raw, weighted = np.mean(pattern), np.average(pattern, weights=sample.galaxies.weights)
    error = 5.0 * np.std(pattern) / np.sqrt(len(pattern))  # galaxies are clustered
    assert abs(weighted - of_randoms.mean()) < 2 * error
    assert raw - of_randoms.mean() > 3 * error


def test_regions_are_those_of_the_map(made, sample):
    parts = split(sample, regions="PHOTSYS", z_edges=Z_EDGES)
    assert [part.label for part in parts][:2] == ["D, z 0.3-0.5", "D, z 0.5-0.7"]
    assert len(parts) == 9
    coarse = region_map(NSIDE)
    for part in parts:
        covered = np.flatnonzero(part.sample.coverage.weights)
        assert np.mean(coarse[covered] == part.region) > 0.9


def test_truth_grows_with_redshift(made):
    for region, (a, b) in AMPLITUDES.items():
        np.testing.assert_allclose(made.a[region], np.outer(GROWTH, a))
        np.testing.assert_allclose(made.b[region], np.outer(GROWTH, b))
    assert made.delta.shape == (3, 12 * NSIDE**2)


def test_truth_comes_back(made):
    """Additive amplitudes of nine parts, within their errors; three regions that respond differently are told apart."""
    done = run_sample(made.spec, methods=["GLS"])
    pulls = []
    for part in done.parts:
        truth = made.a[part.part.region][part.part.z_bin - 1]
        pulls.append((part.best.a - truth) / np.sqrt(np.diag(part.best.cov_a)))
    assert np.sqrt(np.mean(np.square(pulls))) == pytest.approx(1.0, abs=3.0 / np.sqrt(2 * np.size(pulls)))
    assert done.equality.of_a.p < 1e-4
    assert done.equality.a_by_template["PSFSIZE_R"].p < 1e-4


def test_seed_fixes_the_files(made, tmp_path):
    first, second = (Table.read(one.spec.data) for one in (made, made_survey(tmp_path, NSIDE, seed=2)))
    assert len(first) == len(second)
    np.testing.assert_array_equal(first["TARGET_RA"], second["TARGET_RA"])
