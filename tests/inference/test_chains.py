import numpy as np
import pytest
from scipy.stats import skewnorm
from skies import independent_counts, orthonormal_templates

from sysmap_core.inference.chains import mixing
from sysmap_core.inference.posterior import fit_model


def moments(fit):
    mean = np.concatenate([fit.a, fit.b, [fit.sigma, fit.gamma]])
    width = np.sqrt(np.diag(fit.cov))
    return mean[width > 0], width[width > 0]


def skewed_field(gamma, n_pix, n_sys):
    """Skew-normal field of scale 0.3 without shot noise, contaminated by the first template."""
    templates = orthonormal_templates(n_sys, n_pix)
    unit = skewnorm.rvs(gamma, size=n_pix, random_state=1) - skewnorm.mean(gamma)
    return 0.3 * unit * (1.0 + 0.1 * templates[0]) + 0.05 * templates[0], templates, None


def assert_same_posterior(sky, likelihood, sampler):
    """Means within 0.1 of their widths, widths within 5 %."""
    common = {"likelihood": likelihood, "expected": sky[2], "seed": 1}
    exact = fit_model(*sky[:2], sampler="importance", draws=16_384, **common)
    chain = fit_model(*sky[:2], sampler=sampler, draws=12_000, **common)
    assert exact.converged, exact.status
    assert chain.converged, chain.status
    assert chain.sampler == sampler
    (mean, width), (chain_mean, chain_width) = moments(exact), moments(chain)
    np.testing.assert_allclose((chain_mean - mean) / width, 0.0, atol=0.1)
    np.testing.assert_allclose(chain_width / width, 1.0, atol=0.05)


@pytest.mark.parametrize(
    ("likelihood", "sampler"),
    [("gaussian", "emcee"), ("shot-noise", "emcee"), ("shot-noise", "nuts")],
)
def test_chains_equal_importance(likelihood, sampler):
    assert_same_posterior(independent_counts(15, 0.05, 0.1, n_pix=1_500, n_sys=2), likelihood, sampler)


@pytest.mark.slow
@pytest.mark.parametrize("n_sys", [2, 5, 11])
@pytest.mark.parametrize("likelihood", ["gaussian", "shot-noise"])
@pytest.mark.parametrize("sampler", ["emcee", "nuts"])
def test_chains_equal_importance_for_many_templates(likelihood, sampler, n_sys):
    assert_same_posterior(independent_counts(15, 0.05, 0.1, n_pix=3_000, n_sys=n_sys), likelihood, sampler)


@pytest.mark.slow
@pytest.mark.parametrize("n_sys", [2, 5, 11])
@pytest.mark.parametrize("gamma", [0.0, 1.0, 2.5])
@pytest.mark.parametrize("sampler", ["emcee", "nuts"])
def test_chains_equal_importance_for_skewed_fields(gamma, sampler, n_sys):
    # enough pixels to exclude the other sign at gamma = 1: an ensemble hardly ever visits a maximum of a thousandth
    n_pix = 12_000 if gamma == 1.0 else 3_000
    assert_same_posterior(skewed_field(gamma, n_pix, n_sys), "skew-normal", sampler)


def test_both_signs_of_the_skewness_are_in_the_posterior():
    """A Gaussian field: the likelihood has a maximum on either side of gamma = 0."""
    rng = np.random.default_rng(1)
    delta, none = rng.normal(0, 0.3, 1_000), np.zeros((0, 1_000))
    common = {"model": "additive", "likelihood": "skew-normal", "seed": 1}
    exact = fit_model(delta, none, sampler="importance", draws=8_192, **common)
    assert exact.converged
    assert exact.diagnostics["importance_ess"] > 7_000
    below = exact.weights @ (exact.draws["gamma"] < 0)
    assert 0.05 < below < 0.95
    chain = fit_model(delta, none, sampler="emcee", **common)
    assert np.mean(chain.draws["gamma"] < 0) == pytest.approx(below, abs=0.06)
    assert exact.gamma == pytest.approx(chain.gamma, abs=0.1 * np.sqrt(chain.cov[-1, -1]))


def test_diagnostics_of_the_samplers():
    delta, templates, expected = independent_counts(20, 0.05, 0.1, n_pix=1_000, n_sys=1)
    nuts, ensemble = (
        fit_model(delta, templates, expected=expected, sampler=s, draws=400, seed=3) for s in ("nuts", "emcee")
    )
    assert {"r_hat", "ess_bulk", "ess_tail", "divergences", "acceptance"} <= nuts.diagnostics.keys()
    assert {"tau", "steps", "acceptance", "ess_bulk"} <= ensemble.diagnostics.keys()
    assert ensemble.diagnostics["steps"] > 50 * ensemble.diagnostics["tau"]
    assert "k_hat" not in nuts.diagnostics
    assert nuts.draws["a"].shape == (400, 1)


@pytest.mark.parametrize("sampler", ["nuts", "emcee"])
def test_a_seed_fixes_every_draw(sampler):
    delta, templates, expected = independent_counts(20, 0.05, 0.1, n_pix=500, n_sys=1)
    one, two = (fit_model(delta, templates, expected=expected, sampler=sampler, draws=100, seed=7) for _ in range(2))
    np.testing.assert_array_equal(one.draws["b"], two.draws["b"])


def test_auto_takes_a_chain_when_weights_are_unreliable():
    """A posterior that the efficiency floor cuts off."""
    rng = np.random.default_rng(0)
    template = rng.standard_t(2, 4_000)
    template = ((template - template.mean()) / template.std())[None]
    delta = rng.normal(0, 0.3, 4_000)
    fit = fit_model(delta, template, likelihood="gaussian", draws=400)
    assert fit.sampler == "nuts"
    assert fit.diagnostics["k_hat"] > 0.7
    assert np.all(1 + fit.draws["b"] @ template >= 0.05)


def test_mixing_of_independent_draws():
    draws = np.random.default_rng(0).standard_normal((4, 1000, 2))
    good = mixing(draws)
    assert good["r_hat"] < 1.01
    assert good["ess_bulk"] > 2500
    draws[0] += 2.0
    assert mixing(draws)["r_hat"] > 1.1
