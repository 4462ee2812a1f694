from types import SimpleNamespace

import jax
import numpy as np
import pytest
from scipy import stats
from skies import independent_counts, orthonormal_templates

from sysmap_core.errors import DataError, ParameterError
from sysmap_core.inference.likelihood import LIKELIHOODS, field_rms, find_likelihood, pixel_density
from sysmap_core.inference.pixel_likelihood import PixelSums
from sysmap_core.inference.posterior import fit_model
from sysmap_core.sky.counts import CountNoise

A, B, SIGMA, GAMMA = np.array([0.03, -0.02]), np.array([0.05, 0.01]), 0.4, 1.3


@pytest.fixture(scope="module")
def sky():
    return independent_counts(20, 0.05, 0.1, n_pix=9_001, n_sys=2)


def at(row):
    return np.concatenate([A, B, [np.log(SIGMA)], [GAMMA] if row.skewed else []])


def noise_of(nbar):
    """Noise of galaxies and of a coverage that was counted with five randoms each."""
    return CountNoise(1.0 / nbar, 0.2 / nbar)


def direct(name, delta, templates, nbar, rho=0.0):
    """The equations of the theory chapter, written out with scipy."""
    additive, efficiency = A @ templates, 1 + B @ templates
    if name == "shot-noise":
        noise = (1 + additive) / nbar + (1 + additive) ** 2 * rho
        width = np.sqrt((SIGMA * efficiency) ** 2 * (1 + rho) + noise)
        return stats.norm.logpdf(delta, additive, width).sum()
    residual = (delta - additive) / efficiency
    shape = GAMMA if name == "skew-normal" else 0.0
    location = -SIGMA * shape / np.sqrt(1 + shape**2) * np.sqrt(2 / np.pi)
    return (stats.skewnorm.logpdf(residual, shape, location, SIGMA) - np.log(efficiency)).sum()


@pytest.mark.parametrize("name", LIKELIHOODS)
def test_equals_the_equations(sky, name):
    delta, templates, nbar = sky
    sums = PixelSums(delta, templates, "combined", name, CountNoise.poisson(nbar))
    assert sums.values(at(sums.row))[0][0] == pytest.approx(direct(name, delta, templates, nbar), rel=1e-12)


def test_randoms_are_noise(sky):
    """The variance of finite randoms, written out, with few randoms in some pixels and many in others."""
    delta, templates, nbar = sky
    noise = noise_of(nbar)
    sums = PixelSums(delta, templates, "combined", "shot-noise", noise)
    found = sums.values(at(sums.row))[0][0]
    assert found == pytest.approx(direct("shot-noise", delta, templates, nbar, noise.coverage), rel=1e-12)
    assert found != pytest.approx(direct("shot-noise", delta, templates, nbar), rel=1e-3)


@pytest.mark.parametrize("model", ["additive", "multiplicative", "combined"])
@pytest.mark.parametrize("name", LIKELIHOODS)
def test_derivatives_are_those_of_the_values(sky, name, model):
    delta, templates, nbar = sky
    sums = PixelSums(delta, templates, model, name, noise_of(nbar))
    x = np.concatenate([np.full(sums.n_free, 0.03), [np.log(SIGMA)], [GAMMA] if sums.row.skewed else []])
    lnl, gradient, hessian = sums.derivatives(x)
    step = 1e-4 * np.eye(len(x))
    up, down = (sums.values(x + sign * step)[0] for sign in (1, -1))
    assert lnl == pytest.approx(sums.values(x)[0][0], rel=1e-12)
    np.testing.assert_allclose(gradient, (up - down) / 2e-4, rtol=1e-4, atol=1e-2)
    columns = [(sums.derivatives(x + s)[1] - sums.derivatives(x - s)[1]) / 2e-4 for s in step]
    np.testing.assert_allclose(hessian, columns, rtol=1e-4, atol=1.0)


def test_shot_noise_tends_to_gaussian(sky):
    delta, templates, _ = sky
    many = PixelSums(delta, templates, "combined", "shot-noise", CountNoise.poisson(np.full(len(delta), 1e12)))
    gauss = PixelSums(delta, templates, "combined", "gaussian")
    assert many.values(at(many.row))[0][0] == pytest.approx(gauss.values(at(gauss.row))[0][0], rel=1e-9)


def test_below_the_floor_is_impossible(sky):
    delta, templates, nbar = sky
    sums = PixelSums(delta, templates, "combined", "shot-noise", CountNoise.poisson(nbar))
    x = at(sums.row)
    x[2] = 10.0
    lnl, efficiency = sums.values(x)
    assert lnl[0] == -np.inf
    assert efficiency[0] < 0.05


def test_double_precision():
    assert jax.config.jax_enable_x64


@pytest.mark.parametrize("name", LIKELIHOODS)
def test_density_integrates_to_one_with_zero_mean(name):
    fit = SimpleNamespace(likelihood=name, maximum=SimpleNamespace(sigma=0.3, gamma=2.0))
    grid = np.linspace(-4, 4, 4001)
    density = pixel_density(fit, grid, noise_of(np.array([20.0, 40.0])))
    assert np.trapezoid(density, grid) == pytest.approx(1.0, abs=1e-6)
    assert np.trapezoid(grid * density, grid) == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("gamma", [0.0, -1.0, 3.0])
def test_rms_of_a_skewed_field(gamma):
    assert field_rms(0.3, gamma) == pytest.approx(stats.skewnorm.std(gamma, scale=0.3))


def test_unknown_likelihood():
    with pytest.raises(ParameterError, match="unknown likelihood 'gausian': did you mean 'gaussian'"):
        find_likelihood("gausian")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"expected": None}, "needs expected, the expected galaxies per pixel"),
        ({"expected": np.ones(3)}, r"expected has shape \(3,\)"),
        ({"expected": np.zeros(9_001)}, "minimum 0: give .* all positive"),
        ({"templates": orthonormal_templates(2, 50)}, r"delta has shape \(9001,\) and templates \(2, 50\)"),
        ({"delta": np.full(9_001, np.nan)}, "delta has 9001 values that are not finite"),
    ],
)
def test_bad_input(sky, change, message):
    given = dict(zip(("delta", "templates", "expected"), sky, strict=True)) | change
    with pytest.raises(DataError, match=message):
        fit_model(given["delta"], given["templates"], "combined", "shot-noise", expected=given["expected"])
