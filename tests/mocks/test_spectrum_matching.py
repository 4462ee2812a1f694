"""Simulated fields reproduce what was measured, on seeds that were not used to match them."""

from dataclasses import replace

import numpy as np
import pytest

from sysmap_core.errors import DataError, ParameterError
from sysmap_core.harmonic.mode_coupling import masked_sky
from sysmap_core.harmonic.spectra import pixel_window
from sysmap_core.mocks.realisations import pixel_sample
from sysmap_core.mocks.spectrum_matching import match_band_powers, match_correlation, match_measurement
from sysmap_core.two_point.estimators import pixel_correlation
from sysmap_core.two_point.power_spectra import BandEstimator

NSIDE = 16

SAMPLE = pixel_sample(NSIDE, 0.4, 60.0, tilt=0.4)

BANDS = np.array([3, 8, 14, 22, 32, 44])

ANGLES = np.geomspace(220.0, 1800.0, 7)

N = 150


def correlation(field):
    weights = field.expected / field.expected.max()
    return pixel_correlation(field.delta, field.pixels, NSIDE, edges_arcmin=ANGLES, weights=weights, engine="harmonic")


@pytest.fixture(scope="module")
def measured():
    """Band powers and correlation functions of one field, and their means over many fields."""
    estimator = BandEstimator(masked_sky(SAMPLE.sky), BANDS, tail=None)
    fields = [SAMPLE.draw([5, i]) for i in range(N)]
    powers, curves = [estimator.measure(f) for f in fields], [correlation(f) for f in fields]
    cl, w = np.array([p.cl for p in powers]), np.array([c.w for c in curves])
    means = (
        replace(powers[0], cl=cl.mean(0), cov=np.cov(cl.T) / N),
        replace(curves[0], w=w.mean(0), cov=np.cov(w.T) / N),
    )
    return {"one": (powers[0], replace(curves[0], cov=np.cov(w.T))), "mean": means}


def check(match, n_fields):
    """All bins that were used agree within the Monte Carlo errors of matching and validation fields."""
    assert match.used.any()
    spread = match.ratio_error * np.sqrt(1 + match.n_validation / n_fields)
    assert (np.abs(match.ratio - 1)[match.used] < 4 * spread[match.used] + 0.02).all()


def test_band_powers_are_matched(measured):
    """The mean of many fields is matched, from a start with another slope, and the spectrum is the true one."""
    match = match_band_powers(SAMPLE.sky, measured["mean"][0], n_fields=150, n_validation=100, seed=8)
    check(match, 150)
    assert match.used.all()
    assert match.history[-1] < 0.2 * match.history[0]
    true = SAMPLE.spectrum[1:] / pixel_window(NSIDE, 47)[1:] ** 2
    inside = slice(5, 40)
    np.testing.assert_allclose((match.field[1:] / true)[inside], 1.0, atol=0.1)
    assert match.clipped == 0


def test_correlation_function_is_matched(measured):
    match = match_correlation(SAMPLE.sky, measured["mean"][1], n_fields=150, n_validation=100, seed=8)
    check(match, 150)
    assert match.history[-1] < 0.3 * match.history[0]


def test_one_survey_is_matched(measured):
    """The noise of one field is followed where a smooth spectrum can."""
    for match_to, target in zip((match_band_powers, match_correlation), measured["one"], strict=True):
        match = match_to(SAMPLE.sky, target, seed=3)
        assert np.sqrt(np.mean(match.pull[match.used] ** 2)) < 0.6
        assert (match.cl >= 0).all()


def test_angles_below_a_pixel_are_not_used(measured):
    edges = np.geomspace(40.0, 1800.0, 12)
    target = pixel_correlation(SAMPLE.draw(1).delta, SAMPLE.sky.pixels, NSIDE, edges_arcmin=edges, engine="harmonic")
    match = match_correlation(SAMPLE.sky, target, n_fields=4, n_validation=4, n_iterations=1)
    assert not match.used[0]
    assert match.used[-1]
    assert np.isnan(match.ratio[~match.used]).all()


def test_seed_fixes_the_match(measured):
    one, same, other = (
        match_band_powers(SAMPLE.sky, measured["one"][0], n_fields=4, n_validation=4, seed=s) for s in (1, 1, 2)
    )
    np.testing.assert_array_equal(one.ratio, same.ratio)
    assert (one.cl[1:] != other.cl[1:]).any()


def test_statistic_that_these_pixels_cannot_measure():
    ones = np.ones(3)
    with pytest.raises(DataError, match="none of 3 bins can be measured on these pixels"):
        match_measurement(
            SAMPLE.sky, np.arange(4), ones, ones, lambda field: np.nan * ones, np.ones((3, 48)), n_fields=2
        )


BAD = {
    "give 1, 2, 2 or more": ({"n_fields": 1}, ParameterError),
    r"start has shape \(3,\)": ({"start": np.ones(3)}, DataError),
}


@pytest.mark.parametrize("problem", BAD)
def test_bad_input(measured, problem):
    options, kind = BAD[problem]
    with pytest.raises(kind, match=problem):
        match_band_powers(SAMPLE.sky, measured["one"][0], **options)


def test_measurements_that_cannot_be_matched(measured):
    powers, curve = measured["one"]
    with pytest.raises(DataError, match="deconvolved False, noise subtracted True: measure them on the sample"):
        match_band_powers(SAMPLE.sky, replace(powers, deconvolved=False))
    with pytest.raises(DataError, match="none of 6 bins holds a measured value"):
        match_correlation(SAMPLE.sky, replace(curve, w=np.full(6, np.nan)))
    with pytest.raises(DataError, match="has no pixels or no expected counts"):
        match_correlation(replace(SAMPLE.sky, expected=np.full(SAMPLE.sky.n_pix, np.inf)), curve)
