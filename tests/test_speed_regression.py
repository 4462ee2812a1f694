"""Timings of the regressions: `pytest -m slow -n 0 tests/test_speed_regression.py`.  Nothing is asserted about time."""

import healpy as hp
import numpy as np
import pytest
from skies import red_spectrum
from sklearn.linear_model import ElasticNetCV
from sklearn.model_selection import GroupKFold

from sysmap_core.methods.isd import binned_regression, iterative_regression, null_delta_chi2
from sysmap_core.methods.linear import elastic_net
from sysmap_core.sky.field import Field
from sysmap_core.sky.footprints import Footprint
from sysmap_core.sky.patches import spatial_patches
from sysmap_core.templates.template_set import TemplateSet

pytestmark = pytest.mark.slow

NSIDE, N_PIX, N_SYS = 256, 350_000, 11


@pytest.fixture(scope="module")
def sky():
    """A field and correlated templates on a part of the sky, of the size of a wide survey at NSIDE 256."""
    rng = np.random.default_rng(0)
    pixels = np.flatnonzero(np.abs(hp.pix2vec(NSIDE, np.arange(hp.nside2npix(NSIDE)))[2]) > 0.5)[:N_PIX]
    values = (np.eye(N_SYS) + 0.3 * rng.standard_normal((N_SYS, N_SYS))) @ rng.standard_normal((N_SYS, N_PIX))
    mean, rms = values.mean(1), values.std(1)
    values = (values - mean[:, None]) / rms[:, None]
    templates = TemplateSet(values, tuple(f"t{i}" for i in range(N_SYS)), Footprint(pixels, NSIDE), mean, rms)
    density = np.exp(rng.normal(-0.08, 0.4, N_PIX)) * (1 + np.linspace(-0.05, 0.05, N_SYS) @ values).clip(0.05)
    counts = rng.poisson(10 * density)
    expected = np.full(N_PIX, counts.mean())
    return Field(counts / expected - 1, expected, Footprint(pixels, NSIDE)), templates


def test_elastic_net(benchmark, sky):
    assert benchmark.pedantic(lambda: elastic_net(*sky), rounds=3)[1]["status"] == "converged"


def test_elastic_net_of_scikit_learn(benchmark, sky):
    """What the one above is compared with."""
    field, templates = sky
    folds = list(GroupKFold(5).split(field.delta, groups=spatial_patches(field.pixels, NSIDE, 50)))
    net = ElasticNetCV(l1_ratio=0.5, cv=folds, fit_intercept=False, max_iter=10_000)
    found = benchmark.pedantic(lambda: net.fit(templates.values.T, field.delta).coef_, rounds=1)
    np.testing.assert_allclose(elastic_net(*sky)[0], found, atol=1e-4)


@pytest.mark.parametrize("order", [1, 3])
def test_iterative_regression(benchmark, sky, order):
    assert benchmark.pedantic(lambda: iterative_regression(*sky, order=order), rounds=1).status == "converged"


@pytest.mark.parametrize("order", [1, 3])
def test_binned_regression(benchmark, sky, order):
    fit = benchmark.pedantic(lambda: binned_regression(*sky, order=order, calibrated=False), rounds=1)
    assert fit.status == "converged"


def test_null_realisations(benchmark, sky):
    spectrum, rng = red_spectrum(NSIDE, 0.4), np.random.default_rng(1)
    nulls = benchmark.pedantic(lambda: null_delta_chi2(*sky, spectrum, 8, rng), rounds=1)
    assert nulls.delta_chi2[3].shape == (8, N_SYS)
