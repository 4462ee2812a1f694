import inspect

import numpy as np
import pytest
from skies import ClusteredSky, independent_counts

import sysmap_core
from sysmap_core.errors import DataError, ParameterError
from sysmap_core.inference.contamination import n_free_params
from sysmap_core.methods.decontamination import decontaminate
from sysmap_core.methods.table import METHODS
from sysmap_core.sys_mapping.correction import rotate_templates
from sysmap_core.sys_mapping.plotting import METHOD_ORDER
from sysmap_core.sys_mapping.regression import (
    elasticnet_contamination_fit,
    iterative_systematics_decontamination,
    method_comparison,
    run_decontamination,
)
from sysmap_core.sys_mapping.results import KEYS

OWN_KEYS = {
    "flat_chain": "MCMC",
    "R": "MCMC",
    "a_rot": "MCMC",
    "cov_b_rot": "MCMC",
    "sampler": "MCMC",
    "n_iterations": "ISD",
    "isd_outlier_mask": "ISD",
    "isd_masked_fraction": "ISD",
    "cv_info": "ElasticNet",
}


@pytest.fixture(scope="module")
def pixels():
    delta, templates, _ = independent_counts(200, 0.1, 0.1, n_pix=5_000)
    return delta, templates


@pytest.mark.parametrize("method", [*METHOD_ORDER, "ols", "isd", "additive_mcmc"])
def test_every_method_without_positions(pixels, method):
    found = run_decontamination(method, *pixels)
    assert found["a_hat"][0] == pytest.approx(0.1, abs=0.02)
    assert found["var_a"][0] == pytest.approx(0.3**2 / 5_000, rel=0.3)
    assert found["weights"].shape == found["cleaned"].shape == (5_000,)
    # what is left follows the first template no more, with one weight or with both
    assert abs(found["cleaned"] @ pixels[1][0]) / 5_000 < 0.02
    density = 1 + pixels[0]
    assert abs((found["weights"] * density) @ pixels[1][0]) / 5_000 < 0.02
    both = found["galaxy_weights"] * density - found["random_weights"]
    assert abs(both @ pixels[1][0]) / 5_000 < 0.02
    assert np.corrcoef(1 / found["weights"], pixels[1][0])[0, 1] > 0.9
    assert found["chi2_residual"] == pytest.approx(np.mean((pixels[0] - found["a_hat"] @ pixels[1]) ** 2))
    assert set(KEYS) <= set(found)
    for key, methods in OWN_KEYS.items():
        assert (found[key] is not None) == found["method"].startswith(methods)


def test_amplitudes_are_per_unit_of_the_templates_that_came(pixels):
    delta, templates = pixels
    for method in ("OLS", "ElasticNet", "ISD-1", "MCMC-add"):
        one, scaled = (run_decontamination(method, delta, t) for t in (templates, 2.0 * templates + 0.7))
        np.testing.assert_allclose(2.0 * scaled["a_hat"], one["a_hat"], atol=1e-10)
        np.testing.assert_allclose(4.0 * scaled["cov_a"], one["cov_a"], rtol=1e-6, atol=1e-12)
        np.testing.assert_allclose(scaled["weights"], one["weights"], atol=1e-9)


@pytest.mark.parametrize("method", ["MCMC-add", "MCMC-comb"])
def test_draws_are_of_uncorrelated_templates(pixels, method):
    delta, templates = pixels
    mixed = np.array([[1.0, 0.0, 0.0], [0.6, 0.8, 0.0], [0.3, -0.5, 0.4]]) @ templates
    found = run_decontamination(method, delta, 2.0 * mixed)
    rotation, chain = found["R"], found["flat_chain"]
    assert chain.shape[1] == n_free_params(3, METHODS[method].model) + 1
    np.testing.assert_allclose(rotation, rotate_templates(2.0 * mixed)[1])
    np.testing.assert_allclose(rotation.T @ found["a_rot"], found["a_hat"])
    np.testing.assert_allclose(rotation.T @ found["cov_a_rot"] @ rotation, found["cov_a"], atol=1e-12)
    errors = np.sqrt(np.diag(found["cov_a"]))
    np.testing.assert_allclose((chain[:, :3] @ rotation).mean(0), found["a_hat"], atol=0.15 * errors.max())
    np.testing.assert_allclose(np.cov((chain[:, :3] @ rotation).T), found["cov_a"], atol=0.2 * errors.max() ** 2)
    assert np.median(chain[:, -1]) == pytest.approx(found["sigma_hat"], rel=0.01)
    assert found["acceptance_fraction"] == found["sampler"].acceptance_fraction == found["rhat"] == 1.0
    assert 500 < found["ess"] <= len(chain)
    assert found["num_divergences"] == 0


def test_pixels_at_the_largest_weight():
    rng = np.random.default_rng(0)
    t = rng.standard_normal((1, 4000))
    density = np.maximum(1.0 + 0.8 * t[0], 0.0) * np.maximum(1.0 + 0.1 * rng.standard_normal(4000), 0.0)
    found = run_decontamination("ISD-1", density / density.mean() - 1.0, t)
    capped = found["weights"] >= 20.0 - 1e-6
    assert 0 < capped.mean() == found["isd_masked_fraction"]
    np.testing.assert_array_equal(found["isd_outlier_mask"], capped)
    assert 1 <= found["n_iterations"] <= 50


