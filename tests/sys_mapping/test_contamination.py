import inspect

import numpy as np
import pytest

import sysmap_core
from sysmap_core import inference
from sysmap_core.errors import DataError
from sysmap_core.sys_mapping import contamination


@pytest.mark.parametrize(
    "name", ["apply_contamination", "invert_contamination", "n_free_params", "pack_params", "unpack_params"]
)
def test_model_is_that_of_the_likelihoods(name):
    assert getattr(contamination, name) is getattr(inference, name)


def test_signature_is_that_of_the_original():
    parameters = inspect.signature(sysmap_core.compute_two_point_correction).parameters
    assert " ".join(parameters) == "w_obs a_sq b_sq template_correlations"


def test_squares_are_a_diagonal_matrix():
    rng = np.random.default_rng(0)
    xi, w = rng.standard_normal((2, 2, 4)), rng.standard_normal(4)
    a_sq, b_sq = rng.uniform(0, 0.1, (2, 2))
    squares = contamination.compute_two_point_correction(w, a_sq, b_sq, xi)
    matrices = contamination.compute_two_point_correction(w, np.diag(a_sq), np.diag(b_sq), xi)
    np.testing.assert_allclose(squares, matrices)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1], [1, 2], [1, 2], [[1]]), "numbers of templates differ"),
        (([1], [[1]], [[1]], [[1]]), "a_sq is a matrix and the corr"),
        (([1, 2], [1], [1], [[1]]), r"w_obs has shape \(2,\)"),
    ],
)
def test_bad_shapes(arguments, message):
    with pytest.raises(DataError, match=message):
        contamination.compute_two_point_correction(*arguments)
