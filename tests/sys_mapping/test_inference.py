import inspect

import emcee
import numpy as np
import pytest
from skies import independent_counts

import sysmap_core
from sysmap_core.errors import DataError, ParameterError, ShortChainWarning
from sysmap_core.inference.contamination import MODELS, n_free_params, pack_params
from sysmap_core.inference.pixel_likelihood import PixelSums
from sysmap_core.inference.posterior import fit_model
from sysmap_core.sys_mapping import inference as arrays
from sysmap_core.sys_mapping.likelihood import make_log_likelihood

A, B, SIGMA, GAMMA = np.array([0.05, -0.02]), np.array([0.03, 0.08]), 0.3, 1.2

CASES = [("additive", False), ("multiplicative", True), ("combined", False), ("combined", True)]

MIXING = np.array([[1.0, 0.0], [0.8, 0.6]])

SIGNATURES = {
    "make_log_prob": "n_sys, model, delta_g_obs, delta_t, use_skewed=False, sigma_min=1e-06, vectorize=False",
    "run_mcmc": "n_sys, *, model='combined', delta_g_obs, delta_t, use_skewed=False, n_walkers=250, n_steps=1500, "
    "n_burn=300, seed=42, progress=True, vectorize=False",
    "get_mle_params": "flat_chain",
    "get_param_variance_from_chain": "flat_chain, n_sys, model",
    "get_param_covariance_from_chain": "flat_chain, n_sys, model",
}


@pytest.fixture(scope="module")
def sky():
    """Overdensity and two correlated templates on 500 pixels; a and b are of the first one."""
    delta, templates, _ = independent_counts(30, 0.05, 0.1, n_pix=500, n_sys=2)
    return delta, MIXING @ templates


def packed(model, skewed):
    return pack_params(A, B, SIGMA, GAMMA if skewed else None, model)


def chain_of(sky, **arguments):
    few = {"n_walkers": 12, "n_steps": 40, "n_burn": 10, "seed": 3, "progress": False, "vectorize": True}
    with pytest.warns(ShortChainWarning):
        return arrays.run_mcmc(2, delta_g_obs=sky[0], delta_t=sky[1], **few | arguments)


@pytest.mark.parametrize("name", SIGNATURES)
def test_signatures_are_those_of_the_original(name):
    function = getattr(sysmap_core, name)
    parameters = inspect.signature(function).parameters.values()
    plain = [p.replace(annotation=inspect.Parameter.empty) for p in parameters]
    assert str(inspect.Signature(plain)) == f"({SIGNATURES[name]})"


@pytest.mark.parametrize(("model", "skewed"), CASES)
def test_log_prob_is_the_likelihood_inside_the_prior(sky, model, skewed):
    theta = packed(model, skewed)
    lnl = float(make_log_likelihood(2, model, skewed)(theta, *sky))
    one, n_dim = arrays.make_log_prob(2, model, *sky, use_skewed=skewed)
    many, _ = arrays.make_log_prob(2, model, *sky, use_skewed=skewed, vectorize=True)
    assert n_dim == len(theta) == n_free_params(2, model) + 1 + skewed
    assert isinstance(one(theta), float)
    assert one(theta) == pytest.approx(lnl, rel=1e-12)
    excluded = np.tile(theta, (4, 1))
    excluded[1:, n_free_params(2, model)] = 1e-6, -0.3, np.nan
    np.testing.assert_allclose(many(excluded), [lnl, -np.inf, -np.inf, -np.inf], rtol=1e-12)
    assert [one(row) for row in excluded[1:]] == [-np.inf] * 3


def test_log_prob_keeps_its_prior(sky):
    log_prob, _ = arrays.make_log_prob(2, "additive", *sky, sigma_min=0.5)
    assert log_prob([0.0, 0.0, 0.49]) == -np.inf
    assert np.isfinite(log_prob([0.0, 0.0, 0.51]))
    no_floor, _ = arrays.make_log_prob(2, "additive", *sky, sigma_min=-1.0)
    assert no_floor([0.0, 0.0, -0.3]) == -np.inf


