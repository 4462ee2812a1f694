"""Differences between steps of mask and refit, and cuts by leverage."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.stats import kstest

from sysmap_core.analysis.mask_steps import LeverageCut, MaskAndRefit, MaskStep
from sysmap_core.diagnostics.ranking import leverage
from sysmap_core.errors import ParameterError
from sysmap_core.summaries import Measured
from sysmap_core.templates.template_set import from_pixels

N_REALISATIONS = 12

COV = np.array([[2.0, 1.2, 0.3], [1.2, 1.5, 0.5], [0.3, 0.5, 1.0]])


def of_curves(rng, shift=0.0, n=N_REALISATIONS):
    """Two steps whose difference is a draw of the same normal distribution as those of realisations."""
    off = rng.multivariate_normal([1.0, 2.0, 3.0], COV, n + 1)
    first = rng.standard_normal((n + 1, 3))
    steps = []
    for w, before in ((first[0], None), (first[0] + off[0] + shift, 0)):
        fit, nothing = SimpleNamespace(model="additive"), Measured(np.zeros(1), np.zeros(1))
        steps.append(MaskStep((), before, fit, None, nothing, nothing, SimpleNamespace(w=w)))
    curves = np.stack([first[1:], first[1:] + off[1:]], axis=1)
    return MaskAndRefit(tuple(steps), curves, np.zeros((n, 2, 2)))


def test_p_is_uniform_without_a_cause():
    """Over 2000 draws; by the normal distribution it would be 0.18 below 0.05."""
    rng = np.random.default_rng(2)
    p = [of_curves(rng).change(1).p for _ in range(2000)]
    assert kstest(p, "uniform").pvalue > 0.01
    assert of_curves(rng, shift=np.array([0.0, 20.0, 0.0])).change(1).p < 1e-3


def test_a_change_has_mean_and_covariance_of_the_realisations():
    found = of_curves(np.random.default_rng(0))
    change, off = found.change(1), found.curves[:, 1] - found.curves[:, 0]
    np.testing.assert_allclose(change.difference, found.steps[1].correlation.w - found.steps[0].correlation.w)
    np.testing.assert_allclose(change.expected, off.mean(0))
    np.testing.assert_allclose(change.cov, np.cov(off, rowvar=False) * (1 + 1 / N_REALISATIONS))
    np.testing.assert_allclose(change.error, np.sqrt(np.diag(change.cov)))


def test_nothing_cut_is_nothing_changed():
    """And realisations may be too few for a probability."""
    found = of_curves(np.random.default_rng(0))
    assert found.amplitude_change(1).p == 1.0
    assert np.isnan(of_curves(np.random.default_rng(0), n=3).change(1).p)


def test_amplitudes_of_both_kinds_are_compared_where_both_are_free():
    found = of_curves(np.random.default_rng(0))
    assert found.amplitude_change(1).difference.shape == (1,)
    steps = tuple(replace(step, fit=SimpleNamespace(model="combined")) for step in found.steps)
    assert replace(found, steps=steps).amplitude_change(1).difference.shape == (2,)


def test_steps_that_do_not_exist():
    found = of_curves(np.random.default_rng(0))
    for after, before, match in (
        (0, None, "steps 0 and None are to be compared: give two from 0 to 1"),
        (2, None, "steps 2 and None are to be compared"),
        (1, 5, "steps 1 and 5 are to be compared"),
        (-1, 0, "steps -1 and 0 are to be compared"),
    ):
        with pytest.raises(ParameterError, match=match):
            found.change(after, before)


def test_leverage_is_that_of_the_clinic():
    templates = from_pixels(np.random.default_rng(0).standard_cauchy((2, 200)), np.arange(200), 8)
    kept = LeverageCut(5.0).keeps(templates)
    np.testing.assert_array_equal(kept, ~leverage(templates, 5.0).mask)
    assert 0 < np.sum(~kept) < 20
    with pytest.raises(ParameterError, match=r"multiple is 1.0: give a number above 1"):
        LeverageCut(1.0)
