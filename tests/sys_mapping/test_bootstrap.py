import healpy as hp
import numpy as np
import pytest
from skies import ClusteredSky

from sysmap_core.errors import ParameterError
from sysmap_core.sys_mapping.bootstrap import block_bootstrap_variance, jackknife_covariance


@pytest.fixture(scope="module")
def sky():
    return ClusteredSky(nside=16, rms=0.3, nbar=40.0)


@pytest.fixture(scope="module")
def field(sky):
    return sky.field(0)


def test_footprint_as_mask_or_as_indices(sky, field):
    mask = np.zeros(hp.nside2npix(16), bool)
    mask[field.pixels] = True
    found = [
        jackknife_covariance(field.delta, sky.templates.values, good, 16, lambda d, t: t @ d / d.size)
        for good in (mask, field.pixels)
    ]
    np.testing.assert_array_equal(*found)


def test_few_patches_are_told(sky, field):
    arguments = (field.delta, sky.templates.values, field.pixels, 16, lambda d, t: t @ d / d.size)
    with pytest.warns(UserWarning, match="n_patches=3 is small, and the variance noisy: take 5 or more"):
        jackknife_covariance(*arguments, n_patches=3)


def test_a_single_patch(field):
    arguments = (field.delta, field.delta[None], field.pixels, 16, lambda d, t: d.mean())
    for function in (jackknife_covariance, block_bootstrap_variance):
        with pytest.raises(ParameterError, match="n_patches is 1: give at least 2"):
            function(*arguments, n_patches=1)
    with pytest.raises(ParameterError, match="n_bootstrap is 1: give at least 2"):
        block_bootstrap_variance(*arguments, n_bootstrap=1)
