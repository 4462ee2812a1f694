"""Posterior means: limits, moments of the mixture, and that they never hurt on average."""

import numpy as np
import pytest
from scipy.stats import norm

from sysmap_core.methods.shrinkage import AmplitudePosterior, amplitude_posterior, hierarchical_posterior

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
    tau = error * np.geomspace(0.03, 30.0, 4001)
    total = error**2 + tau**2
    weight = np.exp(-0.5 * estimate**2 / total) / np.sqrt(total)
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


def test_probability_of_being_nearer_is_calibrated():
    """Among truths drawn from the prior, the fitted amplitudes are nearer than none as often as is said."""
    rng = np.random.default_rng(1)
    root = rng.normal(size=(5, 5))
    cov, metric = root @ root.T / 5 + 0.1 * np.eye(5), np.eye(5) + 0.2
    scale = np.exp(np.mean(np.log(np.sqrt(np.diag(cov)))))
    stated, nearer = [], []
    for tau in scale * np.exp(rng.uniform(np.log(0.03), np.log(30.0), 2000)):
        truth = tau * rng.standard_normal(5)
        fitted = rng.multivariate_normal(truth, cov)
        stated.append(hierarchical_posterior(fitted, cov).probability_nearer(fitted, 0.0 * fitted, metric))
        left = fitted - truth
        nearer.append(left @ metric @ left < truth @ metric @ truth)
    stated, nearer = np.array(stated), np.array(nearer)
    for low, high in ((0.0, 0.2), (0.2, 0.5), (0.5, 0.8), (0.8, 1.0)):
        inside = (stated >= low) & (stated <= high)
        error = np.sqrt(0.25 / inside.sum())
        assert np.mean(nearer[inside]) == pytest.approx(np.mean(stated[inside]), abs=3 * error)


def test_certain_probabilities():
    identity, none = np.eye(3), np.zeros(3)
    strong, weak = np.full(3, 30.0), np.full(3, 0.1)
    assert hierarchical_posterior(strong, identity).probability_nearer(strong, none, identity) > 0.999
    assert hierarchical_posterior(weak, identity).probability_nearer(weak, none, identity) < 0.5
    assert hierarchical_posterior(weak, identity).probability_nearer(weak, weak, identity) == pytest.approx(0.5)
    # the unit of the amplitudes does not matter
    a = np.array([1.0, 2.0, -1.0])
    one, other = (
        hierarchical_posterior(s * a, s**2 * identity).probability_nearer(s * a, none, identity) for s in (1.0, 1e-4)
    )
    assert one == pytest.approx(other, rel=1e-9)


def test_loss_is_that_of_draws():
    found = hierarchical_posterior(np.array([0.02, 0.05, -0.01, 0.0, 0.03, -0.04]), COV, 2)
    metric, choice = np.diag(np.arange(1.0, 7.0)) + 0.1, np.full(6, 0.01)
    draws = np.array([found.draw(np.random.default_rng(i)) for i in range(4000)]) - choice
    losses = np.einsum("ki,ij,kj->k", draws, metric, draws)
    assert found.loss(choice, metric) == pytest.approx(losses.mean(), abs=4 * losses.std() / np.sqrt(4000))
    assert found.loss(found.mean, metric) < found.loss(choice, metric)


def test_b_on_the_floor_is_taken_to_be_zero():
    """What is left is the posterior of a, given b = 0."""
    a, b = np.array([0.05, -0.02, 0.01]), np.array([0.03, 0.06, -0.08])
    found = amplitude_posterior("combined", a, b, COV, on_floor=True)
    joint = np.linalg.inv(COV)
    given = np.linalg.inv(joint[:3, :3])
    alone = hierarchical_posterior(a + given @ joint[:3, 3:] @ b, given)
    np.testing.assert_allclose(found.mean, np.append(alone.mean, np.zeros(3)), atol=1e-12)
    np.testing.assert_allclose(found.cov[:3, :3], alone.cov, rtol=1e-8)
    assert not found.cov[3:].any()
    assert np.all(found.draw(np.random.default_rng(0))[3:] == 0)
    free = amplitude_posterior("combined", a, b, COV)
    assert np.all(free.mean[3:] != 0)
    additive = amplitude_posterior("additive", a, b, COV, on_floor=True)
    np.testing.assert_array_equal(additive.mean, hierarchical_posterior(a, COV[:3, :3]).mean)


def test_nearer_is_beyond_the_middle():
    """For one normal amplitude, one choice is nearer than another where the truth lies beyond their middle."""
    known = AmplitudePosterior(np.ones(1), np.array([[0.7]]), np.array([[[0.09]]]))
    for one, other in ((1.0, 0.0), (0.0, 1.0), (2.0, 0.5)):
        beyond = norm.cdf((0.7 - 0.5 * (one + other)) / 0.3)
        wanted = beyond if one > other else 1.0 - beyond
        found = known.probability_nearer(np.array([one]), np.array([other]), np.array([[4.0]]))
        assert found == pytest.approx(wanted)
