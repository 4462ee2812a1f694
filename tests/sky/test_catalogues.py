"""Catalogues: columns by any case, and a checksum of the positions."""

import numpy as np
import pytest
from astropy.io import fits

from sysmap_core.errors import DataError, MissingDataError
from sysmap_core.sky.catalogues import Catalogue, catalogue_checksum, read_catalogue

RA = np.array([0.0, 359.9, 12.5])

DEC = np.array([-60.0, 10.0, 33.0])


def write(path, **columns):
    fits.BinTableHDU.from_columns([fits.Column(name=n, format="E", array=v) for n, v in columns.items()]).writeto(path)
    return path


def test_columns_in_any_case(tmp_path):
    catalogue = read_catalogue(write(tmp_path / "c.fits", ra=RA, Dec=DEC, Z=DEC))
    np.testing.assert_allclose(catalogue.ra, RA)
    np.testing.assert_allclose(catalogue.dec, DEC)
    assert catalogue.weights is None
    assert len(catalogue) == 3
    assert catalogue.ra.dtype == np.dtype("=f8")


def test_completeness_weights(tmp_path):
    catalogue = read_catalogue(write(tmp_path / "c.fits", RA=RA, DEC=DEC, WEIGHT_COMP=RA + 1))
    np.testing.assert_allclose(catalogue.weights, RA + 1)


def test_catalogue_without_positions(tmp_path):
    with pytest.raises(DataError, match="has no columns RA and DEC, it has ALPHA, Dec: rename"):
        read_catalogue(write(tmp_path / "c.fits", ALPHA=RA, Dec=DEC))


def test_file_without_a_table(tmp_path):
    fits.PrimaryHDU().writeto(tmp_path / "empty.fits")
    with pytest.raises(DataError, match="holds no table"):
        read_catalogue(tmp_path / "empty.fits")


def test_missing_file(tmp_path):
    with pytest.raises(MissingDataError, match=r"catalogue '.*none\.fits' does not exist"):
        read_catalogue(tmp_path / "none.fits")


def test_checksum_knows_values_and_order():
    same = catalogue_checksum(RA.astype(">f8"), DEC)
    assert same == catalogue_checksum(RA, DEC)
    assert same != catalogue_checksum(RA[::-1], DEC[::-1])
    assert same != catalogue_checksum(RA, DEC + 1e-13)
    assert len(Catalogue(RA, DEC)) == 3
