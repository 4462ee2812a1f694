import healpy as hp
import numpy as np
import pytest

from sysmap_core.sky.pixels import pixel_counts
from sysmap_core.sky.random_points import scatter_galaxies, uniform_randoms
from sysmap_core.sky.regrid import to_nside


def test_galaxies_lie_uniformly_in_their_pixels():
    counts = np.random.default_rng(1).poisson(40.0, hp.nside2npix(8))
    placed = scatter_galaxies(counts, 8, np.random.default_rng(2))
    np.testing.assert_array_equal(pixel_counts(placed.ra, placed.dec, 8), counts)
    # sub-pixels share the galaxies of their pixel evenly
    fine = pixel_counts(placed.ra, placed.dec, 16)
    expected = to_nside(counts, 16, "sum")
    chi2 = np.sum((fine - expected) ** 2 / np.maximum(expected, 1))
    dof = 3 * counts.size
    assert abs(chi2 - dof) < 5 * np.sqrt(2 * dof)


def test_randoms_fill_the_mask_evenly():
    mask = np.zeros(hp.nside2npix(16), bool)
    mask[100:1500] = True
    randoms = uniform_randoms(mask, 140_000, np.random.default_rng(3))
    assert len(randoms) == 140_000
    counts = pixel_counts(randoms.ra, randoms.dec, 16)
    assert counts[~mask].sum() == 0
    assert np.sum((counts[mask] - 100) ** 2 / 100) == pytest.approx(1400, abs=5 * np.sqrt(2800))
