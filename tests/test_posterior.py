import emcee
import numpy as np
import pytest
from skies import independent_counts, orthonormal_templates

from sysmap_core.errors import DataError, ParameterError
from sysmap_core.likelihood import PixelSums
from sysmap_core.posterior import fit_model
from sysmap_core.templates import standardise

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


def test_closed_form_draws_have_its_moments():
    delta, templates, _ = independent_counts(20, 0.05, 0.0, n_pix=2_000)
    fit = fit_model(delta, templates, "additive", "gaussian", draws=100_000)
    np.testing.assert_allclose(fit.draws["a"].mean(0), fit.a, atol=0.02 * np.sqrt(fit.cov_a.max()))
    np.testing.assert_allclose(np.cov(fit.draws["a"].T), fit.cov_a, atol=0.03 * fit.cov_a.max())
    assert fit.draws["sigma"].mean() == pytest.approx(fit.sigma, abs=5 * fit.draws["sigma"].std() / 300)
    assert fit.draws["sigma"].std() == pytest.approx(np.sqrt(fit.cov[-2, -2]), rel=0.03)


@pytest.mark.parametrize("likelihood", ["gaussian", "shot-noise", "skew-normal"])
def test_importance_equals_a_converged_chain(likelihood):
    """Emcee, started on the posterior itself and long against its autocorrelation time."""
    delta, templates, expected = independent_counts(10, 0.05, 0.1, n_pix=1_000, n_sys=1)
    fit = fit_model(delta, templates, likelihood=likelihood, expected=expected, draws=8192)
    sums = PixelSums(delta, templates, "combined", likelihood, expected)

    def log_posterior(x):
        return sums.values(x)[0] + x[:, sums.n_free]

    pick = np.random.default_rng(1).choice(len(fit.weights), 64, p=fit.weights, replace=False)
    names = ["a", "b", "sigma", "gamma"][: 3 + sums.row.skewed]
    start = np.column_stack([fit.draws[n][pick] for n in names])
    start[:, 2] = np.log(start[:, 2])
    sampler = emcee.EnsembleSampler(64, sums.n_params, log_posterior, vectorize=True)
    sampler._random = np.random.RandomState(1)
    sampler.run_mcmc(start, 3000)
    assert sampler.get_autocorr_time(tol=50).max() < 3000 / 50
    chain = sampler.get_chain(discard=200, flat=True)
    chain[:, 2] = np.exp(chain[:, 2])
    index = [0, 1, 2, 3][: sums.n_params]
    means = np.array([fit.a[0], fit.b[0], fit.sigma, fit.gamma])[index]
    widths = np.sqrt(np.diag(fit.cov))[index]
    np.testing.assert_allclose((means - chain.mean(0)) / widths, 0.0, atol=0.1)
    np.testing.assert_allclose(widths, chain.std(0), rtol=0.05)


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


def test_never_on_the_pole():
    """A template with heavy tails and an outlier that a pole could swallow."""
    rng = np.random.default_rng(0)
    template = rng.standard_t(2, 4_000)
    template = ((template - template.mean()) / template.std())[None]
    delta = rng.normal(0, 0.3, 4_000)
    for likelihood in ("gaussian", "shot-noise"):
        fit = fit_model(delta, template, likelihood=likelihood, expected=np.full(4_000, 20.0))
        assert fit.diagnostics["min_efficiency"] >= 0.05
        assert abs(fit.b[0]) < 0.1


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
        ({"sampler": "emce"}, ParameterError, "unknown sampler 'emce'"),
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
