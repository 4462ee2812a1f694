import numpy as np
import pytest
from skies import ClusteredSky
from sklearn.linear_model import LinearRegression

from sysmap_core.regression import elastic_net, least_squares


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
    shifted = type(field)(np.array([0.1, -0.2, 0.3]) @ values, field.expected, field.pixels, field.nside)
    np.testing.assert_allclose(least_squares(shifted, sky.templates), [0.1, -0.2, 0.3], atol=1e-12)


def test_elastic_net_shrinks_towards_zero(sky):
    field = sky.field(0, a=[0.1, 0.1, 0.0])
    a, details = elastic_net(field, sky.templates)
    assert np.sum(np.abs(a)) < np.sum(np.abs(least_squares(field, sky.templates)))
    assert a[0] == pytest.approx(0.1, abs=0.03)
    assert details["alpha"] > 0
    assert details["status"] == "converged"
