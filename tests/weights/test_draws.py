from dataclasses import replace

import numpy as np
import pytest
from skies import ClusteredSky

from sysmap_core.errors import ParameterError
from sysmap_core.methods.decontamination import MIN_WEIGHT_DENOMINATOR, decontaminate
from sysmap_core.samples.sample import Sample
from sysmap_core.sky.random_points import uniform_randoms
from sysmap_core.weights.checks import check
from sysmap_core.weights.columns import at_positions, pair_meaning
from sysmap_core.weights.draws import draw_amplitudes, draw_weights, write_weight_draws
from sysmap_core.weights.files import read_weights

SKY = ClusteredSky(nside=8)

FIELD = SKY.field(0, a=0.1, b=0.1)


def fitted(method, shrinkage="none"):
    return decontaminate(FIELD, SKY.templates, method, spectrum=SKY.spectrum, shrinkage=shrinkage, seed=5)


@pytest.fixture(scope="module")
def combined():
    return fitted("MCMC-comb")


@pytest.fixture(scope="module")
def sample():
    rng = np.random.default_rng(0)
    inside = SKY.coverage > 0
    return Sample(
        identifier="TEST",
        title="test",
        nside=8,
        galaxy_counts=SKY.coverage,
        coverage=SKY.coverage,
        maps=np.zeros((3, SKY.coverage.size)),
        template_names=SKY.templates.names,
        galaxies=uniform_randoms(inside, 700, rng),
        randoms=uniform_randoms(inside, 900, rng),
        simulated=True,
        truth=None,
        sources={},
        missing="error",
        notes=(),
    )


def write(folder, sample, result, **options):
    paths = write_weight_draws(folder, sample, {result.method: result}, **options)
    return tuple(read_weights(path) for path in paths)


def test_draws_have_the_mean_and_covariance_of_the_fit(combined):
    drawn = np.hstack(draw_amplitudes(combined, 990, seed=1))
    error = np.sqrt(np.diag(combined.cov))
    np.testing.assert_allclose(
        (drawn.mean(0) - np.concatenate([combined.a, combined.b])) / error, 0.0, atol=4 / np.sqrt(990)
    )
    correlation = combined.cov / np.outer(error, error)
    np.testing.assert_allclose(np.corrcoef(drawn, rowvar=False), correlation, atol=0.15)
    np.testing.assert_allclose(drawn.std(0), error, rtol=0.1)


@pytest.mark.parametrize("method", ["OLS", "MCMC-comb"])
def test_draws_of_shrunk_weights_scatter_around_them(method):
    """They are draws of the posterior whose mean is in the weights."""
    fit = fitted(method, "hierarchical")
    posterior, n_sys = fit.posterior(), len(fit.a)
    a, b = draw_amplitudes(fit, 990, seed=1)
    errors = np.sqrt(np.diag(posterior.cov))
    np.testing.assert_allclose((a.mean(0) - fit.a_mean) / errors[:n_sys], 0.0, atol=4 / np.sqrt(990))
    np.testing.assert_allclose(a.std(0) / errors[:n_sys], 1.0, atol=0.15)
    if fit.model == "additive":
        np.testing.assert_array_equal(b, 0.0)
    galaxies, randoms = draw_weights(fit, fit.a_mean[None], fit.b_mean[None])
    np.testing.assert_allclose(galaxies[0], fit.galaxy_weights)
    np.testing.assert_allclose(randoms[0], fit.random_weights)


def test_draws_know_how_a_and_b_vary_together(combined):
    error_a, error_b = np.sqrt(np.diag(combined.cov_a)), np.sqrt(np.diag(combined.cov_b))
    together = replace(combined, cov_ab=0.9 * np.diag(error_a * error_b))
    a, b = draw_amplitudes(together, 990, seed=1)
    for i in range(len(combined.a)):
        assert np.corrcoef(a[:, i], b[:, i])[0, 1] > 0.8


def test_models_keep_their_amplitudes():
    a, b = draw_amplitudes(fitted("OLS"), 3, seed=1)
    assert (np.ptp(a, axis=0) > 0).all()
    np.testing.assert_array_equal(b, 0.0)
    a, b = draw_amplitudes(fitted("ISD-1"), 3, seed=1)
    np.testing.assert_allclose(a, b, rtol=1e-10)
    assert (np.ptp(a, axis=0) > 0).all()


