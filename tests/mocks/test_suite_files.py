"""Files of mocks: what was written comes back, and the header tells the truth."""

import numpy as np
import pytest
from astropy.io import fits

from sysmap_core.errors import DataError, MissingDataError
from sysmap_core.mocks.suite import make_mock_catalog
from sysmap_core.mocks.suite_files import read_mock, write_mock
from sysmap_core.sky.healpix_io import read_map


def small(**options):
    z = np.linspace(0.1, 0.2, 3)
    return make_mock_catalog(4, 12, seed=3, n_mean=5, nz=(z, z), level=0.5, **options)


@pytest.mark.parametrize("redshifts", [True, False])
def test_round_trip(tmp_path, redshifts):
    mock = small() if redshifts else make_mock_catalog(4, 2, seed=3, n_mean=5)
    path = write_mock(tmp_path / "deep" / "mock.fits", mock)
    again = read_mock(path)
    for name, value in vars(mock).items():
        if name in ("a_true", "b_true", "sigma", "level", "n_mean"):
            np.testing.assert_allclose(getattr(again, name), value, rtol=1e-14)
        elif value is None:
            assert getattr(again, name) is None
        else:
            np.testing.assert_array_equal(getattr(again, name), value)
    assert again.ra_gal.dtype.isnative


def test_header_holds_the_truth(tmp_path):
    mock = small(scenario="multiplicative")
    path = write_mock(tmp_path / "mock.fits", mock)
    for extension in (0, "GALAXIES", "RANDOMS", "MAPS"):
        header = fits.getheader(path, extension)
        assert (header["SCENARIO"], header["LEVEL"], header["SEED"]) == ("multiplicative", 0.5, 3)
        for i in range(12):
            assert header[f"A_TRUE_{i}"] == header[f"B_TRUE_{i}"] == pytest.approx(mock.b_true[i], rel=1e-14)
    assert fits.getheader(path, "GALAXIES")["TUNIT1"] == "deg"


def test_maps_are_healpix_maps(tmp_path):
    mock = small()
    path = write_mock(tmp_path / "mock.fits", mock)
    with fits.open(path) as hdus:
        fits.HDUList([fits.PrimaryHDU(), hdus["MAPS"]]).writeto(tmp_path / "maps.fits")
    np.testing.assert_array_equal(
        read_map(tmp_path / "maps.fits", column="TEMPLATE_3", frame="equatorial"), mock.templates[3]
    )


def test_files_that_hold_no_mock(tmp_path):
    with pytest.raises(MissingDataError, match=r"'.*none\.fits' does not exist"):
        read_mock(tmp_path / "none.fits")
    text = tmp_path / "text.fits"
    text.write_text("RA DEC")
    with pytest.raises(DataError, match=r"holds no mock catalogue .*: give a file that write_mock wrote"):
        read_mock(text)
    other = tmp_path / "other.fits"
    fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU.from_columns([fits.Column("RA", "D", array=[1.0])])]).writeto(
        other
    )
    with pytest.raises(DataError, match="holds no mock catalogue"):
        read_mock(other)
    whole = write_mock(tmp_path / "whole.fits", small())
    cut = tmp_path / "cut.fits"
    cut.write_bytes(whole.read_bytes()[:-6000])
    with pytest.raises(DataError, match="holds no mock catalogue"):
        read_mock(cut)
