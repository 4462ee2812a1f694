import numpy as np
import pytest

from sysmap_core.errors import DataError, ParameterError
from sysmap_core.inference.contamination import (
    MODELS,
    amplitude_basis,
    apply_contamination,
    check_model,
    invert_contamination,
    n_free_params,
    pack_params,
    unpack_params,
)


@pytest.fixture
def sky():
    rng = np.random.default_rng(0)
    return rng.normal(0, 0.3, 50), rng.standard_normal((3, 50)), rng.normal(0, 0.05, 3), rng.normal(0, 0.05, 3)


def test_inverse_undoes_the_contamination(sky):
    delta, templates, a, b = sky
    observed = apply_contamination(delta, templates, a, b)
    np.testing.assert_allclose(invert_contamination(observed, templates, a, b), delta, atol=1e-14)


def test_combined_model_nests_the_other_two(sky):
    delta, templates, a, _ = sky
    contamination = a @ templates
    np.testing.assert_allclose(apply_contamination(delta, templates, a, 0 * a), delta + contamination)
    np.testing.assert_allclose(apply_contamination(delta, templates, a, a), delta * (1 + contamination) + contamination)


@pytest.mark.parametrize(("model", "number"), [("additive", 3), ("multiplicative", 3), ("combined", 6)])
def test_number_of_amplitudes(model, number):
    assert n_free_params(3, model) == number


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("gamma", [None, 0.7])
def test_packing_round_trip(sky, model, gamma):
    _, _, a, b = sky
    theta = pack_params(a, b, 0.3, gamma, model)
    a_back, b_back, sigma, gamma_back = unpack_params(theta, 3, model, use_skewed=gamma is not None)
    np.testing.assert_array_equal(a_back, a)
    np.testing.assert_array_equal(b_back, {"additive": 0 * a, "multiplicative": a, "combined": b}[model])
    assert sigma == 0.3
    assert gamma_back == gamma


@pytest.mark.parametrize("model", MODELS)
def test_many_draws_are_packed_as_one(sky, model):
    _, _, a, b = sky
    draws = {"a": np.outer([1, 2], a), "b": np.outer([3, 4], b), "sigma": np.array([0.3, 0.4])}
    packed = pack_params(**draws, gamma=np.array([1.0, 2.0]), model=model)
    for i, row in enumerate(packed):
        one = {name: values[i] for name, values in draws.items()}
        np.testing.assert_array_equal(row, pack_params(**one, gamma=1.0 + i, model=model))


def test_basis_of_the_combined_model_is_the_identity():
    np.testing.assert_array_equal(np.vstack(amplitude_basis(3, "combined")), np.eye(6))


def test_unknown_model():
    with pytest.raises(ParameterError, match="unknown model 'aditive': did you mean 'additive'"):
        check_model("aditive")


def test_wrong_length():
    with pytest.raises(DataError, match="theta has 5 values: the combined model with 3 templates has 7"):
        unpack_params(np.zeros(5), 3, "combined")


def test_combined_needs_b():
    with pytest.raises(DataError, match="needs b, and b is None"):
        pack_params(np.zeros(3), None, 0.3)
