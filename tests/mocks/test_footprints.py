"""Footprints of surveys, each condition in its own frame."""

import astropy.units as u
import healpy as hp
import numpy as np
import pytest
from astropy.coordinates import SkyCoord

from sysmap_core.errors import DataError, ParameterError
from sysmap_core.mocks.footprints import ls10_south_footprint, survey_mask


@pytest.mark.parametrize("nside", [32, 64, 256])
def test_footprint(nside):
    mask = ls10_south_footprint(nside)
    assert mask.mean() == pytest.approx(0.44, abs=0.01)
    ra, dec = hp.pix2ang(nside, np.flatnonzero(mask), lonlat=True)
    assert dec.max() < 32
    assert np.abs(hp.Rotator(coord=["C", "G"])(ra, dec, lonlat=True)[1]).min() > 20


NSIDE = 16

RA, DEC = hp.pix2ang(NSIDE, np.arange(hp.nside2npix(NSIDE)), lonlat=True)


def test_whole_sky():
    assert survey_mask(NSIDE).all()


def test_latitude_is_galactic():
    """Against the transformation of astropy."""
    mask = survey_mask(NSIDE, min_latitude=20.0)
    latitude = SkyCoord(RA * u.deg, DEC * u.deg, frame="icrs").galactic.b.deg
    clear = np.abs(np.abs(latitude) - 20.0) > 1e-3
    np.testing.assert_array_equal(mask[clear], (np.abs(latitude) > 20.0)[clear])
    assert mask.mean() == pytest.approx(1 - np.sin(np.radians(20)), abs=0.01)


def test_declination_and_named_footprint():
    mask = survey_mask(NSIDE, dec_range=(-10.0, 30.0), footprint="ls10-south")
    assert -10 <= DEC[mask].min() < DEC[mask].max() <= 30
    np.testing.assert_array_equal(mask, ls10_south_footprint(NSIDE) & (DEC >= -10) & (DEC <= 30))


def test_any_mask_at_another_resolution():
    fine = (hp.pix2vec(4 * NSIDE, np.arange(hp.nside2npix(4 * NSIDE)))[0] > 0.2).astype(float)
    mask = survey_mask(NSIDE, mask=np.where(fine > 0, fine, hp.UNSEEN))
    assert mask.mean() == pytest.approx(fine.mean(), abs=0.01)
    np.testing.assert_array_equal(survey_mask(4 * NSIDE, mask=fine), fine > 0)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"min_latitude": 95.0}, "min_latitude is 95.0: give degrees"),
        ({"dec_range": (30.0, -10.0)}, "dec_range is 30.0 to -10.0"),
        ({"footprint": "ls10-north"}, "unknown footprint 'ls10-north': did you mean 'ls10-south'"),
        ({"mask": np.ones(17)}, r"the mask has shape \(17,\): give a full-sky HEALPix map"),
        ({"mask": np.zeros(12)}, "no pixel at NSIDE 16 meets all conditions"),
    ],
)
def test_bad_input(options, problem):
    with pytest.raises((DataError, ParameterError), match=problem):
        survey_mask(NSIDE, **options)
