import json

import numpy as np
import pytest
from skies import independent_counts, orthonormal_templates

from sysmap_core.errors import DataError, ParameterError
from sysmap_core.inference.posterior import Posterior, fit_model
from sysmap_core.templates.template_set import standardise

NAMES = ("gaussian", "shot-noise")

CASES = [(8, 0.10, 0.10, 0.071), (8, 0.10, 0.0, 0.028), (8, 0.0, 0.10, 0.043), (25, 0.05, 0.10, 0.077)]


@pytest.mark.parametrize(("nbar", "a", "b", "biased"), CASES)
def test_shot_noise_aware_fit_has_no_bias_where_gaussian_has(nbar, a, b, biased):
    skies = [independent_counts(nbar, a, b, seed=seed) for seed in range(8)]
    aware = [fit_model(d, t, expected=e, draws=256) for d, t, e in skies]
    plain = [fit_model(d, t, likelihood="gaussian", draws=256) for d, t, e in skies]
    for fits, wanted in ((aware, b), (plain, biased)):
        found = np.array([fit.b[0] for fit in fits])
        assert found.mean() == pytest.approx(wanted, abs=0.003 + 3 * found.std() / np.sqrt(len(found)))
    assert np.mean([fit.a[0] for fit in aware]) == pytest.approx(a, abs=0.005)


def test_closed_form_equals_importance():
    delta, templates, _ = independent_counts(20, 0.05, 0.0, n_pix=5_000)
    exact = fit_model(delta, templates, "additive", "gaussian", draws=20_000)
    drawn = fit_model(delta, templates, "additive", "gaussian", sampler="importance", draws=20_000)
    assert (exact.sampler, drawn.sampler) == ("closed-form", "importance")
    error = np.sqrt(np.diag(exact.cov_a))
    np.testing.assert_allclose(drawn.a, exact.a, atol=0.01 * error.min())
    np.testing.assert_allclose(np.sqrt(np.diag(drawn.cov_a)), error, rtol=0.02)
    assert drawn.sigma == pytest.approx(exact.sigma, rel=1e-4)
    assert drawn.maximum.lnl == pytest.approx(exact.maximum.lnl, abs=1e-6)


def test_closed_form_equals_a_chain():
    delta, templates, _ = independent_counts(20, 0.05, 0.0, n_pix=1_000, n_sys=2)
    exact = fit_model(delta, templates, "additive", "gaussian")
    chain = fit_model(delta, templates, "additive", "gaussian", sampler="emcee")
    error = np.sqrt(np.diag(exact.cov_a))
    monte_carlo = 1 / np.sqrt(chain.diagnostics["ess_bulk"])
    np.testing.assert_allclose((chain.a - exact.a) / error, 0.0, atol=4 * monte_carlo)
    np.testing.assert_allclose(np.sqrt(np.diag(chain.cov_a)) / error, 1.0, atol=4 * monte_carlo)
    assert monte_carlo < 0.04


def test_closed_form_draws_have_its_moments():
    delta, templates, _ = independent_counts(20, 0.05, 0.0, n_pix=2_000)
    fit = fit_model(delta, templates, "additive", "gaussian", draws=100_000)
    np.testing.assert_allclose(fit.draws["a"].mean(0), fit.a, atol=0.02 * np.sqrt(fit.cov_a.max()))
    np.testing.assert_allclose(np.cov(fit.draws["a"].T), fit.cov_a, atol=0.03 * fit.cov_a.max())
    assert fit.draws["sigma"].mean() == pytest.approx(fit.sigma, abs=5 * fit.draws["sigma"].std() / 300)
    assert fit.draws["sigma"].std() == pytest.approx(np.sqrt(fit.cov[-2, -2]), rel=0.03)


def test_skewness_comes_back_from_both_sides():
    rng = np.random.default_rng(3)
    shape, scale = 2.5, 0.3
    tilt = shape / np.sqrt(1 + shape**2)
    z = tilt * np.abs(rng.standard_normal(30_000)) + np.sqrt(1 - tilt**2) * rng.standard_normal(30_000)
    skewed = scale * (z - tilt * np.sqrt(2 / np.pi))
    none = np.zeros((0, 30_000))
    for sign in (1, -1):
        fit = fit_model(sign * skewed, none, "additive", "skew-normal")
        assert fit.gamma == pytest.approx(sign * shape, abs=4 * np.sqrt(fit.cov[-1, -1]))
        assert fit.maximum.sigma == pytest.approx(scale, rel=0.02)


