import inspect

import numpy as np
import pytest
from skies import ClusteredSky, independent_counts

import sysmap_core
from sysmap_core.errors import DataError, ParameterError
from sysmap_core.inference.contamination import pack_params
from sysmap_core.inference.posterior import fit_model
from sysmap_core.methods.decontamination import decontaminate
from sysmap_core.methods.table import METHODS
from sysmap_core.sys_mapping.methods import (
    METHOD_COLORS,
    METHOD_ORDER,
    elasticnet_contamination_fit,
    iterative_systematics_decontamination,
    likelihood_ratio_test,
    method_comparison,
    run_decontamination,
)


@pytest.fixture(scope="module")
def pixels():
    delta, templates, _ = independent_counts(200, 0.1, 0.1, n_pix=5_000)
    return delta, templates


def packed(fit):
    best = fit.maximum
    b = best.b if fit.model == "combined" else None
    return pack_params(best.a, b, best.sigma, model=fit.model)


def test_likelihood_ratio_of_maxima(pixels):
    fits = {m: fit_model(*pixels, m, "gaussian") for m in ("additive", "combined")}
    thetas = packed(fits["additive"]), packed(fits["combined"])
    test = likelihood_ratio_test(*pixels, *thetas, "additive", "combined")
    wanted = 2 * (fits["combined"].maximum.lnl - fits["additive"].maximum.lnl)
    assert test.lambda_lr == pytest.approx(wanted, rel=1e-6)
    assert test.n_dof == 3
    assert test.reject_null
    assert test.p_value < 1e-6
    none = np.concatenate([thetas[0][:3], np.full(3, 0.2), thetas[0][3:]])
    with pytest.raises(DataError, match="theta_alt is no maximum of the combined model"):
        likelihood_ratio_test(*pixels, thetas[0], none, "additive", "combined")
    with pytest.raises(ParameterError, match="give the model with fewer parameters as the null"):
        likelihood_ratio_test(*pixels, *thetas[::-1], "combined", "additive")
    with pytest.raises(ParameterError, match="significance is 5"):
        likelihood_ratio_test(*pixels, *thetas, "additive", "combined", significance=5)


@pytest.mark.parametrize("method", ["OLS", "elasticnet", "ISD-1", "isd", "additive_mcmc", "combined_mcmc"])
def test_every_method_without_positions(pixels, method):
    found = run_decontamination(method, *pixels)
    assert found["a_hat"][0] == pytest.approx(0.1, abs=0.02)
    assert found["var_a"][0] == pytest.approx(0.3**2 / 5_000, rel=0.3)
    assert found["weights"].shape == found["cleaned"].shape == (5_000,)
    # what is left follows the first template no more
    assert abs(found["cleaned"] @ pixels[1][0]) / 5_000 < 0.02
    if method != "combined_mcmc":
        assert np.corrcoef(1 / found["weights"], pixels[1][0])[0, 1] > 0.9


def test_methods_that_need_positions_say_so(pixels):
    with pytest.raises(DataError, match="ISD-DES-1 needs to know where the pixels are"):
        run_decontamination("ISD-DES-1", *pixels)
    with pytest.raises(ParameterError, match=r"isd_lambda_poly is 0.1: .* leave it at 0"):
        run_decontamination("ISD-3", *pixels, isd_lambda_poly=0.1)


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
    np.testing.assert_allclose(found["ols"]["a_hat"], decontaminate(field, sky.templates, "OLS").a, atol=1e-10)


def test_intercept_of_the_elastic_net(pixels):
    delta, templates = pixels
    a, contamination, details = elasticnet_contamination_fit(delta + 1.0, templates, fit_intercept=True, alpha_reg=1e-6)
    np.testing.assert_allclose(contamination.mean(), 1.0 + delta.mean(), atol=1e-10)
    np.testing.assert_allclose(a, templates @ delta / 5_000, atol=1e-4)
    assert details["alpha"] == 1e-6


def test_weights_of_isd(pixels):
    weights, a, fits = iterative_systematics_decontamination(*pixels, poly_order=1)
    assert a[0] == pytest.approx(0.1, abs=0.02)
    assert 1 < fits <= 20
    inner = np.all(np.abs(pixels[1]) < 2, axis=0)  # curves are constant in the tails
    np.testing.assert_allclose(1 / weights[inner], (1 + a @ pixels[1])[inner], atol=0.02)
    with pytest.raises(ParameterError, match="lambda_poly is 1"):
        iterative_systematics_decontamination(*pixels, lambda_poly=1)


def test_styles_follow_the_table():
    assert list(METHODS) == METHOD_ORDER
    assert METHOD_COLORS["OLS"] == METHODS["OLS"].colour
    assert set(sysmap_core.METHOD_MARKERS) == {*METHODS, "observed", "uncorrected"}


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
