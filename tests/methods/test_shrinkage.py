"""Posterior means: limits, moments of the mixture, and that they never hurt on average."""

import numpy as np
import pytest

from sysmap_core.methods.shrinkage import hierarchical_posterior

RNG = np.random.default_rng(0)

MIXED = RNG.normal(size=(6, 40))

COV = MIXED @ MIXED.T / 4e4


def test_large_amplitudes_stay():
    estimate = np.array([1.0, -2.0, 1.5, 0.8, -1.2, 2.0])
    found = hierarchical_posterior(estimate, COV, 2)
    # a shrinkage of C / tau^2, of a thousandth here
    np.testing.assert_allclose(found.mean, estimate, rtol=3e-3)
    np.testing.assert_allclose(found.cov, COV, rtol=0.02, atol=0.01 * COV.max())


def test_noise_is_shrunk():
    """Fits of nothing: the mean square of what is put into weights is an eighth of that of the fits."""
    fits = RNG.multivariate_normal(np.zeros(6), COV, 400)
    means = np.array([hierarchical_posterior(fit, COV, 2).mean for fit in fits])
    assert np.mean(means**2) < 0.15 * np.mean(fits**2)


def test_one_width_is_the_textbook_mean():
    """For one template the mean is that of numerical integration over amplitude and width."""
    estimate, error = 0.8, 0.5
    tau = error * np.geomspace(1e-3, 1e3, 4001)
    total = error**2 + tau**2
    weight = np.exp(-0.5 * estimate**2 / total) / np.sqrt(total) * tau / (error**2 + tau**2)
    wanted = np.sum(weight * tau**2 / total * estimate) / weight.sum()
    found = hierarchical_posterior(np.array([estimate]), np.array([[error**2]]))
    assert found.mean[0] == pytest.approx(wanted, rel=0.02)


def test_kinds_have_widths_of_their_own():
    """Strong additive contamination does not keep amplitudes b that are noise."""
    errors = np.full(8, 0.1)
    estimate = np.array([2.0, -1.5, 1.0, 2.5, 0.08, -0.1, 0.05, 0.11])
    found = hierarchical_posterior(estimate, np.diag(errors**2), 2).mean
    np.testing.assert_allclose(found[:4], estimate[:4], rtol=0.02)
    assert np.all(np.abs(found[4:]) < 0.6 * np.abs(estimate[4:]))


def test_draws_have_the_moments_of_the_mixture():
    found = hierarchical_posterior(np.array([0.02, 0.05, -0.01, 0.0, 0.03, -0.04]), COV, 2)
    draws = np.array([found.draw(np.random.default_rng(i)) for i in range(4000)])
    errors = np.sqrt(np.diag(found.cov))
    np.testing.assert_allclose((draws.mean(0) - found.mean) / errors, 0.0, atol=4 / np.sqrt(4000))
    np.testing.assert_allclose(draws.std(0) / errors, 1.0, atol=0.08)
    assert found.weights.sum() == pytest.approx(1.0)


def test_means_lose_least_where_amplitudes_are_drawn_from_the_prior():
    """Any size: mean square errors over 400 draws, against those of the fit and of no correction."""
    for size in (0.0, 0.01, 0.03, 0.1, 1.0):
        truth = size * RNG.normal(size=(400, 6))
        fits = truth + RNG.multivariate_normal(np.zeros(6), COV, 400)
        means = np.array([hierarchical_posterior(fit, COV, 2).mean for fit in fits])
        losses = [np.mean((x - truth) ** 2) for x in (means, fits, 0.0 * fits)]
        # not to know the size costs an eighth of the variance of the fit where there is nothing, and less elsewhere
        assert losses[0] < min(losses[1:]) + 0.15 * np.mean(np.diag(COV))
