import inspect

import numpy as np
import pytest
from skies import orthonormal_templates

import sysmap_core
from sysmap_core.errors import DataError
from sysmap_core.inference.posterior import fit_model
from sysmap_core.sys_mapping.contamination import compute_two_point_correction
from sysmap_core.sys_mapping.correction import (
    correct_two_point_function,
    debias_params,
    rotate_templates,
    transform_params_from_rotated,
)

SIGNATURES = {
    "rotate_templates": "delta_t",
    "transform_params_from_rotated": "a_rot, b_rot, rotation_matrix",
    "debias_params": "a_hat, b_hat, var_a, var_b",
    "correct_two_point_function": "w_obs, a_hat, b_hat, var_a, var_b, template_correlations",
}


@pytest.mark.parametrize("name", SIGNATURES)
def test_signatures_are_those_of_the_original(name):
    parameters = inspect.signature(getattr(sysmap_core, name)).parameters.values()
    plain = [p.replace(annotation=inspect.Parameter.empty) for p in parameters]
    assert str(inspect.Signature(plain)) == f"({SIGNATURES[name]})"


def correlated_templates():
    return np.array([[1.0, 0.0, 0.0], [0.6, 0.8, 0.0], [0.3, -0.5, 0.4]]) @ orthonormal_templates(3, 600)


def test_rotated_templates_are_uncorrelated():
    templates = correlated_templates()
    rotated, rotation, eigenvalues = rotate_templates(templates)
    np.testing.assert_allclose(rotated @ rotated.T / 600, np.diag(eigenvalues), atol=1e-12)
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(rotation.T @ np.diag(eigenvalues) @ rotation, templates @ templates.T / 600, atol=1e-12)
    np.testing.assert_allclose(rotation @ templates, rotated, atol=1e-12)
    assert np.all(np.diff(eigenvalues) < 0)


def test_rotated_amplitudes_come_back():
    templates = correlated_templates()
    rotated, rotation, _ = rotate_templates(templates)
    a_rot, b_rot = np.random.default_rng(0).normal(0, 0.1, (2, 3))
    a, b = transform_params_from_rotated(a_rot, b_rot, rotation)
    np.testing.assert_allclose(a @ templates, a_rot @ rotated, atol=1e-12)
    np.testing.assert_allclose(b @ templates, b_rot @ rotated, atol=1e-12)


def test_rotation_changes_neither_fit_nor_covariance():
    templates = correlated_templates()
    delta = np.random.default_rng(1).normal(0, 0.3, 600) + 0.05 * templates[0]
    rotated, rotation, _ = rotate_templates(templates)
    plain, turned = (fit_model(delta, t, "additive") for t in (templates, rotated))
    np.testing.assert_allclose(transform_params_from_rotated(turned.a, turned.b, rotation)[0], plain.a)
    np.testing.assert_allclose(rotation.T @ turned.cov_a @ rotation, plain.cov_a, atol=1e-12)


def test_degenerate_directions_have_no_eigenvalue():
    templates = orthonormal_templates(2, 500)
    _, rotation, eigenvalues = rotate_templates(np.vstack([templates, templates.sum(0)]))
    assert eigenvalues[-1] == pytest.approx(0.0, abs=1e-12)
    assert np.abs(rotation[-1]) == pytest.approx(np.full(3, 1 / np.sqrt(3)))


def test_debiased_products_are_right_on_average():
    """Amplitudes scattered by a known covariance: the matrix gives back the truth, cut squares are too large."""
    a, rng = np.array([0.1, -0.05, 0.0]), np.random.default_rng(0)
    cov = 0.01 * np.array([[1.0, 0.5, 0.0], [0.5, 1.0, 0.2], [0.0, 0.2, 1.0]])
    draws = rng.multivariate_normal(a, cov, 4000)
    matrices = np.array([debias_params(d, d, cov, cov)[0] for d in draws])
    error = matrices.std(0) / np.sqrt(len(draws))
    assert np.abs((matrices.mean(0) - np.outer(a, a)) / error).max() < 4
    squares = np.array([debias_params(d, 0 * d, np.diag(cov), 0 * d)[0] for d in draws])
    np.testing.assert_allclose(squares, np.maximum(draws**2 - 0.01, 0))
    assert np.all((squares.mean(0) - a**2) / (squares.std(0) / np.sqrt(len(draws))) > 4)


def test_correction_undoes_the_contamination():
    rng = np.random.default_rng(1)
    a, b, w = 0.1 * rng.standard_normal(3), 0.1 * rng.standard_normal(3), rng.uniform(0.1, 1, 4)
    xi = rng.standard_normal((3, 3, 4))
    xi = xi + xi.swapaxes(0, 1)
    observed = w * (1 + np.einsum("i,j,ijt", b, b, xi)) + np.einsum("i,j,ijt", a, a, xi)
    found = compute_two_point_correction(observed, np.outer(a, a), np.outer(b, b), xi)
    np.testing.assert_allclose(found, w)
    none = np.zeros((3, 3))
    np.testing.assert_allclose(correct_two_point_function(observed, a, b, none, none, xi), w)
    own = np.einsum("iit->it", xi)
    observed = w * (1 + b**2 @ own) + a**2 @ own
    for correlations in (own, xi):
        np.testing.assert_allclose(compute_two_point_correction(observed, a**2, b**2, correlations), w)
        zero = np.zeros(3)
        np.testing.assert_allclose(correct_two_point_function(observed, a, b, zero, zero, correlations), w)


def test_one_variance_for_all():
    found = debias_params([0.3, 0.1], [0.0, 0.2], 0.01, 0.02)
    np.testing.assert_allclose(found, [[0.08, 0.0], [0.0, 0.02]], atol=1e-12)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: rotate_templates(np.ones(500)), r"delta_t has shape \(500,\) and 0 values that are not finite"),
        (lambda: rotate_templates([[1.0, np.nan]]), r"delta_t has shape \(1, 2\) and 1 values that are not finite"),
        (
            lambda: transform_params_from_rotated(np.ones(2), np.ones(3), np.eye(2)),
            r"a_rot \(2,\), b_rot \(3,\) and rotation_matrix \(2, 2\)",
        ),
        (lambda: debias_params([1, 2], [1], [1], [1]), r"a_hat has shape \(2,\) and var_a \(1,\)"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(DataError, match=message):
        call()