def test_what_cannot_be_run_says_why(pixels):
    names = r"method must be one of \['OLS', 'ElasticNet', 'ISD-1', 'ISD-3', 'MCMC-add', 'MCMC-comb'\], got"
    for method in ("ISD-DES-1", "Lasso"):
        with pytest.raises(ParameterError, match=f"{names} '{method}'; .*GLS-comb need positions"):
            run_decontamination(method, *pixels)
    with pytest.raises(ParameterError, match=r"isd_lambda_poly is 0.1: .* leave it at 0"):
        run_decontamination("ISD-3", *pixels, isd_lambda_poly=0.1)
    with pytest.raises(ParameterError, match="unknown argument 'n_chain': did you mean 'n_chains'"):
        run_decontamination("OLS", *pixels, n_chain=2)
    with pytest.raises(ParameterError, match="preselect is True: choose templates first"):
        run_decontamination("OLS", *pixels, sampler="nuts", preselect=True)
    with pytest.raises(ParameterError, match="unknown argument in mcmc_kwargs 'foo'"):
        method_comparison(*pixels, np.arange(5_000), 32, ("ols",), mcmc_kwargs={"foo": 1})
    with pytest.raises(DataError, match="for 12288 pixels"):
        method_comparison(*pixels, np.ones(12288, bool), 32, ("ols",))


def test_skewed_fields(pixels):
    plain, skewed = (run_decontamination("MCMC-comb", *pixels, use_skewed=s) for s in (False, True))
    assert skewed["diagnostics"]["lnl"] > plain["diagnostics"]["lnl"]


def test_comparison_is_that_of_the_methods():
    sky = ClusteredSky(nside=16)
    field = sky.field(0, a=0.1)
    mask = np.zeros(12 * 16**2, bool)
    mask[field.pixels] = True
    found = method_comparison(field.delta, sky.templates.values, mask, 16)
    assert list(found) == ["combined_mcmc", "additive_mcmc", "elasticnet", "ols"]
    by_door = decontaminate(field, sky.templates, "ElasticNet", spectrum=sky.spectrum)
    np.testing.assert_allclose(found["elasticnet"]["a_hat"], by_door.a, atol=1e-10)
    assert found["elasticnet"]["cv_info"]["cv_scores"].shape == (100,)
    np.testing.assert_array_equal(found["ols"]["alpha_hat"], found["ols"]["a_hat"])
    np.testing.assert_allclose(found["ols"]["a_hat"], decontaminate(field, sky.templates, "OLS").a, atol=1e-10)


def test_elastic_net_gives_weights_and_what_it_chose(pixels):
    delta, templates = pixels
    a, weights, info = elasticnet_contamination_fit(delta, templates)
    np.testing.assert_allclose(weights, 1.0 / np.clip(1.0 + a @ templates, 0.05, 20.0))
    assert info["l1_ratio"] == 0.5
    assert info["cv_scores"].shape == (100,)
    assert info["alpha_reg"] > 0
    again, _, given = elasticnet_contamination_fit(delta, templates, alpha_reg=info["alpha_reg"])
    np.testing.assert_allclose(again, a, atol=1e-10)
    assert given["cv_scores"] is None


def test_intercept_of_the_elastic_net(pixels):
    delta, templates = pixels
    a, weights, info = elasticnet_contamination_fit(delta + 1.0, templates, fit_intercept=True, alpha_reg=1e-6)
    assert info["intercept"] == pytest.approx(1.0 + delta.mean())
    np.testing.assert_allclose(a, templates @ delta / 5_000, atol=1e-4)
    np.testing.assert_allclose(1.0 / weights, 1.0 + a @ templates)
    assert info["alpha_reg"] == 1e-6


def test_order_is_reduced_where_pixels_are_few(pixels):
    delta, templates = (part[..., :85] for part in pixels)
    with pytest.warns(UserWarning, match="poly_order=3 gives 9 columns for 85 pixels: it is reduced to 1"):
        reduced = iterative_systematics_decontamination(delta, templates)
    np.testing.assert_array_equal(reduced[0], iterative_systematics_decontamination(delta, templates, poly_order=1)[0])


def test_weights_of_isd(pixels):
    weights, a, fits = iterative_systematics_decontamination(*pixels, poly_order=1)
    assert a[0] == pytest.approx(0.1, abs=0.02)
    assert 1 < fits <= 20
    inner = np.all(np.abs(pixels[1]) < 2, axis=0)  # curves are constant in the tails
    np.testing.assert_allclose(1 / weights[inner], (1 + a @ pixels[1])[inner], atol=0.02)
    with pytest.raises(ParameterError, match="lambda_poly is 1"):
        iterative_systematics_decontamination(*pixels, lambda_poly=1)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("block_bootstrap_variance", "delta_g_obs delta_t good_pixels nside estimator n_bootstrap n_patches seed"),
        ("jackknife_covariance", "delta_g_obs delta_t good_pixels nside estimator n_patches"),
        (
            "likelihood_ratio_test",
            "delta_g_obs delta_t theta_null theta_alt null_model alt_model use_skewed significance",
        ),
        ("method_comparison", "delta_g_obs delta_t good_pixels nside methods seed mcmc_kwargs"),
        ("null_test_cross_correlations", "weights delta_t n_bootstrap seed"),
        ("snr_template_ranking", "delta_g_obs delta_t method"),
        ("footprint_mask_diagnostics", "delta_g_obs delta_t mask_fractions good_pixels"),
    ],
)
def test_arguments_are_those_of_the_original(name, arguments):
    assert " ".join(inspect.signature(getattr(sysmap_core, name)).parameters) == arguments
