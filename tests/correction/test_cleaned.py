"""What a fit takes from the clustering of a cleaned map, given back, and the error of the result."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from skies import ClusteredSky

from sysmap_core.correction.cleaned import cleaned_correlation, lost_clustering, realised_covariance
from sysmap_core.correction.corrected import corrected_correlation
from sysmap_core.correction.observed_covariance import carried_clustering
from sysmap_core.correction.template_correlations import from_harmonics
from sysmap_core.covariance.estimated_spectrum import SpectrumEstimate
from sysmap_core.errors import DataError, ParameterError
from sysmap_core.methods.decontamination import decontaminate
from sysmap_core.methods.linear import least_squares
from sysmap_core.two_point.of_fields import field_correlation

EDGES = np.geomspace(250.0, 2000.0, 5)

TRUE_A = np.array([0.06, -0.05, 0.08])

N_FIELDS = 60


@pytest.fixture(scope="module")
def sky():
    return ClusteredSky(nside=16, rms=0.3, nbar=40.0)


@pytest.fixture(scope="module")
def pairs(sky):
    return from_harmonics(sky.templates, edges_arcmin=EDGES)


def measured(field, delta=None):
    return field_correlation(field, delta, edges_arcmin=EDGES, engine="harmonic")


@pytest.fixture(scope="module")
def curves(sky, pairs):
    """Differences from the same fields without contamination, for fitted amplitudes as they are."""
    found = {}
    for seed in range(N_FIELDS):
        field, clean = sky.field(seed, a=TRUE_A), measured(sky.field(seed)).w
        for method in ("OLS", "GLS"):
            fit = decontaminate(field, sky.templates, method, spectrum=sky.spectrum, shrinkage="none")
            of_map = measured(field, fit.cleaned)
            differences = found.setdefault(method, {"map": [], "cleaned": [], "corrected": []})
            differences["map"].append(of_map.w - clean)
            differences["cleaned"].append(cleaned_correlation(of_map, pairs, fit).w - clean)
            differences["corrected"].append(corrected_correlation(measured(field), pairs, fit, n_draws=0).w - clean)
    return {method: {name: np.array(x) for name, x in kinds.items()} for method, kinds in found.items()}


def mean_over_error(differences):
    return differences.mean(0) / (differences.std(0) / np.sqrt(N_FIELDS))


@pytest.mark.parametrize("method", ["OLS", "GLS"])
def test_what_the_fit_takes_is_given_back(curves, method):
    """On average; the cleaned map of least squares alone is too low by many errors."""
    assert np.all(np.abs(mean_over_error(curves[method]["cleaned"])) < 3.5)
    assert np.all(mean_over_error(curves["OLS"]["map"]) < -4)


def test_a_cleaned_map_is_less_noisy_than_squares_of_amplitudes(curves):
    """The product of contamination and field is gone; half of the noise is left, and a third where the fit is GLS."""
    for method, share in (("OLS", 0.9), ("GLS", 0.6)):
        spread = {name: x.std(0) for name, x in curves[method].items()}
        assert np.all(spread["cleaned"] < share * spread["corrected"])


def test_posterior_means_take_less_from_a_clean_field(sky, pairs):
    """And their loss is smaller by the share of the covariance that is left."""
    clean = sky.field(3)
    raw, shrunk = (
        decontaminate(clean, sky.templates, "GLS", spectrum=sky.spectrum, shrinkage=kind)
        for kind in ("none", "hierarchical")
    )
    np.testing.assert_allclose(lost_clustering(raw, pairs), pairs.contract(raw.cov_a))
    assert np.all(lost_clustering(shrunk, pairs) < 0.7 * lost_clustering(raw, pairs))


def test_efficiency_that_is_not_known_scales_the_curve(sky, pairs):
    """Errors of b make the map of (1 + B) / (1 + B') clustered by their own correlations."""
    fit = decontaminate(sky.field(0), sky.templates, "GLS-comb", spectrum=sky.spectrum, shrinkage="none")
    of_map = measured(fit.field, fit.cleaned)
    wanted = (of_map.w + pairs.contract(fit.cov_a)) / (1.0 + pairs.contract(fit.cov_b))
    np.testing.assert_allclose(cleaned_correlation(of_map, pairs, fit).w, wanted)


def test_errors_of_realisations_are_the_scatter(sky, pairs):
    """Of cleaned curves over fields with random amplitudes; both are known to some 10 %."""
    rng, found = np.random.default_rng(4), []
    for seed in range(N_FIELDS):
        field = sky.field(seed, a=0.06 * rng.standard_normal(3))
        fit = decontaminate(field, sky.templates, "GLS", spectrum=sky.spectrum)
        found.append(cleaned_correlation(measured(field, fit.cleaned), pairs, fit).w)
    cov = realised_covariance(fit, measured, n_realisations=100, seed=1)
    np.testing.assert_allclose(np.sqrt(np.diag(cov)), np.std(found, axis=0), rtol=0.35)
    curve = cleaned_correlation(measured(field, fit.cleaned), pairs, fit, cov=cov)
    np.testing.assert_array_equal(curve.error, np.sqrt(np.diag(cov)))
    assert curve.estimator.endswith("cleaned by GLS, what the fit took given back")


def test_realisations_do_not_depend_on_workers(sky):
    fit = decontaminate(sky.field(0), sky.templates, "GLS-comb", spectrum=sky.spectrum)
    common = {"n_realisations": 18, "seed": 2}
    alone = realised_covariance(fit, measured, **common)
    with ThreadPoolExecutor(2) as pool:
        np.testing.assert_array_equal(realised_covariance(fit, measured, executor=pool, **common), alone)


def test_mistakes(sky, pairs):
    fit = decontaminate(sky.field(0), sky.templates, "OLS", spectrum=sky.spectrum)
    other = field_correlation(fit.field, edges_arcmin=EDGES[:-1], engine="harmonic")
    with pytest.raises(DataError, match="do not agree: measure both in the same bins"):
        cleaned_correlation(other, pairs, fit)
    nowhere = replace(fit, spectrum=None)
    for use in (partial(lost_clustering, nowhere, pairs), partial(realised_covariance, nowhere, measured)):
        with pytest.raises(DataError, match="the fit of OLS has no spectrum"):
            use()
    with pytest.raises(ParameterError, match="n_realisations is 1: give at least 2"):
        realised_covariance(fit, measured, n_realisations=1)


def test_loss_of_least_squares_is_its_mean_over_clean_fields(sky, pairs):
    """Known to some 3 % from 400 fields."""
    losses = []
    for seed in range(400):
        field = sky.field(seed)
        cleaned = field.delta - least_squares(field, sky.templates) @ sky.templates.values
        losses.append(measured(field).w - measured(field, cleaned).w)
    fit = decontaminate(field, sky.templates, "OLS", spectrum=sky.spectrum, shrinkage="none")
    error = np.std(losses, axis=0) / np.sqrt(len(losses))
    wanted = np.mean(losses, axis=0)
    np.testing.assert_array_less(np.abs(lost_clustering(fit, pairs) - wanted), 3 * error + 0.03 * wanted)


def test_contamination_that_may_be_left_is_in_the_error(sky):
    """Amplitudes of either kind that are hardly known."""
    fit = decontaminate(sky.field(0), sky.templates, "GLS-comb", spectrum=sky.spectrum, shrinkage="none")
    common = {"n_realisations": 40, "seed": 3}
    known = np.diag(realised_covariance(fit, measured, **common))
    strong = {"cov_a": np.eye(3), "cov_ab": np.zeros((3, 3))}
    assert np.all(np.diag(realised_covariance(replace(fit, **strong), measured, **common)) > 3 * known)
    strong = {"cov_b": np.eye(3), "cov_ab": np.zeros((3, 3))}
    assert np.all(np.diag(realised_covariance(replace(fit, **strong), measured, **common))[:2] > 1.3 * known[:2])


def test_amplitudes_carry_what_a_spectrum_does_not_resolve(sky):
    """Without power in the spectrum, each pixel carries its own noise and unresolved variance."""
    field, values = sky.field(0), sky.templates.values
    alone = replace(SpectrumEstimate.known(np.zeros(48), 16), beyond=0.06)
    wanted = np.linalg.solve(values @ values.T, values) * (field.noise.variance() + 0.06)
    wanted -= wanted @ field.expected[:, None] / field.expected.sum()
    np.testing.assert_allclose(carried_clustering(field, sky.templates, alone), wanted, atol=1e-12)
