"""Frames and resolutions of maps, with missing pixels kept missing."""

import healpy as hp
import numpy as np
import pytest

from sysmap_core.errors import ParameterError
from sysmap_core.sky.pixels import usable
from sysmap_core.sky.regrid import galactic_to_equatorial, to_nside

NSIDE = 32


def sin_latitude(frame):
    """Sine of the Galactic latitude at pixel centres that are counted in a frame."""
    ra, dec = hp.pix2ang(NSIDE, np.arange(hp.nside2npix(NSIDE)), lonlat=True)
    lat = dec if frame == "galactic" else hp.Rotator(coord=["C", "G"])(ra, dec, lonlat=True)[1]
    return np.sin(np.radians(lat))


def test_galactic_map_is_evaluated_at_equatorial_centres():
    turned = galactic_to_equatorial(sin_latitude("galactic"))
    np.testing.assert_allclose(turned, sin_latitude("equatorial"), atol=0.002)


def test_galactic_map_can_be_evaluated_at_another_resolution():
    assert galactic_to_equatorial(sin_latitude("galactic"), 64).size == hp.nside2npix(64)


@pytest.mark.parametrize("sentinel", [hp.UNSEEN, np.nan])
def test_a_pixel_that_touches_a_missing_one_is_missing(sentinel):
    values = 2.0 + sin_latitude("galactic")
    hole = hp.query_disc(NSIDE, hp.ang2vec(30.0, 40.0, lonlat=True), np.radians(10))
    values[hole] = sentinel
    turned = galactic_to_equatorial(values)
    good = usable(turned)
    np.testing.assert_allclose(turned[good], 2.0 + sin_latitude("equatorial")[good], atol=0.002)
    assert hole.size < (~good).sum() < 1.5 * hole.size
    assert (turned[~good] == hp.UNSEEN).all()


@pytest.mark.parametrize("nside", [8, 64])
def test_mean_agrees_with_healpy(nside):
    values = np.random.default_rng(1).normal(size=hp.nside2npix(NSIDE))
    values[100:400] = hp.UNSEEN
    np.testing.assert_allclose(to_nside(values, nside), hp.ud_grade(values, nside), rtol=1e-12)


@pytest.mark.parametrize("nside", [1, 16, 32, 128])
def test_sum_conserves_counts(nside):
    counts = np.random.default_rng(2).poisson(3.0, size=(2, hp.nside2npix(NSIDE)))
    total = to_nside(counts, nside, "sum")
    assert total.shape == (2, hp.nside2npix(nside))
    np.testing.assert_allclose(total.sum(1), counts.sum(1))


def test_missing_sub_pixels_are_left_out():
    values = np.ones(hp.nside2npix(2))
    children = hp.nest2ring(2, np.arange(4))
    values[children[:3]] = (hp.UNSEEN, np.nan, 5.0)
    parent = hp.nest2ring(1, 0)
    assert to_nside(values, 1)[parent] == 3.0
    assert to_nside(values, 1, "sum")[parent] == 6.0
    values[children] = np.nan
    assert to_nside(values, 1, "sum")[parent] == hp.UNSEEN


def test_unknown_kind_and_nside():
    with pytest.raises(ParameterError, match=r"unknown kind 'median': .*known: mean, sum"):
        to_nside(np.ones(12), 2, "median")
    with pytest.raises(ParameterError, match="nside is 3"):
        to_nside(np.ones(12), 3)
