from dataclasses import replace

import numpy as np
import pytest
from skies import ClusteredSky

from sysmap_core.correction.corrected import corrected_correlation
from sysmap_core.correction.removed_clustering import (
    OverCorrection,
    method_marginalised,
    over_correction,
    without_over_correction,
)
from sysmap_core.correction.template_correlations import from_harmonics
from sysmap_core.errors import DataError, ParameterError
from sysmap_core.methods.decontamination import decontaminate
from sysmap_core.two_point.estimators import pixel_correlation

EDGES = np.geomspace(300.0, 1500.0, 6)


@pytest.fixture(scope="module")
def sky():
    return ClusteredSky(nside=16, rms=0.3, nbar=40.0)


@pytest.fixture(scope="module")
def xi(sky):
    return from_harmonics(sky.templates, edges_arcmin=EDGES)


def measure(field):
    return pixel_correlation(field.delta, field.pixels, field.nside, edges_arcmin=EDGES, engine="harmonic")


@pytest.fixture(scope="module")
def corrected(sky, xi):
    field = sky.field(0)
    fit = decontaminate(field, sky.templates, "OLS", spectrum=sky.spectrum)
    return corrected_correlation(measure(field), xi, fit, debias=False)


@pytest.fixture(scope="module")
def changes(sky, xi):
    """What the correction does to clean fields, without and with debiasing."""
    data = sky.field(0), sky.templates, xi, measure
    options = {"spectrum": sky.spectrum, "n_realisations": 40, "seed": 5}
    return [over_correction(*data, **options, debias=debias) for debias in (False, True)]


def test_it_is_the_noise_of_the_amplitudes(sky, xi, changes):
    """Without debiasing a linear fit subtracts its covariance, with it nothing on average."""
    fit = decontaminate(sky.field(0), sky.templates, "OLS", spectrum=sky.spectrum)
    biased, debiased = changes
    expected = -xi.contract(fit.cov_a)
    assert np.all(np.abs(biased.change - expected) < 3.5 * biased.error)
    assert np.all(biased.change < -3 * biased.error)
    assert np.all(np.abs(debiased.change) < 3.5 * debiased.error)


def test_realisations_are_fitted_as_the_data(sky, xi):
    """Errors from the spectrum that is estimated on each differ from those of the true one."""
    data = sky.field(0), sky.templates, xi, measure
    options = {"spectrum": sky.spectrum, "n_realisations": 3}
    estimated = over_correction(*data, **options).change
    assert np.all(np.isfinite(estimated))
    np.testing.assert_array_equal(estimated, over_correction(*data, **options).change)
    assert np.any(estimated != over_correction(*data, **options, seed=1).change)
    assert np.any(estimated != over_correction(*data, **options, method="ElasticNet").change)


def test_removing_it(corrected, changes):
    found = without_over_correction(corrected, changes[0])
    np.testing.assert_allclose(found.w, corrected.w - changes[0].change)
    np.testing.assert_allclose(found.cov, corrected.cov + changes[0].cov)
    np.testing.assert_array_equal(found.observed, corrected.observed)
    np.testing.assert_array_equal(found.flagged, (found.w < 0) & (found.observed > 0))
    assert "over-correction of 40 clean realisations removed" in found.estimator


def test_removing_it_from_a_curve_without_covariance(corrected, changes):
    found = without_over_correction(replace(corrected, cov=None), changes[0])
    np.testing.assert_allclose(found.error, changes[0].error)


def test_error_of_the_mean_falls_with_the_realisations(sky, xi, changes):
    data = sky.field(0), sky.templates, xi, measure
    few = over_correction(*data, spectrum=sky.spectrum, n_realisations=10, seed=5, debias=False)
    ratio = few.error / changes[0].error
    assert np.all((ratio > 1.2) & (ratio < 3.3))


def test_disagreement_of_methods(corrected):
    """Two methods: the outer product of their difference; three: the mean over the others."""
    step = np.linspace(1, 2, 5) * 1e-3
    curves = {"one": corrected, "two": replace(corrected, w=corrected.w + step)}
    two = method_marginalised(curves, "one")
    np.testing.assert_allclose(two.cov - corrected.cov, np.outer(step, step), atol=1e-12)
    three = method_marginalised(curves | {"three": corrected}, "one")
    np.testing.assert_allclose(three.cov - corrected.cov, 0.5 * np.outer(step, step), atol=1e-12)
    np.testing.assert_array_equal(two.w, corrected.w)
    assert "marginalised over 2 methods" in two.estimator


def test_bad_input(sky, xi, corrected):
    with pytest.raises(ParameterError, match="n_realisations is 1: give at least 2"):
        over_correction(sky.field(0), sky.templates, xi, measure, spectrum=sky.spectrum, n_realisations=1)
    other = OverCorrection(EDGES[1:], np.zeros(4), np.eye(4), 10, "matrix", False)
    with pytest.raises(DataError, match="do not agree: measure both in the same bins"):
        without_over_correction(corrected, other)
    other = OverCorrection(EDGES, np.zeros(5), np.eye(5), 10, "matrix", True)
    with pytest.raises(
        DataError, match="the correction is matrix, not debiased and the over-correction matrix, debiased"
    ):
        without_over_correction(corrected, other)
    with pytest.raises(ParameterError, match="unknown reference 'olz': did you mean 'OLS'"):
        method_marginalised({"OLS": corrected}, "olz")
    with pytest.raises(ParameterError, match="OLS is the only method"):
        method_marginalised({"OLS": corrected}, "OLS")
    with pytest.raises(DataError, match="do not agree"):
        method_marginalised({"OLS": corrected, "GLS": replace(corrected, theta_edges=EDGES[1:])}, "OLS")
