"""Photometric regions from rules, columns and maps."""

from dataclasses import replace

import healpy as hp
import numpy as np
import pytest
from skies import SAMPLE_NSIDE as NSIDE
from skies import north
from skies import scattered_sample as sample

from sysmap_core.errors import DataError, ParameterError
from sysmap_core.samples.regions import REGION_RULES, galactic_caps, legacy_systems, region_labels
from sysmap_core.sky.counts import Counts
from sysmap_core.sky.healpix_io import write_map

CENTRES = hp.pix2ang(NSIDE, np.arange(hp.nside2npix(NSIDE)), lonlat=True)

KNOWN = Counts.known(np.ones(hp.nside2npix(NSIDE)))


def test_galactic_poles_are_in_their_caps():
    # equatorial coordinates of the north Galactic pole, J2000
    assert list(galactic_caps(np.array([192.859, 12.859]), np.array([27.128, -27.128]))) == ["NGC", "SGC"]


def test_north_of_the_legacy_surveys_is_in_the_northern_cap():
    ra, dec = np.array([190.0, 190.0, 10.0]), np.array([32.4, 32.3, 34.0])
    assert list(legacy_systems(ra, dec)) == ["N", "S", "S"]


@pytest.mark.parametrize("rule", REGION_RULES)
def test_rules_label_every_object_by_its_position(rule):
    sky = sample()
    galaxies, randoms, pixels = region_labels(rule, sky)
    assert pixels is None
    assert np.array_equal(galaxies, REGION_RULES[rule](sky.galaxies.ra, sky.galaxies.dec))
    assert np.array_equal(randoms, REGION_RULES[rule](sky.randoms.ra, sky.randoms.dec))


def test_column_labels_every_object():
    sky = sample(PHOTSYS=north)
    galaxies, randoms, _ = region_labels("PHOTSYS", sky)
    assert np.array_equal(galaxies, north(sky.galaxies.ra, sky.galaxies.dec))
    assert np.array_equal(randoms, north(sky.randoms.ra, sky.randoms.dec))


def test_bytes_and_spaces_are_no_part_of_a_label():
    sky = sample(PHOTSYS=lambda ra, dec: np.char.encode(np.where(dec > 0, "N ", " S")))
    assert set(region_labels("PHOTSYS", sky)[0]) == {"N", "S"}


def test_known_coverage_has_one_region_per_pixel_and_objects_follow():
    sky = sample(KNOWN)
    galaxies, _, pixels = region_labels("caps", sky)
    assert np.array_equal(pixels, galactic_caps(*CENTRES))
    assert np.array_equal(galaxies, pixels[hp.ang2pix(NSIDE, sky.galaxies.ra, sky.galaxies.dec, lonlat=True)])


def test_known_coverage_takes_the_column_of_most_randoms_in_a_pixel():
    sky = sample(KNOWN, PHOTSYS=north)
    _, _, pixels = region_labels("PHOTSYS", sky)
    there = np.unique(hp.ang2pix(NSIDE, sky.randoms.ra, sky.randoms.dec, lonlat=True))
    # pixels are 7 deg wide: away from the equator all randoms of one agree
    away = there[np.abs(CENTRES[1][there]) > 6.0]
    assert np.array_equal(pixels[away], north(*CENTRES)[away])
    assert set(pixels[np.setdiff1d(np.arange(pixels.size), there)]) <= {""}


def test_known_coverage_without_randoms_takes_the_column_of_the_galaxies():
    sky = sample(KNOWN, randoms=False, PHOTSYS=north)
    galaxies, randoms, pixels = region_labels("PHOTSYS", sky)
    assert randoms is None
    assert set(pixels) == {"", "N", "S"}
    assert np.mean(galaxies == north(sky.galaxies.ra, sky.galaxies.dec)) > 0.95


def test_map_labels_objects_at_its_own_resolution(tmp_path):
    fine = hp.pix2ang(64, np.arange(hp.nside2npix(64)), lonlat=True)
    values = np.where(fine[1] > 70, hp.UNSEEN, np.where(fine[1] > 0, 2.0, 7.0))
    path = write_map(tmp_path / "regions.fits", values, quantity="REGION", survey="x")
    sky = sample()
    galaxies, _, _ = region_labels(str(path), sky)
    dec = sky.galaxies.dec
    clear = (np.abs(dec) > 1) & (np.abs(dec - 70) > 1)
    wanted = np.where(dec > 70, "", np.where(dec > 0, "2", "7"))
    assert np.array_equal(galaxies[clear], wanted[clear])


def test_map_of_other_numbers_is_refused(tmp_path):
    path = write_map(tmp_path / "m.fits", np.full(hp.nside2npix(NSIDE), 0.5), quantity="X", survey="x")
    with pytest.raises(DataError, match=r"m.fits holds values that are no whole numbers: give a map with a number"):
        region_labels(str(path), sample())


def test_unknown_regions_are_refused_with_what_is_known():
    with pytest.raises(
        ParameterError, match=r"regions is 'PHOTSIS', which is neither a rule \(caps, legacy\), nor a f"
    ):
        region_labels("PHOTSIS", sample())


def test_too_many_regions_are_refused():
    sky = sample()
    names = np.arange(len(sky.galaxies)).astype(str)
    sky = replace(sky, galaxies=replace(sky.galaxies, columns={"ID": names}))
    with pytest.raises(DataError, match="regions 'ID' has 500 values and at most 20 can be fitted"):
        region_labels("ID", sky)
