"""Ranks, coverage and their bands; data drawn from a likelihood; and calibrated posteriors."""

import numpy as np
import pytest
from scipy import stats
from skies import orthonormal_templates

from sysmap_core.errors import DataError, ParameterError
from sysmap_core.inference.likelihood import LIKELIHOODS, field_rms
from sysmap_core.inference.posterior import fit_model
from sysmap_core.mocks.lognormal import independent_pixels
from sysmap_core.validation.calibration import coverage, likelihood_pixels, uniform_band, weighted_rank
from sysmap_core.validation.calibration import orthonormal_templates as draw_templates


def test_templates_are_orthonormal():
    templates = draw_templates(3, 500, np.random.default_rng(0))
    np.testing.assert_allclose(templates @ templates.T / 500, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(templates.mean(1), 0.0, atol=1e-12)
    with pytest.raises(ParameterError, match="n_pix is 3 for 3 templates"):
        draw_templates(3, 3, np.random.default_rng(0))


def test_rank_is_the_weight_below_the_truth():
    draws = np.array([[0.0, 5.0], [1.0, 6.0], [2.0, 7.0]])
    weights = np.array([1.0, 2.0, 1.0])
    np.testing.assert_allclose(weighted_rank(draws, weights, [0.5, 9.0]), [0.25, 1.0])
    np.testing.assert_allclose(weighted_rank(draws, weights, [1.0, 4.0]), [0.5, 0.0])


def test_weighted_ranks_are_those_of_the_target():
    """Draws of a wide normal, weighted to a narrow one."""
    draws = 1.5 * np.random.default_rng(0).standard_normal((200_000, 1))
    weights = np.exp(stats.norm.logpdf(draws[:, 0]) - stats.norm.logpdf(draws[:, 0], scale=1.5))
    for truth in (-1.0, 0.0, 0.7):
        assert weighted_rank(draws, weights, [truth])[0] == pytest.approx(stats.norm.cdf(truth), abs=0.005)


def test_coverage_counts_the_central_interval():
    ranks = (np.arange(1000) + 0.5) / 1000
    for level in (0.68, 0.95):
        fraction, error = coverage(ranks.reshape(10, 100), level)
        assert fraction == pytest.approx(level, abs=1e-3)
        assert error == pytest.approx(np.sqrt(level * (1 - level) / 1000))
    assert coverage([0.0, 1.0], 0.95)[0] == 0.0


def test_band_holds_the_counts_of_uniform_ranks():
    low, high = uniform_band(120, 10, 0.99)
    assert low < 12 < high
    ranks = np.random.default_rng(0).random((2000, 120))
    inside = [np.mean((low <= c) & (c <= high)) for c in (np.histogram(r, 10, (0, 1))[0] for r in ranks)]
    assert np.mean(inside) == pytest.approx(0.993, abs=0.004)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: weighted_rank(np.zeros((4, 2)), np.ones(3), np.zeros(2)), DataError, "3 weights and 2 true values"),
        (lambda: weighted_rank(np.zeros((2, 1)), [1.0, -1.0], [0.0]), DataError, "negative or all zero"),
        (lambda: coverage([], 0.68), DataError, r"ranks \(0 of them\) are missing"),
        (lambda: coverage([0.5, 1.2], 0.68), DataError, "outside 0 to 1"),
        (lambda: coverage([0.5], 68), ParameterError, "level is 68"),
        (lambda: uniform_band(100, 0, 0.99), ParameterError, "bins is 0"),
        (lambda: uniform_band(100, 10, 1.0), ParameterError, "level is 1.0"),
    ],
)
def test_bad_ranks(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_pixels_have_the_moments_of_their_likelihood(likelihood):
    n_pix, a, b, sigma, gamma, nbar = 400_000, [0.1], [0.2], 0.3, 2.0, 12.0
    templates = orthonormal_templates(1, n_pix)
    row, expected = LIKELIHOODS[likelihood], np.full(n_pix, nbar)
    d = likelihood_pixels(likelihood, templates, a, b, sigma, np.random.default_rng(1), expected=expected, gamma=gamma)
    residual = d - 0.1 * templates[0]
    variance = field_rms(sigma, gamma if row.skewed else 0.0) ** 2 * (1 + 0.2 * templates[0]) ** 2
    if row.needs_noise:
        variance += np.maximum(1 + 0.1 * templates[0], 0.05) / nbar
    pull = residual / np.sqrt(variance)
    assert pull.mean() == pytest.approx(0.0, abs=4 / np.sqrt(n_pix))
    assert np.mean(pull**2) == pytest.approx(1.0, abs=0.01)
    # what matters for b: the variance follows the template as the model says
    assert np.mean(templates[0] * pull**2) == pytest.approx(0.0, abs=0.01)
    assert stats.skew(pull) == pytest.approx(stats.skewnorm.stats(gamma if row.skewed else 0.0, moments="s"), abs=0.03)


def test_poisson_counts_have_the_moments_of_the_shot_noise_likelihood():
    n_pix = 400_000
    templates = orthonormal_templates(2, n_pix)
    expected = np.random.default_rng(5).uniform(5.0, 20.0, n_pix)
    a, b = np.array([0.08, 0.0]), np.array([0.0, 0.1])
    d = independent_pixels(templates, expected, 0.3, np.random.default_rng(1), a=a, b=b)
    variance = 0.3**2 * (1 + b @ templates) ** 2 + (1 + a @ templates) / expected
    pull = (d - a @ templates) / np.sqrt(variance)
    assert pull.mean() == pytest.approx(0.0, abs=4 / np.sqrt(n_pix))
    assert np.mean(pull**2) == pytest.approx(1.0, abs=0.015)
    np.testing.assert_allclose(templates @ pull**2 / n_pix, 0.0, atol=0.015)


def test_pixels_need_their_expected_counts():
    templates, rng = orthonormal_templates(1, 50), np.random.default_rng(0)
    with pytest.raises(DataError, match="expected is missing: the shot-noise likelihood"):
        likelihood_pixels("shot-noise", templates, [0.0], [0.0], 0.3, rng)
    with pytest.raises(ParameterError, match="unknown likelihood 'shot'"):
        likelihood_pixels("shot", templates, [0.0], [0.0], 0.3, rng)
    for expected in (np.ones(49), np.zeros(50)):
        with pytest.raises(DataError, match=r"for 50 pixels, or is not positive"):
            independent_pixels(templates, expected, 0.3, rng)


@pytest.mark.slow
def test_intervals_cover_and_ranks_are_uniform():
    """Data from the likelihood's own model: shot-noise-aware, both amplitudes."""
    n_mocks, n_pix, n_sys = 300, 2_000, 3
    templates, expected = orthonormal_templates(n_sys, n_pix), np.full(n_pix, 20.0)
    ranks = {"a": [], "b": []}
    for sequence in np.random.SeedSequence(20).spawn(n_mocks):
        rng = np.random.default_rng(sequence)
        truth = dict(zip("ab", rng.uniform(-0.1, 0.1, (2, n_sys)), strict=True))
        d = likelihood_pixels("shot-noise", templates, truth["a"], truth["b"], 0.3, rng, expected=expected)
        fit = fit_model(d, templates, expected=expected, draws=512, seed=int(rng.integers(2**32)))
        assert fit.converged
        for which, found in ranks.items():
            found.append(weighted_rank(fit.draws[which], fit.weights, truth[which]))
    for found in ranks.values():
        for level in (0.68, 0.95):
            assert coverage(found, level)[0] == pytest.approx(level, abs=0.04)
        counts = np.histogram(found, bins=20, range=(0, 1))[0]
        assert stats.chisquare(counts).pvalue > 0.001
