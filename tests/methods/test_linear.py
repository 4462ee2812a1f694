from dataclasses import replace

import numpy as np
import pytest
from skies import ClusteredSky
from sklearn.linear_model import ElasticNet, ElasticNetCV, LinearRegression
from sklearn.model_selection import GroupKFold

from sysmap_core.errors import ParameterError
from sysmap_core.methods.linear import elastic_net, least_squares, penalty_path
from sysmap_core.sky.patches import spatial_patches
from sysmap_core.templates.template_set import standardise


@pytest.fixture(scope="module")
def sky():
    return ClusteredSky(nside=16)


def test_least_squares_equals_scikit_learn(sky):
    field = sky.field(0, a=[0.1, 0.0, 0.0])
    other = LinearRegression(fit_intercept=False).fit(sky.templates.values.T, field.delta)
    np.testing.assert_allclose(least_squares(field, sky.templates), other.coef_, atol=1e-12)


def test_least_squares_is_exact_on_contamination_alone(sky):
    field = sky.field(0)
    values = sky.templates.values
    shifted = replace(field, delta=np.array([0.1, -0.2, 0.3]) @ values)
    np.testing.assert_allclose(least_squares(shifted, sky.templates), [0.1, -0.2, 0.3], atol=1e-12)


def test_elastic_net_shrinks_towards_zero(sky):
    field = sky.field(0, a=[0.1, 0.1, 0.0])
    a, details = elastic_net(field, sky.templates)
    assert np.sum(np.abs(a)) < np.sum(np.abs(least_squares(field, sky.templates)))
    assert a[0] == pytest.approx(0.1, abs=0.03)
    assert details["alpha"] > 0
    assert details["status"] == "converged"


def correlated(sky, seed=1):
    """The templates of a sky, mixed until least squares suffers."""
    mixed = (np.eye(3) + 0.9 * np.random.default_rng(seed).standard_normal((3, 3))) @ sky.templates.values
    maps = np.zeros((3, sky.coverage.size))
    maps[:, sky.pixels] = mixed
    return standardise(maps, sky.templates.names, sky.pixels)


def scikit_learn(field, templates, l1_ratio):
    folds = GroupKFold(5).split(field.delta, groups=spatial_patches(field.pixels, field.nside, 50))
    net = ElasticNetCV(l1_ratio=l1_ratio, cv=list(folds), fit_intercept=False, max_iter=10_000)
    return net.fit(templates.values.T, field.delta)


@pytest.mark.parametrize("l1_ratio", [0.05, 0.5, 1.0])
@pytest.mark.parametrize("a", [0.0, [0.1, 0.02, 0.0], [-0.03, 0.0, 0.05]])
@pytest.mark.parametrize("mixed", [False, True])
def test_elastic_net_equals_scikit_learn(sky, l1_ratio, a, mixed):
    field, templates = sky.field(1, a=a), correlated(sky) if mixed else sky.templates
    other = scikit_learn(field, templates, l1_ratio)
    alphas, errors = penalty_path(field, templates, l1_ratio=l1_ratio)
    found, details = elastic_net(field, templates, l1_ratio=l1_ratio)
    np.testing.assert_allclose(alphas, other.alphas_, rtol=1e-10)
    np.testing.assert_allclose(errors, other.mse_path_.mean(1), rtol=1e-10)
    assert details["alpha"] == pytest.approx(other.alpha_, rel=1e-10)
    # at its default tolerance scikit-learn leaves nearly equal templates undecided
    np.testing.assert_allclose(found, other.coef_, atol=1e-3 if mixed else 1e-5)
    exact = ElasticNet(alpha=other.alpha_, l1_ratio=l1_ratio, fit_intercept=False, tol=1e-9, max_iter=10_000)
    np.testing.assert_allclose(found, exact.fit(templates.values.T, field.delta).coef_, atol=1e-10)


def test_elastic_net_with_a_given_penalty(sky):
    field = sky.field(3, a=0.05)
    found, details = elastic_net(field, sky.templates, alpha=0.01, l1_ratio=0.7)
    other = ElasticNet(alpha=0.01, l1_ratio=0.7, fit_intercept=False, tol=1e-9)
    np.testing.assert_allclose(found, other.fit(sky.templates.values.T, field.delta).coef_, atol=1e-10)
    assert details["alpha"] == 0.01


def test_elastic_net_without_a_penalty_worth_the_name_is_least_squares(sky):
    field = sky.field(4, a=0.05)
    found, _ = elastic_net(field, sky.templates, alpha=1e-9)
    np.testing.assert_allclose(found, least_squares(field, sky.templates), atol=1e-7)


def test_elastic_net_with_a_template_twice(sky):
    field = sky.field(5, a=0.1)
    twice = replace(sky.templates, values=sky.templates.values[[0, 0, 1]])
    found, details = elastic_net(field, twice)
    alone, _ = elastic_net(field, replace(sky.templates, values=sky.templates.values[:2]), alpha=details["alpha"])
    assert found[0] + found[1] == pytest.approx(alone[0], abs=0.01)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"l1_ratio": 0.0}, "l1_ratio is 0.0: give a share above 0"),
        ({"l1_ratio": 1.5}, "l1_ratio is 1.5"),
        ({"alpha": 0.0}, "alpha is 0.0: give a positive penalty"),
        ({"n_folds": 60}, "n_folds is 60 for 50 patches"),
    ],
)
def test_elastic_net_refuses(sky, options, message):
    with pytest.raises(ParameterError, match=message):
        elastic_net(sky.field(0), sky.templates, **options)
