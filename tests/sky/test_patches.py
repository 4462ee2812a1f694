import healpy as hp
import numpy as np
import pytest
from skies import ClusteredSky

from sysmap_core.errors import DataError
from sysmap_core.sky.patches import spatial_patches


@pytest.fixture(scope="module")
def sky():
    return ClusteredSky(nside=16, rms=0.3, nbar=40.0)


def test_patches_are_compact_and_equal(sky):
    patches = spatial_patches(sky.pixels, 16, 20)
    sizes = np.bincount(patches)
    assert len(sizes) == 20
    assert sizes.max() - sizes.min() <= 1
    vectors = np.array(hp.pix2vec(16, sky.pixels))
    centres = [vectors[:, patches == i].mean(1) for i in range(20)]
    # a compact patch of 1/20 of the footprint has its centre of mass near the sphere
    assert np.median(np.linalg.norm(centres, axis=1)) > 0.9


def test_too_many_patches():
    with pytest.raises(DataError, match="5 pixels cannot make 20 patches"):
        spatial_patches(np.arange(5), 16, 20)
