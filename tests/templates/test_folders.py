"""Folders of template maps: all maps of one resolution, in either format."""

import healpy as hp
import numpy as np
import pytest
from astropy.io import fits

from sysmap_core.errors import DataError, MissingDataError
from sysmap_core.files import checksum
from sysmap_core.sky.healpix_io import write_map
from sysmap_core.sky.partial_sky import PartialMap
from sysmap_core.templates.folders import read_templates

NSIDE = 16

RA, DEC = hp.pix2ang(NSIDE, np.arange(hp.nside2npix(NSIDE)), lonlat=True)


@pytest.fixture
def template_dir(tmp_path):
    """Two templates at NSIDE 16 and a folder of another resolution."""
    folder = tmp_path / "templates"
    write_map(folder / "0016" / "LS10_EBV_NSIDE_0016.fits", DEC, quantity="EBV", survey="LS10")
    write_map(folder / "0016" / "GAIA_nstar_faint_NSIDE_00016.fits", RA, quantity="nstar_faint", survey="GAIA")
    (folder / "0016" / "LS10_EBV_NSIDE_0032.fits").write_text("of another resolution, not read")
    (folder / "0032").mkdir()
    return folder


def test_template_folder(template_dir):
    maps, names, sums = read_templates(template_dir, 16)
    assert names == ("nstar_faint", "EBV")
    np.testing.assert_array_equal(maps, [RA, DEC])
    assert sums["LS10_EBV_NSIDE_0016.fits"] == checksum(template_dir / "0016" / "LS10_EBV_NSIDE_0016.fits")


def test_template_folder_without_maps(template_dir, tmp_path):
    with pytest.raises(MissingDataError, match=r"no template map SURVEY_QUANTITY_NSIDE_0064\.fits in .*\(0016, 0032\)"):
        read_templates(template_dir, 64)
    with pytest.raises(MissingDataError, match=r"take a resolution that is there \(0016, 0032\)"):
        read_templates(template_dir, 32)
    with pytest.raises(MissingDataError, match=r"template_dir is '.*nowhere', which is not a folder"):
        read_templates(tmp_path / "nowhere", 64)


def test_one_quantity_in_two_files(template_dir):
    write_map(template_dir / "0016" / "GAIA_EBV_NSIDE_00016.fits", DEC, quantity="EBV", survey="GAIA")
    with pytest.raises(DataError, match=r"template EBV is in GAIA_EBV_NSIDE_00016\.fits and in LS10_EBV_NSIDE_0016"):
        read_templates(template_dir, 16)


def test_maps_of_another_resolution_than_their_folder(template_dir):
    write_map(template_dir / "0032" / "LS10_EBV_NSIDE_0032.fits", DEC, quantity="EBV", survey="LS10")
    with pytest.raises(DataError, match=r"LS10_EBV_NSIDE_0032\.fits has NSIDE 16: move it"):
        read_templates(template_dir, 32)


def test_templates_that_do_not_declare_their_frame(tmp_path):
    (tmp_path / "0016").mkdir()
    table = fits.BinTableHDU.from_columns([fits.Column(name="EBV", format="D", array=DEC)])
    table.header.update(ORDERING="RING", NSIDE=16)
    table.writeto(tmp_path / "0016" / "LS10_EBV_NSIDE_0016.fits")
    with pytest.raises(DataError, match=r"frame of the pixels is not in the header.*template_frame of a sample"):
        read_templates(tmp_path, 16)
    assert read_templates(tmp_path, 16, frame="equatorial")[1] == ("EBV",)


def test_maps_of_a_part_of_the_sky_and_of_other_surveys(template_dir):
    """HealSparse beside HEALPix: UNSEEN where it has no value."""
    pytest.importorskip("healsparse")
    from sysmap_core.sky.healsparse_io import write_healsparse

    south = np.flatnonzero(DEC < 0)
    path = template_dir / "0016" / "DES-Y6_FWHM_I_NSIDE_0016.hsp"
    write_healsparse(path, PartialMap(south, RA[south], NSIDE, {}), quantity="FWHM_I", survey="DES-Y6")
    maps, names, sums = read_templates(template_dir, 16)
    assert names == ("FWHM_I", "nstar_faint", "EBV")
    np.testing.assert_array_equal(maps[0], np.where(DEC < 0, RA, hp.UNSEEN))
    assert sums[path.name] == checksum(path)
