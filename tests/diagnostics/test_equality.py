"""Equality of amplitudes between parts: statistic, null, units, and what cannot be compared."""

from dataclasses import replace

import numpy as np
import pytest
from part_fits import made
from scipy.stats import chi2

from sysmap_core.diagnostics.equality import amplitudes_equal
from sysmap_core.errors import DataError

RNG = np.random.default_rng(4)

MIXED = RNG.normal(size=(3, 40))

COV = MIXED @ MIXED.T / 4e5


def test_two_parts_differ_by_the_statistic_of_their_difference():
    one, other = np.array([0.1, 0.2, 0.0]), np.array([0.12, 0.17, 0.02])
    found = amplitudes_equal({"N": made(one, COV), "S": made(other, 2 * COV)})
    wanted = (one - other) @ np.linalg.solve(3 * COV, one - other)
    assert found.of_a.statistic == pytest.approx(wanted)
    assert found.of_a.dof == 3
    assert found.of_a.p == pytest.approx(chi2.sf(wanted, 3))
    for i, test in enumerate(found.a_by_template.values()):
        assert test.statistic == pytest.approx((one - other)[i] ** 2 / (3 * COV[i, i]))
        assert test.dof == 1
    assert found.of_b is None
    assert found.both is None
    assert found.b_by_template == {}
    assert found.note == ""


def test_parts_compare_per_unit_of_the_maps():
    """The same law in a part of twice the rms is the same; equal amplitudes per rms are not."""
    one = np.array([0.1, 0.2, 0.05])
    stretched = made(2 * one, 4 * COV, rms=np.full(3, 2.0))
    found = amplitudes_equal({"N": made(one, COV), "S": stretched})
    assert found.of_a.statistic == pytest.approx(0.0, abs=1e-12)
    np.testing.assert_allclose(found.shared_a, one)
    assert amplitudes_equal({"N": made(one, COV), "S": replace(stretched, a=one)}).of_a.p < 1e-6


def test_size_is_nominal_and_p_is_uniform():
    """Three parts with the same amplitudes and known errors, of both kinds."""
    cov, n = np.kron([[1.0, 0.4], [0.4, 1.0]], COV), 400
    p = []
    for _ in range(n):
        drawn = RNG.multivariate_normal(np.full(6, 0.05), cov, 3)
        found = amplitudes_equal({str(i): made(d[:3], cov, b=d[3:], model="combined") for i, d in enumerate(drawn)})
        p.append([found.of_a.p, found.of_b.p, found.both.p, found.b_by_template["t1"].p])
    assert found.both.dof == 12
    assert found.of_b.dof == 6
    size = np.mean(np.array(p) < 0.05, axis=0)
    np.testing.assert_allclose(size, 0.05, atol=3.5 * np.sqrt(0.05 * 0.95 / n))
    np.testing.assert_allclose(np.mean(p, axis=0), 0.5, atol=3.5 / np.sqrt(12 * n))


def test_the_null_knows_that_errors_are_estimates():
    """Errors that scatter by a factor make large differences likelier: the mixture of their probabilities."""
    factors = np.array([0.25, 1.0, 4.0])
    draws = factors[:, None, None] * COV
    one, other = np.array([0.1, 0.2, 0.0]), np.array([0.15, 0.12, 0.04])
    found = amplitudes_equal({"N": made(one, COV, draws=draws), "S": made(other, COV, draws=draws)}).of_a
    wanted = np.mean(chi2.sf(found.statistic / factors, 3))
    assert found.p == pytest.approx(wanted, abs=4 * np.sqrt(wanted / 1e5))
    assert found.p > 1.2 * chi2.sf(found.statistic, 3)


def test_correlated_errors_leave_smaller_differences():
    one, other = np.array([0.1, 0.2, 0.0]), np.array([0.12, 0.17, 0.02])
    results = {"N": made(one, COV), "S": made(other, COV)}
    alone = amplitudes_equal(results)
    tied = amplitudes_equal(results, correlation=np.array([[1.0, 0.5], [0.5, 1.0]]))
    assert tied.of_a.statistic == pytest.approx(2 * alone.of_a.statistic)


def test_templates_that_some_parts_lack_are_left_out():
    north = made([0.1, 0.2, 0.3], COV, names=("dust", "seeing", "depth"))
    south = made([0.15, 0.3], COV[1:, 1:], names=("seeing", "depth"))
    found = amplitudes_equal({"N": north, "S": south})
    assert found.names == ("seeing", "depth")
    assert found.left_out == ("dust",)
    assert found.note == "Not all parts have dust: left out."
    difference = np.array([0.05, 0.0])
    wanted = difference @ np.linalg.solve(2 * COV[1:, 1:], difference)
    assert found.of_a.statistic == pytest.approx(wanted)
    assert found.shared_a.shape == (2,)


def test_b_on_the_floor_is_not_compared():
    cov = np.kron([[1.0, 0.4], [0.4, 1.0]], COV)
    fits = {k: made(np.full(3, 0.1), cov, b=np.zeros(3), model="combined", on_floor=k == "S") for k in "NS"}
    found = amplitudes_equal(fits)
    assert found.of_b is None
    assert found.note == "The efficiency of S was held at its floor: b is not compared."
    assert found.shared_b.tolist() == [0.0, 0.0, 0.0]


def test_shift_of_the_mean_density():
    """Parts whose mean conditions differ by 2 units, at 0.03 per unit, have mean densities that differ by 6 %."""
    one = np.array([0.03, 0.0, 0.0])
    found = amplitudes_equal({"N": made(one, COV), "S": made(one, COV, mean=[2.0, 5.0, 0.0])})
    assert found.mean_shift == pytest.approx(0.06)


def test_errors_say_what_to_do():
    north, south = made([0.1], COV[:1, :1], names=("dust",)), made([0.1], COV[:1, :1], names=("DUST",))
    with pytest.raises(DataError, match=r"the parts N, S have no template in common: give templates the same names"):
        amplitudes_equal({"N": north, "S": south})