def test_first_draws_are_the_same_for_any_number(combined):
    few, many = draw_amplitudes(combined, 2, seed=1), draw_amplitudes(combined, 5, seed=1)
    np.testing.assert_array_equal(few[0], many[0][:2])
    assert not np.array_equal(few[0], draw_amplitudes(combined, 2, seed=2)[0])


@pytest.mark.parametrize("number", [0, 991])
def test_number_of_draws(combined, number):
    with pytest.raises(ParameterError, match=f"n_draws is {number}: give 1 to 990"):
        draw_amplitudes(combined, number, seed=1)


def test_weights_of_drawn_amplitudes(combined):
    a, b = np.array([combined.a, [0.2, 0.0, 0.0]]), np.array([combined.b, [5.0, 0.0, 0.0]])
    galaxies, randoms = draw_weights(combined, a, b)
    np.testing.assert_allclose(galaxies[0], combined.galaxy_weights)
    np.testing.assert_allclose(randoms[0], combined.random_weights)
    efficiency = np.maximum(1 + b[1] @ SKY.templates.values, MIN_WEIGHT_DENOMINATOR)
    np.testing.assert_allclose(galaxies[1], 1 / efficiency)
    np.testing.assert_allclose(randoms[1], (1 + a[1] @ SKY.templates.values) / efficiency)


def test_files_of_draws(combined, sample, tmp_path):
    combined = replace(
        combined, cov_a=0.01 * combined.cov_a, cov_b=0.01 * combined.cov_b, cov_ab=0.01 * combined.cov_ab
    )
    galaxies, randoms = write(tmp_path, sample, combined, n_draws=3)
    names = ["TEST_NSIDE0008_RANDOM_WEIGHT_DRAWS.fits", "TEST_NSIDE0008_WEIGHT_DRAWS.fits"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    wanted = draw_weights(combined, *draw_amplitudes(combined, 3, combined.seed))
    for table, objects, values in zip((galaxies, randoms), (sample.galaxies, sample.randoms), wanted, strict=True):
        assert list(table.weights) == ["WEIGHT_SYS_000", "WEIGHT_SYS_001", "WEIGHT_SYS_002"]
        np.testing.assert_array_equal(table.columns["RA"], objects.ra)
        for column, pixel_values in zip(table.weights.values(), values, strict=True):
            np.testing.assert_allclose(column, at_positions(pixel_values, FIELD.footprint, objects), rtol=1e-6)
        assert check(table, objects) == []
        assert (table.header["NDRAWS"], table.header["DRAWSEED"], table.header["SEED"]) == (3, 5, 5)
        assert table.header["DRAWFROM"] == "analytic"
        assert table.meanings["WEIGHT_SYS_002"] == pair_meaning(combined)[0 if table is galaxies else 1]
        assert table.columns["IN_FIT"].all()
    assert (galaxies.header["WEIGHTOF"], randoms.header["WEIGHTOF"]) == ("galaxies", "randoms")


def test_draws_of_an_additive_fit_weight_the_randoms(sample, tmp_path):
    galaxies, randoms = write(tmp_path, sample, fitted("OLS"), n_draws=2, seed=9)
    assert check(galaxies) == []
    assert check(randoms) == []
    np.testing.assert_array_equal(galaxies.columns["WEIGHT_SYS_000"], 1.0)
    assert not np.allclose(randoms.columns["WEIGHT_SYS_000"], randoms.columns["WEIGHT_SYS_001"])
    assert randoms.header["DRAWSEED"] == 9


def test_recipe_carries_the_errors_into_a_statistic(combined, sample, tmp_path):
    """The spread of a linear statistic over the draws is that of error propagation."""
    _, randoms = write(
        tmp_path, sample, replace(combined, cov_b=1e-12 * combined.cov_b, cov_ab=1e-6 * combined.cov_ab), n_draws=400
    )
    t = np.array([at_positions(values, FIELD.footprint, sample.randoms) for values in SKY.templates.values])
    weight = at_positions(combined.galaxy_weights, FIELD.footprint, sample.randoms)
    values = [np.mean(w * t[0]) for w in randoms.weights.values()]
    slope = np.mean(weight * t[0] * t, axis=1)
    wanted = np.sqrt(slope @ combined.cov_a @ slope)
    assert np.std(values) == pytest.approx(wanted, rel=0.15)