def heavy_tailed_null(seed, n_pix=20_000):
    """A null field, and templates that are skewed and reach tens of rms."""
    rng = np.random.default_rng(seed)
    templates = rng.gamma(0.05, size=(3, n_pix))
    templates = (templates - templates.mean(1, keepdims=True)) / templates.std(1, keepdims=True)
    delta = rng.normal(0, 0.3, n_pix) + rng.normal(0, np.sqrt(1 / 30), n_pix)
    return delta, templates, np.full(n_pix, 30.0)


def assert_interior(seeds):
    for seed in seeds:
        delta, templates, expected = heavy_tailed_null(seed)
        assert templates.max() > 15
        for likelihood in ("gaussian", "shot-noise"):
            fit = fit_model(delta, templates, likelihood=likelihood, expected=expected, draws=64, sampler="importance")
            assert fit.diagnostics["min_efficiency"] > 0.05
            assert fit.status == "converged" or "importance weights" in fit.status
            assert np.max(np.abs(fit.b) / np.sqrt(np.diag(fit.cov_b))) < 5


def test_never_on_the_pole():
    assert_interior(range(10))


@pytest.mark.slow
def test_never_on_the_pole_in_200_fields():
    assert_interior(range(200))


def test_a_maximum_on_the_floor_is_reported():
    """An outlier of a template that the likelihood would remove by making its pixel blind."""
    rng = np.random.default_rng(0)
    template = rng.standard_normal(2_000)
    template[0], delta = -60.0, rng.normal(0, 0.3, 2_000)
    template = (template - template.mean()) / template.std()
    delta[0] = 0.0
    delta *= 1 + 0.03 * template
    fit = fit_model(delta, template[None], likelihood="gaussian", sampler="importance")
    assert fit.diagnostics["min_efficiency"] >= 0.05
    assert not fit.converged
    assert "efficiency floor of 0.05: mask the outliers" in fit.status
    assert fit.diagnostics["on_floor"] is True


def test_uneven_coverage_fakes_no_multiplicative_amplitude():
    """Coverage that follows a template by a factor of four, on fields without contamination."""
    found = []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        template = rng.uniform(-np.sqrt(3), np.sqrt(3), 20_000)
        expected = 20 * 4 ** (template / (2 * np.sqrt(3)))
        width = np.log1p(0.09)
        field = np.exp(rng.normal(0, np.sqrt(width), 20_000) - width / 2)
        delta = rng.poisson(expected * field) / expected - 1
        template = (template - template.mean()) / template.std()
        fits = [fit_model(delta, template[None], likelihood=n, expected=expected, draws=64) for n in NAMES]
        found.append([fit.b[0] for fit in fits])
    mean, error = np.mean(found, 0), np.std(found, 0) / np.sqrt(len(found))
    plain, aware = (NAMES.index(n) for n in ("gaussian", "shot-noise"))
    assert abs(mean[aware]) < 0.003 + 3 * error[aware]
    assert mean[plain] < -0.03


def test_single_and_double_precision_agree():
    delta, templates, expected = independent_counts(20, 0.05, 0.1, n_pix=40_000)
    one, two = (fit_model(delta, templates, expected=expected, precision=p) for p in ("float32", "float64"))
    assert one.maximum.lnl == two.maximum.lnl
    np.testing.assert_allclose(one.weights, two.weights, rtol=5e-3)
    np.testing.assert_allclose((one.b - two.b) / np.sqrt(np.diag(two.cov_b)), 0.0, atol=1e-4)


def test_degenerate_templates_can_be_projected_out():
    delta, templates, expected = independent_counts(20, 0.05, 0.1, n_pix=5_000)
    doubled = np.vstack([templates, templates[0]])
    fit = fit_model(delta, doubled, expected=expected, degenerate="project")
    alone = fit_model(delta, templates, expected=expected)
    # two copies share what one of them had
    np.testing.assert_allclose(fit.b[0] + fit.b[3], alone.b[0], atol=2e-3)
    np.testing.assert_allclose(fit.maximum.b[0], fit.maximum.b[3], atol=1e-8)


def test_a_gaussian_field_has_no_skewness():
    delta = np.random.default_rng(0).normal(0, 0.3, 5_000)
    fit = fit_model(delta, np.zeros((0, 5_000)), "additive", "skew-normal", draws=1024)
    assert abs(fit.gamma) < 3 * np.sqrt(fit.cov[-1, -1])
    assert abs(fit.gamma) < 1.5


