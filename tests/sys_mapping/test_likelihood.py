import inspect

import numpy as np
import pytest
from scipy import stats
from skies import independent_counts

import sysmap_core
from sysmap_core.backend import jax, jnp
from sysmap_core.errors import DataError, ParameterError
from sysmap_core.inference.contamination import invert_contamination, pack_params
from sysmap_core.sys_mapping.likelihood import make_log_likelihood

A, B, SIGMA, GAMMA = np.array([0.05, -0.02]), np.array([0.03, 0.08]), 0.3, 1.2


CASES = [("additive", False), ("multiplicative", True), ("combined", False), ("combined", True)]


@pytest.fixture(scope="module")
def sky():
    """Overdensity and two correlated templates on 500 pixels; a and b are of the first one."""
    delta, templates, _ = independent_counts(30, 0.05, 0.1, n_pix=500, n_sys=2)
    return delta, np.array([[1.0, 0.0], [0.8, 0.6]]) @ templates


def packed(model, skewed):
    return pack_params(A, B, SIGMA, GAMMA if skewed else None, model)


def by_scipy(delta, templates, model, skewed):
    """Eqs. 17 and 18 with the densities of scipy."""
    b = {"additive": np.zeros(2), "multiplicative": A, "combined": B}[model]
    field = invert_contamination(delta, templates, A, b)
    location = -SIGMA * GAMMA / np.sqrt(1 + GAMMA**2) * np.sqrt(2 / np.pi)
    frozen = stats.skewnorm(GAMMA, location, SIGMA) if skewed else stats.norm(0, SIGMA)
    return frozen.logpdf(field).sum() - np.log(np.abs(1 + b @ templates)).sum()


def test_signature_is_that_of_the_original():
    parameters = inspect.signature(sysmap_core.make_log_likelihood).parameters.values()
    plain = [p.replace(annotation=inspect.Parameter.empty) for p in parameters]
    assert str(inspect.Signature(plain)) == "(n_sys, model, use_skewed=False)"


@pytest.mark.parametrize(("model", "skewed"), CASES)
def test_log_likelihood_equals_scipy(sky, model, skewed):
    log_likelihood = make_log_likelihood(2, model, skewed)
    lnl = log_likelihood(packed(model, skewed), *sky)
    assert lnl.shape == ()
    assert float(lnl) == pytest.approx(by_scipy(*sky, model, skewed), rel=1e-11)
    assert float(jax.jit(log_likelihood)(packed(model, skewed), *sky)) == pytest.approx(float(lnl), rel=1e-12)


@pytest.mark.parametrize(("model", "skewed"), CASES[2:])
def test_gradient_of_the_log_likelihood(sky, model, skewed):
    log_likelihood = make_log_likelihood(2, model, skewed)
    theta = packed(model, skewed)
    gradient = jax.grad(log_likelihood)(theta, *sky)
    steps = 1e-6 * np.eye(len(theta))
    slopes = [(log_likelihood(theta + s, *sky) - log_likelihood(theta - s, *sky)) / 2e-6 for s in steps]
    np.testing.assert_allclose(gradient, slopes, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("skewed", [False, True])
def test_log_likelihood_outside_the_allowed_region(sky, skewed):
    log_likelihood = make_log_likelihood(2, "combined", skewed)
    lowest = -sky[1][0].min()
    outside = [packed("combined", skewed) for _ in range(4)]
    outside[0][2:4] = 0.96 / lowest, 0.0  # an efficiency of 0.04 in one pixel
    outside[1][2:4] = 10.0, 0.0  # negative efficiencies
    outside[2][4], outside[3][4] = 0.0, -0.3
    for theta in outside:
        assert log_likelihood(theta, *sky) == -np.inf
        assert np.all(np.isfinite(jax.grad(log_likelihood)(theta, *sky)))
    inside = packed("combined", skewed)
    inside[2:4] = 0.94 / lowest, 0.0
    assert np.isfinite(log_likelihood(inside, *sky))
    for position in (0, 2, 4):
        for value in (np.nan, np.inf):
            theta = packed("combined", skewed)
            theta[position] = value
            assert log_likelihood(theta, *sky) == -np.inf


def test_unknown_model_is_told_before_data():
    with pytest.raises(ParameterError, match="unknown model 'both'"):
        make_log_likelihood(2, "both")


def test_bad_shapes(sky):
    delta, templates = sky
    with pytest.raises(DataError, match=r"delta_g_obs has shape \(499,\) and delta_t \(2, 500\)"):
        make_log_likelihood(2, "additive")(jnp.ones(3), delta[1:], templates)
    with pytest.raises(DataError, match="theta has 4 values: the additive model with 2 templates has 3"):
        make_log_likelihood(2, "additive")(jnp.ones(4), delta, templates)
