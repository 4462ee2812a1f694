import numpy as np
import pytest
from scipy import stats

from sysmap_core.diagnostics.p_values import exceedance, family_wise_p, p_text, template_p


def test_family_wise_p_of_independent_templates():
    p = family_wise_p(np.array([2.5, 0.0, 1.0]), np.eye(3))
    wanted = 1 - (1 - 2 * stats.norm.sf([2.5, 0.0, 1.0])) ** 3
    np.testing.assert_allclose(p, wanted, atol=5 * 0.5 / np.sqrt(100_000))


def test_family_wise_p_of_copies_is_that_of_one():
    cov = np.full((3, 3), 1 - 1e-9) + 1e-9 * np.eye(3)
    p = family_wise_p(np.full(3, 2.0), cov)
    np.testing.assert_allclose(p, 2 * stats.norm.sf(2.0), atol=5 * 0.25 / np.sqrt(100_000))


def test_uncertain_errors_make_heavier_tails():
    """A mixture of two scales is that of its parts, and larger far out than one scale of the same variance."""
    parts = np.array([[[0.25]], [[1.75]]])
    p = family_wise_p(np.array([3.0]), np.eye(1), draws=parts)
    wanted = np.mean(2 * stats.norm.sf(3.0 / np.sqrt([0.25, 1.75])))
    np.testing.assert_allclose(p, wanted, rtol=0.1)
    np.testing.assert_allclose(template_p(np.array([3.0]), np.eye(1), draws=parts), wanted, rtol=1e-12)
    assert wanted > 2 * stats.norm.sf(3.0)


def test_p_of_one_template_is_that_of_a_normal():
    np.testing.assert_allclose(template_p(np.array([-3.0, 0.0]), np.eye(2)), [2 * stats.norm.sf(3.0), 1.0])


def test_p_never_below_its_floor():
    assert family_wise_p(np.array([50.0]), np.eye(1))[0] == pytest.approx(1 / 100_001)


def test_text_of_p():
    assert p_text(0.0123) == "0.012"
    assert p_text(1 / 100_001) == "<1e-05"


def test_exceedance_has_a_floor():
    null = np.arange(99.0)
    assert exceedance(1e9, null) == pytest.approx(0.01)
    assert exceedance(-1.0, null) == 1.0
    assert exceedance(98.0, null) == pytest.approx(0.02)
