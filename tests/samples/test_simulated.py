"""Simulated stand-ins: what is put in can be found again."""

import healpy as hp
import numpy as np
import pytest

from sysmap_core.errors import DataError
from sysmap_core.samples.ls10 import LS10_SAMPLES
from sysmap_core.samples.registry import find_sample
from sysmap_core.samples.simulated import CONTAMINATION, amplitudes, simulate_sample
from sysmap_core.sky.field import footprint, overdensity
from sysmap_core.sky.pixels import usable
from sysmap_core.sky.regrid import to_nside
from sysmap_core.templates.conditions import Conditions
from sysmap_core.templates.template_set import standardise

NSIDE = 32

SEEDS = range(5)

INFO = find_sample("11.25")


@pytest.fixture(scope="module")
def samples():
    """One survey, several skies: the simulated conditions of the first serve all."""
    first = simulate_sample(INFO, NSIDE, 0)
    survey = Conditions(first.maps, first.template_names, {})
    return [first, *(simulate_sample(INFO, NSIDE, seed, survey) for seed in SEEDS[1:])]


@pytest.fixture(scope="module")
def fields(samples):
    """Overdensity and templates of every sample."""
    pairs = []
    for sample in samples:
        pixels = footprint(sample.coverage)
        field = overdensity(sample.galaxy_counts, sample.coverage, pixels)
        pairs.append((field, standardise(sample.maps, sample.template_names, pixels, missing=sample.missing)))
    return pairs


def ols(templates, delta):
    return np.linalg.lstsq(templates.values.T, delta - delta.mean(), rcond=None)[0]


def test_amplitudes_by_name():
    a, b = amplitudes(("NHI", "nstar_faint", "EBV"))
    np.testing.assert_array_equal(a, [0, 0.12, -0.06])
    np.testing.assert_array_equal(b, [0, -0.05, -0.06])
    assert CONTAMINATION.keys() == {"EBV", "nstar_faint", "GALDEPTH_Z", "PSFSIZE_R"}


def test_counts_are_those_of_the_catalogues(samples):
    for sample in samples:
        assert sample.galaxy_counts.sum() == len(sample.galaxies)
        assert sample.coverage.sum() == len(sample.randoms) == INFO.n_randoms
    # single fields differ by a few per cent, as large-scale modes move the mean
    assert np.mean([len(sample.galaxies) for sample in samples]) == pytest.approx(INFO.n_galaxies, rel=0.03)


def test_templates_are_known_where_there_are_randoms(samples):
    sample = samples[0]
    assert usable(sample.maps[:, sample.coverage > 0]).all()
    assert (sample.maps[:, sample.coverage == 0] == hp.UNSEEN).mean() > 0.99


def test_amplitudes_come_back(samples, fields):
    """Least squares, less the chance alignment of the true field, returns the amplitudes."""
    chance = np.array([ols(t, s.truth.delta[t.pixels]) for s, (_, t) in zip(samples, fields, strict=True)])
    found = np.array([ols(t, field.delta) for field, t in fields])
    truth = samples[0].truth.a
    # shot noise of the means, measured over many seeds, is 0.002 to 0.004
    np.testing.assert_allclose((found - chance).mean(0), truth, atol=0.015)
    # with the alignment, within the scatter between fields
    error = found.std(0, ddof=1) / np.sqrt(len(SEEDS))
    assert (np.abs(found.mean(0) - truth) < 5 * error).all()


def test_variance_is_clustering_contamination_and_shot_noise(samples, fields):
    for sample, (field, t) in zip(samples, fields, strict=True):
        delta = sample.truth.delta[t.pixels]
        signal = (1 + sample.truth.b @ t.values) * delta + sample.truth.a @ t.values
        noise = field.delta + 1 - (1 + signal) / np.average(1 + signal, weights=field.expected)
        # randoms, five times as many, add a fifth to the Poisson noise
        expected = (1 + signal) / field.expected + 0.2 * (1 + signal) ** 2 / field.expected
        # the truth is that of whole pixels; a cut near the median would select on the noise of the randoms
        whole = field.expected > 0.7 * np.median(field.expected)
        assert noise[whole].var() == pytest.approx(expected[whole].mean(), rel=0.1)


def test_efficiency_stays_positive(samples, fields):
    for sample, (_, t) in zip(samples, fields, strict=True):
        assert (1 + sample.truth.b @ t.values).min() > 0.3


def test_one_seed_is_one_field(samples):
    again = simulate_sample(INFO, NSIDE, 0)
    np.testing.assert_array_equal(again.galaxies.ra, samples[0].galaxies.ra)
    np.testing.assert_array_equal(again.randoms.dec, samples[0].randoms.dec)
    np.testing.assert_array_equal(again.maps, samples[0].maps)
    assert (samples[1].galaxy_counts != samples[0].galaxy_counts).any()


def test_one_seed_is_one_field_at_all_resolutions(samples):
    survey = Conditions(to_nside(samples[0].maps, 8), samples[0].template_names, {})
    coarse = simulate_sample(INFO, 8, 0, survey)
    np.testing.assert_allclose(coarse.truth.delta, to_nside(samples[0].truth.delta, 8), atol=1e-12)


def test_everything_simulated_is_labelled(samples):
    sample = samples[0]
    assert sample.simulated
    assert sample.caption == f"{INFO.identifier}, NSIDE {NSIDE}: simulated galaxies"
    assert samples[3].sources["galaxies"] == samples[3].sources["randoms"] == "simulated, seed 3"
    assert "simulated (seed 3)" in samples[3].notes[0]
    assert "f_sky = 0.44" in sample.notes[0]
    assert sample.notes[1].startswith("Templates read from files of real surveys: EBV, NHI; simulated, seed 0: nstar_")
    assert "nstar_faint a = +0.12, b = -0.05" in sample.notes[2]


def test_given_templates_bound_the_sky():
    dec = hp.pix2ang(16, np.arange(hp.nside2npix(16)), lonlat=True)[1]
    given = Conditions(np.where(dec > 0, dec, hp.UNSEEN)[None], ("EBV",), {"EBV": "test"})
    sample = simulate_sample(LS10_SAMPLES[8], 16, 0, given)
    assert sample.randoms.dec.min() > -4
    np.testing.assert_array_equal(sample.truth.a, [-0.06])
    assert sample.sources["EBV"] == "test"


def test_templates_off_the_footprint():
    empty = Conditions(np.full((1, hp.nside2npix(16)), np.nan), ("EBV",), {})
    with pytest.raises(DataError, match="no pixel of the footprint has all templates"):
        simulate_sample(LS10_SAMPLES[8], 16, 0, empty)
