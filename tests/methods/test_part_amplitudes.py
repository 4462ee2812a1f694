"""Amplitudes of parts in one unit: scales, shared amplitudes, correlations of errors, and what is left out."""

from dataclasses import replace

import numpy as np
import pytest
from part_fits import made

from sysmap_core.errors import DataError
from sysmap_core.methods.part_amplitudes import part_amplitudes

COV = np.array([[4.0, 1.0], [1.0, 2.0]]) * 1e-4


def test_amplitudes_are_per_unit_of_the_map():
    """The same response per unit of the map, seen with an rms of 1 and of 3."""
    found = part_amplitudes(
        {"N": made([0.01, 0.02], COV, rms=[1.0, 5.0]), "S": made([0.03, 0.02], 9 * COV, rms=[3.0, 5.0])}
    )
    np.testing.assert_allclose(found.rms, [np.sqrt(5.0), 5.0])
    np.testing.assert_allclose(found.values / found.rms[found.name], [0.01, 0.004, 0.01, 0.004])
    np.testing.assert_allclose(found.cov[0, 0] / 5.0, 4e-4)
    np.testing.assert_allclose(found.cov[2, 3] / (np.sqrt(5.0) * 5.0), 9e-4 / 15.0)
    assert not found.cov[:2, 2:].any()
    np.testing.assert_array_equal(found.part, [0, 0, 1, 1])


def test_shared_amplitudes_are_the_combination_by_inverse_variance():
    one, other = np.array([0.1, 0.2]), np.array([0.3, -0.1])
    values, cov = part_amplitudes({"N": made(one, COV), "S": made(other, 3 * COV)}).shared()
    np.testing.assert_allclose(values, 0.75 * one + 0.25 * other)
    np.testing.assert_allclose(cov, 0.75 * COV)


def test_parts_need_not_have_the_same_templates():
    north, south = made([0.1, 0.2], COV, names=("dust", "seeing")), made([0.3], COV[:1, :1], names=("seeing",))
    found = part_amplitudes({"N": north, "S": south})
    assert found.names == ("dust", "seeing")
    np.testing.assert_array_equal(found.name, [0, 1, 1])
    np.testing.assert_array_equal(found.design, [[1, 0], [0, 1], [0, 1]])
    kept = found.chosen(found.name == 1)
    np.testing.assert_allclose(kept.cov, np.diag([2e-4, 4e-4]))
    # the amplitude that only one part has follows its neighbour there
    values, _ = found.shared()
    seeing = (0.2 / 2 + 0.3 / 4) / (1 / 2 + 1 / 4)
    np.testing.assert_allclose(values, [0.1 + 0.5 * (seeing - 0.2), seeing])


def test_correlated_errors():
    given = np.array([[1.0, 0.4], [0.4, 1.0]])
    found = part_amplitudes({"N": made([0.1, 0.2], COV), "S": made([0.3, 0.1], 4 * COV)}, given)
    np.testing.assert_allclose(found.cov[:2, 2:], 0.4 * 2 * COV)
    np.testing.assert_allclose(found.cov[2:, 2:], 4 * COV)


def test_draws_change_the_errors_of_a_only():
    draws = np.array([1.0, 2.25])[:, None, None] * COV
    cov = np.kron([[1.0, 0.5], [0.5, 1.0]], COV)
    north = made([0.1, 0.2], cov, model="combined", draws=draws)
    found = part_amplitudes({"N": north, "S": replace(north, cov_a_draws=4.0 * draws)})
    np.testing.assert_allclose(found.cov_draws[0][:4, :4], cov)
    np.testing.assert_allclose(found.cov_draws[1][:2, :2], 2.25 * COV)
    np.testing.assert_allclose(found.cov_draws[1][:2, 2:4], 1.5 * 0.5 * COV)
    np.testing.assert_allclose(found.cov_draws[1][2:4, 2:4], COV)
    np.testing.assert_allclose(found.cov_draws[1][4:6, 4:6], 9.0 * COV)
    assert part_amplitudes({"N": north, "S": replace(north, cov_a_draws=None)}).cov_draws is None


def test_b_on_the_floor_is_left_out():
    """What is left is a, given b = 0."""
    cov = np.kron([[1.0, 0.5], [0.5, 1.0]], COV)
    held = made([0.1, 0.2], cov, b=[0.02, -0.01], model="combined", on_floor=True)
    found = part_amplitudes({"N": held, "S": made([0.1, 0.2], cov, model="combined")})
    np.testing.assert_array_equal(found.kind, [0, 0, 0, 0, 1, 1])
    np.testing.assert_allclose(found.values[:2], [0.1 - 0.5 * 0.02, 0.2 + 0.5 * 0.01])
    np.testing.assert_allclose(found.cov[:2, :2], 0.75 * COV)


def test_amplitudes_are_those_before_a_prior():
    north = made([0.1, 0.2], COV, before=[0.3, 0.4])
    found = part_amplitudes({"N": north, "S": made([0.1, 0.2], COV)})
    np.testing.assert_array_equal(found.values, [0.3, 0.4, 0.1, 0.2])


def test_errors_say_what_to_do():
    north = made([0.1, 0.2], COV)
    with pytest.raises(DataError, match=r"1 part came, N: give the results of at least two"):
        part_amplitudes({"N": north})
    with pytest.raises(DataError, match=r"parts were fitted by GLS and OLS: give results of one method"):
        part_amplitudes({"N": north, "S": replace(north, method="OLS")})
    for matrix in (np.eye(3), [[1.0, 0.2], [0.3, 1.0]], [[1.0, 1.5], [1.5, 1.0]], 2 * np.eye(2)):
        with pytest.raises(DataError, match=r"correlation of 2 parts has shape \(\d, \d\) or is none: give a positive"):
            part_amplitudes({"N": north, "S": north}, np.array(matrix))
    other = made([0.1, 0.2], COV, names=("t1", "t0"))
    with pytest.raises(DataError, match=r"correlation came for parts whose templates differ: give all the same"):
        part_amplitudes({"N": north, "S": other}, np.array([[1.0, 0.2], [0.2, 1.0]]))