def test_log_prob_does_not_change_its_argument(sky):
    theta = np.array([[0.0, 0.0, 0.3]])
    arrays.make_log_prob(2, "additive", *sky, vectorize=True)[0](theta)
    np.testing.assert_array_equal(theta, [[0.0, 0.0, 0.3]])


def test_chain_agrees_with_importance_draws(sky):
    fit = fit_model(*sky, sampler="importance", draws=8192)
    size = {"n_walkers": 32, "n_steps": 3700, "n_burn": 200}
    chain, sampler = arrays.run_mcmc(2, delta_g_obs=sky[0], delta_t=sky[1], **size, progress=False, vectorize=True)
    assert isinstance(sampler, emcee.EnsembleSampler)
    assert chain.shape == (32 * 3500, 5)
    assert sampler.get_chain().shape == (3700, 32, 5)
    # independent draws are 50 steps apart: a mean is known to 0.02 of the width
    widths = np.sqrt(np.diag(fit.cov))[:5]
    offset = (chain.mean(0) - np.concatenate([fit.a, fit.b, [fit.sigma]])) / widths
    np.testing.assert_allclose(offset, 0.0, atol=0.1)
    np.testing.assert_allclose(chain.std(0), widths, rtol=0.06)
    found = np.array(arrays.get_param_covariance_from_chain(chain, 2, "combined"))
    np.testing.assert_allclose(found, [fit.cov_a, fit.cov_b], atol=0.15 * fit.cov_a.max())
    truth = np.array([0.05, 0.0, 0.1, 0.0])
    np.testing.assert_array_less(np.abs(arrays.get_mle_params(chain)[:4] - truth), 4 * widths[:4])


@pytest.mark.parametrize(("model", "skewed"), [("combined", False), ("multiplicative", True)])
def test_walkers_start_on_the_posterior(sky, model, skewed):
    """Their spread is that of the fit from the first steps on."""
    chain, sampler = chain_of(sky, model=model, use_skewed=skewed, n_walkers=200, n_steps=3, n_burn=0)
    likelihood = "skew-normal" if skewed else "gaussian"
    fit = fit_model(*sky, model, likelihood, sampler="importance")
    kept = [0, 1, 2, 3, 4, 5] if model == "combined" else [0, 1, 4, 5]
    kept = kept if skewed else kept[:-1]
    assert chain.shape == (600, len(kept))
    widths = np.sqrt(np.diag(fit.cov))[kept]
    np.testing.assert_allclose(chain.std(0), widths, rtol=0.5)
    best = np.concatenate([fit.maximum.a, fit.maximum.b, [fit.maximum.sigma, fit.maximum.gamma]])[kept]
    np.testing.assert_array_less(np.abs(np.median(chain, 0) - best), widths)
    assert np.all(np.isfinite(sampler.get_log_prob()))


def test_a_seed_fixes_the_chain(sky):
    one, two, other = (chain_of(sky, seed=seed)[0] for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, two)
    assert not np.array_equal(one, other)


def test_one_by_one_gives_the_same_chain(sky):
    (together, all_at_once), (single, one_by_one) = (chain_of(sky, vectorize=v) for v in (True, False))
    np.testing.assert_allclose(together, single, rtol=1e-12)
    np.testing.assert_allclose(all_at_once.get_log_prob(), one_by_one.get_log_prob(), rtol=1e-10)


@pytest.mark.parametrize("n_steps", [11, 40])
def test_short_chain_is_told(sky, n_steps):
    message = f"the chain keeps {n_steps - 10} steps, fewer than 50 autocorrelation times of .*: take more n_steps"
    with pytest.warns(ShortChainWarning, match=message) as caught:
        arrays.run_mcmc(2, delta_g_obs=sky[0], delta_t=sky[1], n_walkers=12, n_steps=n_steps, n_burn=10, progress=False)
    assert caught[0].filename == __file__


