import numpy as np
import pytest
from scipy import stats
from skies import ClusteredSky

from sysmap_core.errors import DataError, ParameterError
from sysmap_core.sys_mapping.diagnostics import (
    footprint_mask_diagnostics,
    null_test_cross_correlations,
    snr_template_ranking,
)

N_FIELDS = 150


@pytest.fixture(scope="module")
def sky():
    return ClusteredSky(nside=16, rms=0.3, nbar=40.0)


@pytest.fixture(scope="module")
def small():
    """A sky that is quick to draw, for false alarms."""
    return ClusteredSky(nside=8, rms=0.3, nbar=60.0)


@pytest.fixture(scope="module")
def fields(small):
    return [small.field(s) for s in range(N_FIELDS)]


def test_correlations_of_weights(sky):
    values = sky.templates.values
    rng = np.random.default_rng(0)
    weights = 1.0 + 0.3 * values[0] + 0.1 * rng.standard_normal(values.shape[1])
    found = null_test_cross_correlations(weights, values, n_bootstrap=200, seed=1)
    wanted = [np.corrcoef(weights, t)[0, 1] for t in values]
    np.testing.assert_allclose(found["correlations"], wanted, rtol=1e-9)
    assert found["p_values"][0] == pytest.approx(1 / 201)
    again = null_test_cross_correlations(weights, values, n_bootstrap=200, seed=1)
    np.testing.assert_array_equal(again["p_values"], found["p_values"])
    flat = null_test_cross_correlations(np.ones(values.shape[1]), values)
    np.testing.assert_array_equal(flat["correlations"], 0.0)
    np.testing.assert_array_equal(flat["p_values"], 1.0)


def test_p_of_correlations_is_uniform_for_noise():
    rng = np.random.default_rng(2)
    p = [null_test_cross_correlations(*noise, seed=s)["p_values"] for s, noise in enumerate(pairs(rng, 150))]
    assert stats.kstest(np.ravel(p), "uniform").pvalue > 0.001


def pairs(rng, n):
    return [(rng.standard_normal(500), rng.standard_normal((3, 500))) for _ in range(n)]


def test_shifts_alarm_less_than_shuffled_pixels(small, fields):
    """On a clustered sky, where shuffling takes neighbours for independent."""
    values, rng = small.templates.values[2:], np.random.default_rng(0)
    shifted = [null_test_cross_correlations(f.delta, values, 200)["p_values"][0] < 0.05 for f in fields]
    threshold = 1.96 / np.sqrt(values.shape[1])  # of the coefficient, for independent pixels
    assert np.std([np.corrcoef(rng.permutation(fields[0].delta), values[0])[0, 1] for _ in range(300)]) == (
        pytest.approx(threshold / 1.96, rel=0.15)
    )
    shuffled = [abs(np.corrcoef(f.delta, values[0])[0, 1]) > threshold for f in fields]
    assert np.mean(shifted) < 0.6 * np.mean(shuffled)


def test_ranking_of_arrays(sky):
    field, values = sky.field(0, a=[0.3, 0.0, 0.0]), sky.templates.values
    for method in ("template", "data"):
        ratio = snr_template_ranking(field.delta, values, method=method)
        assert ratio.shape == (3,)
        assert np.all(ratio >= 0)
        assert np.argmax(ratio) == 0
        np.testing.assert_array_equal(snr_template_ranking(np.zeros(field.n_pix), values, method=method), 0.0)
    data = snr_template_ranking(field.delta, values, method="data")
    np.testing.assert_allclose(data, [abs(np.corrcoef(field.delta, t)[0, 1]) for t in values], rtol=1e-9)


def test_ranking_of_noise_has_unit_width():
    ratios = [snr_template_ranking(*noise) for noise in pairs(np.random.default_rng(3), 400)]
    # runs of pixels estimate an error as 32 numbers would: the ratio follows Student's distribution
    width = np.sqrt(np.mean(np.square(ratios)))
    assert width == pytest.approx(np.sqrt(32 / 30), rel=3.5 / np.sqrt(2 * 1200))


def test_ranking_by_the_peak_of_full_sky_spectra():
    rng = np.random.default_rng(4)
    values = rng.standard_normal((3, 768))
    delta = 0.5 * values[1] + 0.3 * rng.standard_normal(768)
    ratio = snr_template_ranking(delta, values, method="peak")
    assert ratio.shape == (3,)
    assert np.argmax(ratio) == 1
    with pytest.raises(DataError, match="maps have 500 pixels: method 'peak' needs full-sky maps"):
        snr_template_ranking(delta[:500], values[:, :500], method="peak")


def test_cuts_of_arrays(sky):
    field, values = sky.field(0, a=[0.2, 0.0, 0.0]), 2.0 * sky.templates.values + 0.1
    good = np.ones(field.n_pix, bool)
    found = footprint_mask_diagnostics(field.delta, values, np.array([0.0, 0.1]), good)
    wanted = np.linalg.lstsq(values.T, field.delta, rcond=None)[0]
    np.testing.assert_allclose(found["alpha_hat"][0], wanted, rtol=1e-8)
    for i in range(3):
        kept = np.argsort(np.abs(values[i] - values[i].mean()))[: field.n_pix - round(0.1 * field.n_pix)]
        cut = np.linalg.lstsq(values[:, kept].T, field.delta[kept], rcond=None)[0]
        assert found["alpha_hat"][1, i] == pytest.approx(cut[i], rel=1e-8)
    np.testing.assert_allclose(found["scatter"], found["alpha_hat"].std(0))
    good[:50] = False
    part = footprint_mask_diagnostics(field.delta[50:], values[:, 50:], [0.0, 0.1], good)
    whole = footprint_mask_diagnostics(field.delta, values, [0.0, 0.1], good)
    np.testing.assert_array_equal(part["alpha_hat"], whole["alpha_hat"])


def test_arrays_that_do_not_match():
    delta, values = np.zeros(10), np.zeros((2, 9))
    message = r"the map has shape \(10,\) and the templates \(2, 9\): give \(n_pix,\) and \(n_sys, n_pix\)"
    with pytest.raises(DataError, match=message):
        null_test_cross_correlations(delta, values)
    with pytest.raises(DataError, match=message):
        snr_template_ranking(delta, values)
    with pytest.raises(DataError, match=message):
        footprint_mask_diagnostics(delta, values, [0.1], np.arange(9))
    with pytest.raises(ParameterError, match="method must be 'template' or 'data' or 'peak', got 'templates'"):
        snr_template_ranking(delta, values, method="templates")
