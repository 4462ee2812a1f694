import healpy as hp
import numpy as np
import pytest

from sysmap_core.harmonic.transforms import Transforms, cross_spectra, default_lmax
from sysmap_core.sky.footprints import Footprint

NSIDE = 16

LMAX = default_lmax(NSIDE)

FOOTPRINTS = {
    "equatorial patch": hp.query_disc(NSIDE, [1.0, 0.2, 0.1], 0.3),
    "polar cap": hp.query_disc(NSIDE, [0.1, 0.0, -1.0], 0.4),
    "two pieces": np.concatenate([hp.query_disc(NSIDE, [0.0, 1.0, 0.8], 0.2), [5, 3, 3000]]),
    "whole sky": np.arange(hp.nside2npix(NSIDE)),
    "any order": np.random.default_rng(1).permutation(hp.query_disc(NSIDE, [0.3, 0.2, 0.9], 0.7)),
}


@pytest.fixture(params=FOOTPRINTS.values(), ids=FOOTPRINTS)
def pixels(request):
    return request.param


def full_sky(values, pixels):
    full = np.zeros(hp.nside2npix(NSIDE))
    full[pixels] = values
    return full


def test_sums_over_pixels_are_those_of_healpy(pixels):
    values = np.random.default_rng(0).standard_normal((3, pixels.size))
    alms = hp.nside2pixarea(NSIDE) * Transforms(Footprint(pixels, NSIDE), LMAX).analyse(values)
    expected = np.array([hp.map2alm(full_sky(row, pixels), lmax=LMAX, iter=0) for row in values])
    np.testing.assert_allclose(alms, expected, rtol=0, atol=1e-12 * np.abs(expected).max())


def test_maps_are_those_of_healpy(pixels):
    shape = (2, hp.Alm.getsize(LMAX))
    alms = np.random.default_rng(0).standard_normal((*shape, 2)) @ [1.0, 1j]
    alms[:, : LMAX + 1] = alms[:, : LMAX + 1].real
    expected = np.array([hp.alm2map(alm, NSIDE, lmax=LMAX)[pixels] for alm in alms])
    maps = Transforms(Footprint(pixels, NSIDE), LMAX).synthesise(alms)
    np.testing.assert_allclose(maps, expected, rtol=0, atol=1e-12 * np.abs(expected).max())


@pytest.mark.parametrize("same", [True, False])
def test_cross_spectra_are_those_of_healpy(same):
    pixels, rng = FOOTPRINTS["polar cap"], np.random.default_rng(0)
    alms = [Transforms(Footprint(pixels, NSIDE), LMAX).analyse(rng.standard_normal((n, pixels.size))) for n in (3, 2)]
    one, two = alms[0], alms[0] if same else alms[1]
    expected = np.array([[hp.alm2cl(a, b) for b in two] for a in one])
    np.testing.assert_allclose(cross_spectra(one, two), expected, rtol=0, atol=1e-13 * np.abs(expected).max())
