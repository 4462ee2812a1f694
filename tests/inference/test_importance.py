import numpy as np
import pytest
from scipy import stats

from sysmap_core.inference.importance import SkewnessProfile, effective_draws, pareto_fit, smoothed_weights


@pytest.mark.parametrize("k", [0.2, 0.5, 0.9])
def test_pareto_shape_comes_back(k):
    draws = stats.genpareto.rvs(k, scale=2.0, size=(20, 4000), random_state=1)
    shapes = [pareto_fit(np.sort(row))[0] for row in draws]
    error = np.std(shapes) / np.sqrt(len(shapes))
    # the prior of the fit pulls the shape to 1/2 by 10 pseudo-observations
    assert np.mean(shapes) == pytest.approx((4000 * k + 5) / 4010, abs=4 * error)


def test_equal_densities_give_equal_weights():
    weights, k_hat = smoothed_weights(np.zeros(1000))
    np.testing.assert_allclose(weights, 1e-3)
    assert k_hat == -np.inf
    assert effective_draws(weights) == pytest.approx(1000)


def test_too_narrow_a_proposal_is_noticed():
    x = np.random.default_rng(0).standard_normal(4000)
    narrow = stats.norm.logpdf(x, scale=3.0) - stats.norm.logpdf(x)
    fine = stats.norm.logpdf(x, scale=0.9) - stats.norm.logpdf(x)
    assert smoothed_weights(narrow)[1] > 0.7
    assert smoothed_weights(fine)[1] < 0.1


def test_impossible_draws_have_no_weight():
    ratio = np.random.default_rng(0).normal(0, 0.1, 500)
    ratio[:10] = -np.inf
    weights, _ = smoothed_weights(ratio)
    assert np.all(weights[:10] == 0)
    assert weights.sum() == pytest.approx(1)


def test_density_of_the_proposal_along_the_skewness():
    """Weights against a target with the same conditional normals bring back the target's gamma."""
    gamma = np.linspace(-2.5, 2.5, 41)
    profile = SkewnessProfile(
        gamma=gamma,
        log_density=-0.5 * ((gamma - 0.3) / 0.5) ** 2,
        mean=np.column_stack([0.2 * gamma, -gamma]),
        cov=np.exp(gamma)[:, None, None] * np.array([[1.0, 0.3], [0.3, 0.5]]),
    )
    proposal = profile.proposal(20_000, np.random.default_rng(1))
    drawn = proposal.draws[:, 2]
    rest = proposal.draws[:, :2] - np.column_stack([0.2 * drawn, -drawn])
    scale = np.interp(drawn, gamma, np.exp(gamma))
    precision = np.linalg.inv([[1.0, 0.3], [0.3, 0.5]])
    target = -0.5 * ((drawn - 0.3) / 0.5) ** 2 - 0.5 * np.einsum("ni,ij,nj->n", rest, precision, rest) / scale
    weights, k_hat = smoothed_weights(target - np.log(scale) - proposal.log_density)
    assert k_hat < 0.5
    assert weights @ drawn == pytest.approx(0.3, abs=0.02)
    assert weights @ (drawn - 0.3) ** 2 == pytest.approx(0.25, abs=0.02)
