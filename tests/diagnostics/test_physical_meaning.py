"""Bounds on completeness and interlopers, from amplitudes."""

from dataclasses import replace

import numpy as np
import pytest
from skies import ClusteredSky

from sysmap_core.diagnostics.physical_meaning import EXTREME, meaning
from sysmap_core.errors import ParameterError
from sysmap_core.methods.decontamination import decontaminate


@pytest.fixture(scope="module")
def sky():
    return ClusteredSky(nside=16, rms=0.4, nbar=100.0)


def fitted(sky, method="GLS-comb", **contamination):
    return decontaminate(sky.field(0, **contamination), sky.templates, method, spectrum=sky.spectrum, seed=3)


def test_an_efficiency_that_rises_bounds_the_completeness(sky):
    """Large amplitudes, well known: bounds are those of the amplitudes themselves."""
    fit = fitted(sky, a=[0.2, 0.0, 0.0], b=[0.2, 0.0, 0.0])
    found = meaning(fit)
    efficiency = 1.0 + fit.b_mean @ sky.templates.values
    assert found.completeness.value == pytest.approx(1.0 / np.quantile(efficiency, 1.0 - EXTREME))
    assert 0.5 < found.completeness.value < 0.75
    ratio = (1.0 + fit.a_mean @ sky.templates.values) / efficiency
    assert found.interlopers.value == pytest.approx(max(1.0 - np.quantile(ratio, EXTREME), 0.0))
    assert f"at most {found.completeness.percent.text('.0f')} % of the galaxies" in found.sentence


def test_fewer_objects_than_the_efficiency_explains_need_interlopers(sky):
    """Where A is below B, some of the objects elsewhere are not galaxies."""
    found = meaning(fitted(sky, a=[0.15, 0.0, 0.0]))
    assert found.interlopers.value > 0.3
    assert found.interlopers.error < 0.15


def test_without_contamination_nothing_is_bound(sky):
    found = meaning(fitted(sky))
    assert found.completeness.value > 0.8
    assert found.interlopers.value < 0.15


def test_a_fit_without_b_has_no_meaning(sky):
    with pytest.raises(ParameterError, match="OLS fits no multiplicative amplitudes of its own: give a combined fit"):
        meaning(fitted(sky, "OLS"))
    fit = fitted(sky)
    assert meaning(fit).sentence == meaning(replace(fit)).sentence


def test_errors_are_those_of_the_posterior(sky):
    fit = fitted(sky, a=[0.2, 0.0, 0.0], b=[0.2, 0.0, 0.0])
    posterior = fit.posterior()
    draws = np.array([posterior.draw(np.random.default_rng(i)) for i in range(600)])
    efficiency = 1.0 + draws[:, 3:] @ sky.templates.values
    bounds = 1.0 / np.quantile(efficiency, 1.0 - EXTREME, axis=1)
    # 200 draws know a scatter to 5 %
    assert meaning(fit).completeness.error == pytest.approx(bounds.std(), rel=0.2)
