"""Products of fitted amplitudes: unbiased, the same in any basis, and what a posterior expects."""

from dataclasses import replace

import numpy as np
import pytest
from skies import ClusteredSky

from sysmap_core.correction.amplitude_products import (
    FORMS,
    amplitude_products,
    debias_diagonal,
    debias_matrix,
    posterior_products,
)
from sysmap_core.correction.template_correlations import from_harmonics
from sysmap_core.errors import ParameterError
from sysmap_core.methods.decontamination import decontaminate

A = np.array([0.1, 0.05, 0.0])

NONE = np.zeros((3, 3))


@pytest.fixture(scope="module")
def sky():
    return ClusteredSky(nside=16, rms=0.3, nbar=40.0)


@pytest.fixture(scope="module")
def xi(sky):
    return from_harmonics(sky.templates, edges_arcmin=np.geomspace(300.0, 1500.0, 6))


@pytest.fixture(scope="module")
def cov():
    return 1e-3 * np.array([[2.0, 0.5, 0.1], [0.5, 1.0, -0.3], [0.1, -0.3, 1.5]])


def test_products_are_unbiased(cov):
    """The matrix over noisy amplitudes; the clipped diagonal is too large."""
    rng = np.random.default_rng(0)
    draws = A + rng.multivariate_normal(np.zeros(3), cov, 40_000)
    products = debias_matrix(draws, cov)
    error = products.std(0) / 200
    assert np.all(np.abs(products.mean(0) - np.outer(A, A)) < 4 * error)
    squares = debias_diagonal(draws, np.diag(cov)).mean(0)
    assert squares[2] > 5 * error[2, 2]
    # one over many draws is the same as one after the other
    np.testing.assert_allclose(products[7], debias_matrix(draws[7], cov))


def test_debiased_matrix_is_not_made_positive(cov):
    assert np.linalg.eigvalsh(amplitude_products(A, cov)).min() < 0


def test_forms_agree_for_uncorrelated_templates(cov):
    """One template at a time, and templates whose rotation is no rotation."""
    diagonal = np.diag(np.diag(cov))
    zero_lag = np.diag([3.0, 2.0, 1.0])
    rotated = amplitude_products(A, diagonal, form="diagonal rotated", zero_lag=zero_lag)
    np.testing.assert_allclose(rotated, amplitude_products(A, diagonal, form="diagonal"), atol=1e-15)
    np.testing.assert_allclose(rotated, np.diag(np.maximum(A**2 - np.diag(cov), 0)), atol=1e-15)


def test_rotated_diagonal_is_exact_at_zero_separation(xi):
    """There the cross terms of uncorrelated templates vanish; elsewhere they do not."""
    rotated, full = (amplitude_products(A, NONE, form=f, zero_lag=xi.zero_lag) for f in ("diagonal rotated", "matrix"))
    assert np.sum(rotated * xi.zero_lag) == pytest.approx(np.sum(full * xi.zero_lag), rel=1e-12)
    assert np.any(np.abs(xi.contract(rotated) / xi.contract(full) - 1) > 0.01)


def test_rotation_does_not_depend_on_the_order(xi, cov):
    """Templates in another order give the same correction."""
    order = [2, 0, 1]
    mixed = amplitude_products(
        A[order], cov[np.ix_(order, order)], form="diagonal rotated", zero_lag=xi.zero_lag[np.ix_(order, order)]
    )
    plain = amplitude_products(A, cov, form="diagonal rotated", zero_lag=xi.zero_lag)
    np.testing.assert_allclose(mixed, plain[np.ix_(order, order)], atol=1e-12)


def test_rotation_needs_the_covariance_of_the_templates():
    with pytest.raises(ParameterError, match="zero_lag is None: give the covariance of the templates"):
        amplitude_products(A, NONE, form=FORMS[1])


def test_posterior_products_are_second_moments(sky):
    """Of each model; positive, with the draws around them."""
    fit = decontaminate(sky.field(0, a=A), sky.templates, "GLS-comb", spectrum=sky.spectrum)
    of_a, of_b = posterior_products(fit)
    posterior = fit.posterior()
    second = posterior.cov + np.outer(posterior.mean, posterior.mean)
    np.testing.assert_allclose(of_a, second[:3, :3])
    np.testing.assert_allclose(of_b, second[3:, 3:])
    assert min(np.linalg.eigvalsh(of_a).min(), np.linalg.eigvalsh(of_b).min()) > 0
    drawn = posterior_products(fit, 4000, np.random.default_rng(0))
    for one, mean in zip(drawn, (of_a, of_b), strict=True):
        np.testing.assert_array_less(np.abs(one.mean(0) - mean), 4 * one.std(0) / np.sqrt(4000))
    additive = replace(fit, model="additive")
    np.testing.assert_array_equal(posterior_products(additive)[1], NONE)
    np.testing.assert_array_equal(*posterior_products(replace(fit, model="multiplicative")))
