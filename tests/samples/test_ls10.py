"""The nine samples: identifiers, clustering and sky."""

import healpy as hp
import numpy as np
import pytest

from sysmap_core.errors import ParameterError
from sysmap_core.mocks.galaxy_spectrum import shape_spectrum
from sysmap_core.samples.ls10 import LS10_SAMPLES, clustering_sigma, sample_spectrum
from sysmap_core.samples.registry import LRG


def test_identifiers():
    names = [info.identifier for info in LS10_SAMPLES]
    assert len(set(names)) == 9
    assert names[0] == "LS10_VLIM_ANY_9.0_Mstar_12.0_0.05_z_0.08_N_0523486"
    assert names[3] == "LS10_VLIM_ANY_10.25_Mstar_12.0_0.05_z_0.22_N_3308841"
    assert names[4] == "LS10_VLIM_ANY_10.5_Mstar_12.0_0.05_z_0.26_N_3263228"
    assert names[8] == "LS10_VLIM_ANY_11.5_Mstar_12.0_0.05_z_0.35_N_0120882"


@pytest.mark.parametrize("info", LS10_SAMPLES, ids=lambda info: str(info.log_mass))
def test_finest_resolution_has_25_galaxies_per_pixel(info):
    per_pixel = info.n_galaxies / (0.44 * hp.nside2npix(info.finest_nside))
    assert per_pixel > 24
    assert per_pixel / 4 < 25 or info.finest_nside == 128
    assert 4.9 < info.n_randoms / info.n_galaxies < 5.1


def test_measured_spectrum_is_below_the_published_rms():
    """The published rms of log M* > 9.5 holds more than the clustering of its spectrum."""
    info = LS10_SAMPLES[1]
    cl = shape_spectrum(767)
    assert clustering_sigma(cl, 64) / info.sigma_64 == pytest.approx(0.89, abs=0.02)
    assert clustering_sigma(cl, 32) / info.sigma_32 == pytest.approx(0.78, abs=0.02)


@pytest.mark.parametrize("info", LS10_SAMPLES, ids=lambda info: str(info.log_mass))
def test_spectrum_meets_the_published_rms(info):
    assert clustering_sigma(sample_spectrum(info, 767), 64) == pytest.approx(info.sigma_64, rel=1e-6)
    # power beyond the band limit hardly counts in pixels of NSIDE 64
    assert clustering_sigma(sample_spectrum(info, 1535), 64) == pytest.approx(info.sigma_64, rel=0.01)


def test_clustering_sigma_of_white_noise():
    """Uncorrelated power: the variance of a pixel is the power over the pixel area."""
    cl = np.full(32 * 16 + 1, 1e-3)
    expected = np.sqrt(1e-3 / hp.nside2pixarea(16))
    assert clustering_sigma(cl, 16) == pytest.approx(expected, rel=0.03)


def test_no_spectrum_for_the_luminous_red_galaxies():
    with pytest.raises(ParameterError, match="no clustering is published for desi_lrg_decals"):
        sample_spectrum(LRG, 100)