def test_dictionary_round_trip():
    delta, templates, expected = independent_counts(20, 0.05, 0.1, n_pix=2_000)
    fit = fit_model(delta, templates, expected=expected, draws=32)
    back = Posterior.from_dict(json.loads(json.dumps(fit.to_dict())))
    np.testing.assert_allclose(back.draws["b"], fit.draws["b"])
    np.testing.assert_allclose(back.maximum.a, fit.maximum.a)
    assert (back.names, back.status, back.seed) == (fit.names, fit.status, fit.seed)


def test_arviz_has_the_moments_of_the_weighted_draws():
    delta, templates, expected = independent_counts(20, 0.05, 0.1, n_pix=2_000)
    fit = fit_model(delta, templates, expected=expected, draws=8192)
    data = fit.to_arviz()
    assert data.posterior["b"].shape == (1, 8192, 3)
    found = data.posterior["b"].mean(("chain", "draw"))
    np.testing.assert_allclose((found - fit.b) / np.sqrt(np.diag(fit.cov_b)), 0.0, atol=0.06)


def test_field_without_clustering():
    rng = np.random.default_rng(1)
    delta = rng.poisson(20, 5_000) / 20 * 0.98 - 0.98
    with pytest.raises(DataError, match="there is no variance beyond the shot noise"):
        fit_model(delta, orthonormal_templates(2, 5_000), expected=np.full(5_000, 20.0))


def test_a_seed_fixes_every_draw():
    delta, templates, expected = independent_counts(20, 0.05, 0.1, n_pix=2_000)
    one, two, other = (fit_model(delta, templates, expected=expected, draws=64, seed=s) for s in (1, 1, 2))
    np.testing.assert_array_equal(one.draws["b"], two.draws["b"])
    assert not np.array_equal(one.draws["b"], other.draws["b"])


def test_permuting_templates_permutes_amplitudes():
    delta, templates, expected = independent_counts(20, 0.05, 0.1, n_pix=3_000)
    fit = fit_model(delta, templates, expected=expected)
    turned = fit_model(delta, templates[::-1], expected=expected)
    np.testing.assert_allclose(turned.maximum.b[::-1], fit.maximum.b, atol=1e-7)
    np.testing.assert_allclose(turned.maximum.a[::-1], fit.maximum.a, atol=1e-7)


def test_multiplicative_model_ties_the_amplitudes():
    delta, templates, expected = independent_counts(20, 0.08, 0.08, n_pix=10_000)
    fit = fit_model(delta, templates, "multiplicative", expected=expected)
    np.testing.assert_array_equal(fit.a, fit.b)
    assert fit.a[0] == pytest.approx(0.08, abs=4 * np.sqrt(fit.cov_a[0, 0]))


def test_names_come_from_the_template_set():
    values = np.zeros((2, 12 * 16**2))
    values[:] = np.random.default_rng(0).standard_normal(values.shape)
    templates = standardise(values, ["dust", "stars"], np.arange(values.shape[1]))
    delta = np.random.default_rng(1).normal(0, 0.3, values.shape[1])
    assert fit_model(delta, templates, "additive").names == ("dust", "stars")


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"sampler": "emce"}, ParameterError, "unknown sampler 'emce': did you mean 'emcee'"),
        ({"device": "tpu"}, ParameterError, "unknown device 'tpu'"),
        ({"precision": "float16"}, ParameterError, "unknown precision 'float16'"),
        ({"degenerate": "keep"}, ParameterError, "unknown treatment of degenerate templates 'keep'"),
        ({"model": "both"}, ParameterError, "unknown model 'both'"),
        ({"likelihood": "poisson"}, ParameterError, "unknown likelihood 'poisson'"),
        ({"sampler": "closed-form"}, DataError, "it exists for the additive model with the gaussian one"),
        ({"n_pix": 60}, DataError, "60 pixels for 7 parameters: give at least 70"),
        ({"constant": True}, DataError, "delta is constant"),
    ],
)
def test_bad_input(arguments, error, message):
    n_pix = arguments.pop("n_pix", 1_000)
    delta = np.zeros(n_pix) if arguments.pop("constant", False) else np.random.default_rng(0).normal(0, 0.3, n_pix)
    with pytest.raises(error, match=message):
        fit_model(delta, orthonormal_templates(3, n_pix), **arguments)