@pytest.mark.parametrize("skewed", [False, True])
def test_covariances_from_a_chain(skewed):
    rng = np.random.default_rng(0)
    for model in MODELS:
        n_dim = n_free_params(3, model) + 1 + skewed
        chain = rng.standard_normal((400, n_dim)) @ rng.standard_normal((n_dim, n_dim))
        cov = np.cov(chain.T)
        wanted_b = {"additive": np.zeros((3, 3)), "multiplicative": cov[:3, :3], "combined": cov[3:6, 3:6]}[model]
        cov_a, cov_b = arrays.get_param_covariance_from_chain(chain, 3, model)
        np.testing.assert_allclose(cov_a, cov[:3, :3], rtol=1e-12)
        np.testing.assert_allclose(cov_b, wanted_b, rtol=1e-12)
        var_a, var_b = arrays.get_param_variance_from_chain(chain, 3, model)
        np.testing.assert_array_equal(var_a, np.diag(cov_a))
        np.testing.assert_array_equal(var_b, np.diag(cov_b))
        np.testing.assert_array_equal(arrays.get_mle_params(chain), np.median(chain, 0))


def test_covariance_of_one_template_is_a_matrix():
    chain = np.random.default_rng(0).standard_normal((50, 2))
    cov_a, cov_b = arrays.get_param_covariance_from_chain(chain, 1, "additive")
    assert cov_a.shape == cov_b.shape == (1, 1)
    assert cov_a[0, 0] == pytest.approx(chain[:, 0].var(ddof=1))


def test_bad_shapes(sky):
    delta, templates = sky
    with pytest.raises(DataError, match=r"give \(n_pix,\) and \(3, n_pix\), as n_sys is 3"):
        arrays.make_log_prob(3, "additive", delta, templates)
    for vectorize, theta in ((False, np.ones((2, 3))), (True, np.ones(3)), (False, np.ones(4))):
        log_prob, _ = arrays.make_log_prob(2, "additive", delta, templates, vectorize=vectorize)
        with pytest.raises(DataError, match=r"theta has shape .* as vectorize is"):
            log_prob(theta)
    with pytest.raises(DataError, match="flat_chain has 4 columns: the combined model with 2 templates has 5, or 6"):
        arrays.get_param_covariance_from_chain(np.ones((10, 4)), 2, "combined")
    with pytest.raises(DataError, match=r"flat_chain has shape \(1, 3\): .* at least 2 draws"):
        arrays.get_param_variance_from_chain(np.ones((1, 3)), 2, "additive")
    with pytest.raises(DataError, match=r"flat_chain has shape \(3,\)"):
        arrays.get_mle_params(np.ones(3))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"model": "both"}, ParameterError, "unknown model 'both'"),
        ({"n_walkers": 9}, ParameterError, "n_walkers is 9 for 5 parameters: give at least 10"),
        ({"n_burn": 1500}, ParameterError, "n_burn is 1500 and n_steps 1500: take 0 <= n_burn < n_steps"),
        ({"delta_g_obs": np.zeros(500)}, DataError, "delta is constant"),
        ({"delta_g_obs": np.full(500, np.nan)}, DataError, "delta has 500 values that are not finite"),
        ({"delta_t": np.ones((2, 500))}, DataError, "templates template 0, template 1 are linear combinations"),
    ],
)
def test_bad_runs(sky, arguments, error, message):
    with pytest.raises(error, match=message):
        arrays.run_mcmc(2, **{"delta_g_obs": sky[0], "delta_t": sky[1], "progress": False} | arguments)


def test_density_in_sigma_and_in_its_logarithm_agree(sky):
    """The flat prior in sigma is that of fit_model, which samples ln sigma."""
    sums = PixelSums(*sky, "combined", "gaussian")
    theta = packed("combined", False)
    x = np.concatenate([theta[:4], [np.log(theta[4])]])
    log_prob, _ = arrays.make_log_prob(2, "combined", *sky)
    assert float(sums.log_posterior()(x)) == pytest.approx(log_prob(theta) + np.log(SIGMA), rel=1e-12)
