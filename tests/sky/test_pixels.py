import healpy as hp
import numpy as np
import pytest

from sysmap_core.errors import DataError, ParameterError
from sysmap_core.sky.pixels import check_nside, filled, pixel_counts, usable

NSIDE = 8

NPIX = hp.nside2npix(NSIDE)


@pytest.mark.parametrize("nside", [1, 64, np.int64(8192)])
def test_resolutions_that_exist(nside):
    assert check_nside(nside) == nside
    assert type(check_nside(nside)) is int


@pytest.mark.parametrize("nside", [0, -4, 48, 16384, 64.0, "64", None])
def test_resolutions_that_do_not_exist(nside):
    with pytest.raises(ParameterError, match=rf"nside is {nside!r}: give a power of two between 1 and 8192"):
        check_nside(nside)


def test_every_pixel_centre_is_counted_once():
    ra, dec = hp.pix2ang(NSIDE, np.arange(NPIX), lonlat=True)
    np.testing.assert_array_equal(pixel_counts(ra, dec, NSIDE), 1.0)
    np.testing.assert_array_equal(pixel_counts(ra, dec, NSIDE, weights=np.arange(NPIX)), np.arange(NPIX))


def test_right_ascension_wraps():
    ra, dec = np.array([-0.3, 359.7, 719.7]), np.full(3, 12.0)
    assert sorted(pixel_counts(ra, dec, NSIDE))[-2:] == [0, 3]


def test_poles_are_counted():
    assert pixel_counts(np.array([10.0, 200.0]), np.array([90.0, -90.0]), NSIDE).sum() == 2


@pytest.mark.parametrize(("ra", "dec"), [([np.nan, 0], [0, 0]), ([0, 0], [0, 91]), ([0, 0], [-100, 0])])
def test_positions_that_are_not_on_the_sky(ra, dec):
    with pytest.raises(DataError, match=r"1 of 2 positions are not finite or have \|Dec\| > 90"):
        pixel_counts(np.array(ra, float), np.array(dec, float), NSIDE)


def test_usable():
    np.testing.assert_array_equal(usable(np.array([1.0, np.nan, hp.UNSEEN, np.inf, 0.0])), [1, 0, 0, 0, 1])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_unseen_pixels_are_not_usable_in_any_precision(dtype):
    values = np.array([1.0, hp.UNSEEN, np.nan, -1e30], dtype)
    np.testing.assert_array_equal(usable(values), [True, False, False, True])
    np.testing.assert_array_equal(usable(values[None]), [[True, False, False, True]])


def test_masked_values_become_unseen():
    masked = np.ma.array(np.arange(3, dtype=np.float32), mask=[False, True, False])
    np.testing.assert_array_equal(filled(masked), [0.0, hp.UNSEEN, 2.0])
    np.testing.assert_array_equal(filled([masked, np.ones(3)]), [[0.0, hp.UNSEEN, 2.0], [1.0, 1.0, 1.0]])
