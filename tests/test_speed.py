"""Timings with pytest-benchmark: `pytest -m slow -n 0 tests/test_speed.py`.  Nothing is asserted about time."""

import numpy as np
import pytest
from skies import independent_counts

from sysmap_core.inference.pixel_likelihood import PixelSums
from sysmap_core.inference.posterior import fit_model
from sysmap_core.sky.counts import CountNoise

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("likelihood", ["gaussian", "shot-noise"])
@pytest.mark.parametrize(("n_pix", "n_sys"), [(22_000, 11), (350_000, 11), (350_000, 25)])
def test_posterior(benchmark, n_pix, n_sys, likelihood):
    delta, templates, expected = independent_counts(25, 0.02, 0.02, n_pix=n_pix, n_sys=n_sys)

    def run():
        return fit_model(delta, templates, likelihood=likelihood, expected=expected, sampler="importance", draws=1024)

    assert benchmark.pedantic(run, rounds=3, warmup_rounds=1).converged


@pytest.mark.parametrize("walkers", [1, 125])
def test_one_call_of_the_kernel(benchmark, walkers):
    delta, templates, expected = independent_counts(25, 0.02, 0.02, n_pix=22_000, n_sys=11)
    sums = PixelSums(delta, templates, "combined", "shot-noise", CountNoise.poisson(expected), precision="float32")
    x = np.zeros((walkers, sums.n_params))
    x[:, sums.n_free] = -1.2
    lnl, _ = benchmark.pedantic(lambda: sums.values(x, fast=True), rounds=5, warmup_rounds=1)
    assert np.all(np.isfinite(lnl))
