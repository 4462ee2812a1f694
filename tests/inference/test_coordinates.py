import numpy as np
import pytest
from skies import independent_counts

from sysmap_core.errors import DataError
from sysmap_core.inference.contamination import amplitude_basis
from sysmap_core.inference.coordinates import Coordinates, first_guess
from sysmap_core.inference.pixel_likelihood import PixelSums
from sysmap_core.inference.posterior import fit_model, posterior_starts
from sysmap_core.templates.rotation import whiten


@pytest.fixture(scope="module")
def sky():
    delta, templates, _ = independent_counts(30, 0.05, 0.1, n_pix=500, n_sys=2)
    return delta, np.array([[1.0, 0.0], [0.8, 0.6]]) @ templates


def test_amplitudes_are_of_the_templates_and_not_of_whitened_ones(sky):
    delta, templates = sky
    basis, white = whiten(templates, ("one", "two"))
    coordinates = Coordinates(PixelSums(delta, white, "combined", "gaussian"), basis, "combined")
    x = np.array([0.1, -0.2, 0.3, 0.05, np.log(0.4)])
    found = coordinates.physical(x)
    to_a, to_b = amplitude_basis(2, "combined")
    np.testing.assert_allclose(found["a"] @ templates, to_a @ x[:4] @ white, atol=1e-12)
    np.testing.assert_allclose(found["b"] @ templates, to_b @ x[:4] @ white, atol=1e-12)
    assert found["sigma"] == pytest.approx(0.4)
    assert found["gamma"] == 0.0


def test_guess_lies_inside_the_allowed_region(sky):
    _, templates = sky
    _, white = whiten(templates, ("one", "two"))
    delta = 0.9 * white[0]  # as b = a, an efficiency far below zero
    sums = PixelSums(delta, white, "multiplicative", "gaussian")
    assert np.isfinite(sums.values(first_guess(sums, delta, white))[0][0])


def test_starts_have_the_spread_of_the_posterior(sky):
    starts = posterior_starts(*sky, "combined", "gaussian", 500, 0)
    fit = fit_model(*sky, "combined", "gaussian", sampler="importance")
    for name in "ab":
        np.testing.assert_allclose(starts[name].std(0), np.sqrt(np.diag(getattr(fit, f"cov_{name}"))), rtol=0.2)
    with pytest.raises(DataError, match="delta is constant"):
        posterior_starts(np.ones(500), sky[1], "combined", "gaussian", 10, 0)


def test_draws_of_equal_weight_have_the_moments_of_weighted_ones(sky):
    fit = fit_model(*sky, "combined", "gaussian", sampler="importance", draws=4096)
    draws = fit.equal_draws()
    np.testing.assert_allclose(draws["a"].mean(0), fit.a, atol=0.1 * np.sqrt(fit.cov_a.max()))
    np.testing.assert_allclose(np.cov(draws["b"].T), fit.cov_b, atol=0.1 * fit.cov_b.max())
    np.testing.assert_array_equal(draws["a"], fit.equal_draws()["a"])
