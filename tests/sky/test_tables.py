"""Tables of files: one table in every format comes back the same, and what is no table is named."""

import gzip
import sys

import numpy as np
import pytest
from astropy import units as u
from astropy.io import fits
from astropy.table import MaskedColumn, Table

from sysmap_core.errors import DataError, MissingDataError, ParameterError
from sysmap_core.sky.tables import read_table, table_columns

RA = np.array([10.0, 359.875, 12.5])

DEC = np.array([-60.0, 10.25, 33.0])

IDS = np.array([2**63 - 3, 17, 2**53 + 1])

FILES = ("plain.fits", "packed.fits.gz", "UPPER.FITS", "second.fits", "ldac.cat", "t.parquet", "records.h5")
FILES += ("groups.hdf5", "t.csv", "t.csv.gz", "t.ecsv")


def made():
    table = Table({"RA": RA * u.deg, "Dec": DEC * u.deg, "TARGETID": IDS, "field": np.array(["N", "S", "NGC"])})
    table["Z"] = MaskedColumn([0.1, 0.2, 0.3], mask=[False, True, False])
    return table


def write(path, table=None):
    """A file of each kind, as its own package writes it."""
    table, kind = made() if table is None else table, path.name
    if kind == "second.fits":
        other = fits.BinTableHDU(Table({"x": [1.0]}), name="OTHER")
        fits.HDUList([fits.PrimaryHDU(), other, fits.table_to_hdu(table)]).writeto(path)
    elif kind == "ldac.cat":
        # the image header comes first, in a table of one wide text
        header = fits.BinTableHDU(Table({"Field Header Card": np.array(["SIMPLE = T"])}), name="LDAC_IMHEAD")
        objects = fits.table_to_hdu(table)
        objects.name = "LDAC_OBJECTS"
        fits.HDUList([fits.PrimaryHDU(), header, objects]).writeto(path)
    elif kind == "records.h5":
        table.write(path, path="objects", serialize_meta=True)
    elif kind == "groups.hdf5":
        import h5py

        with h5py.File(path, "w") as file:
            group = file.create_group("cat", track_order=True)
            for name in table.colnames:
                values = np.asarray(table[name])
                data = values.astype("S") if values.dtype.kind == "U" else values
                group.create_dataset(name, data=data).attrs["unit"] = str(table[name].unit or "")
            group["Z.mask"] = np.ma.getmaskarray(table["Z"])
            file.attrs["made_by"] = "a test"
    elif kind.endswith(".gz") and "csv" in kind:
        table.write(path.with_suffix(""), format="ascii.csv")
        path.write_bytes(gzip.compress(path.with_suffix("").read_bytes()))
    else:
        table.write(path)
    return path


@pytest.mark.parametrize("name", FILES)
def test_one_table_in_every_format_comes_back_the_same(tmp_path, name):
    path = write(tmp_path / name)
    table = read_table(path)
    assert table.colnames == ["RA", "Dec", "TARGETID", "field", "Z"]
    np.testing.assert_array_equal(table["RA"], RA)
    np.testing.assert_array_equal(table["Dec"], DEC)
    np.testing.assert_array_equal(table["TARGETID"], IDS)
    assert table["TARGETID"].dtype == np.int64
    assert table["field"].tolist() == ["N", "S", "NGC"]
    assert all(table[c].dtype.isnative for c in table.colnames)
    # plain FITS marks missing floats by NaN
    assert np.ma.getmaskarray(table["Z"])[1] or np.isnan(table["Z"][1])
    np.testing.assert_array_equal(np.asarray(table["Z"])[[0, 2]], [0.1, 0.3])
    units = {c: None if "csv" in name and name != "t.ecsv" else "deg" for c in ("RA", "Dec")}
    assert table_columns(path) == units | dict.fromkeys(("TARGETID", "field", "Z"))
    assert table["RA"].unit == (units["RA"] and u.deg)


@pytest.mark.parametrize("name", FILES)
def test_columns_in_any_case_and_in_the_order_asked_for(tmp_path, name):
    table = read_table(write(tmp_path / name), ["targetid", "z", "RA"])
    assert table.colnames == ["TARGETID", "Z", "RA"]
    np.testing.assert_array_equal(table["TARGETID"], IDS)
    assert np.ma.getmaskarray(table["Z"])[1] or np.isnan(table["Z"][1])


@pytest.mark.parametrize("name", FILES)
def test_unsigned_identifiers_above_the_signed_ones_are_exact(tmp_path, name):
    ids = np.array([2**64 - 3, 2**63 + 1, 17], np.uint64)
    table = read_table(write(tmp_path / name, Table({"RA": RA, "DEC": DEC, "ID": ids, "Z": DEC})), ["ID"])
    assert table["ID"].dtype == np.uint64
    np.testing.assert_array_equal(table["ID"], ids)


@pytest.mark.parametrize("name", [n for n in FILES if n not in ("records.h5", "groups.hdf5", "t.csv", "t.csv.gz")])
@pytest.mark.parametrize("dtype", [np.int64, np.uint64])
def test_masked_whole_numbers_stay_whole_and_masked(tmp_path, name, dtype):
    masked = MaskedColumn(IDS.astype(dtype), mask=[False, True, False])
    column = read_table(write(tmp_path / name, Table({"RA": RA, "DEC": DEC, "ID": masked})))["ID"]
    assert column.dtype == dtype
    assert column.mask.tolist() == [False, True, False]
    assert np.asarray(column)[[0, 2]].tolist() == IDS[[0, 2]].tolist()


@pytest.mark.parametrize("name", [n for n in FILES if "csv" not in n])
def test_vector_columns(tmp_path, name):
    vectors = np.arange(6.0).reshape(3, 2)
    table = read_table(write(tmp_path / name, Table({"RA": RA, "DEC": DEC, "fluxes": vectors, "Z": RA})))
    np.testing.assert_array_equal(table["fluxes"], vectors)


def test_a_table_is_chosen_by_its_columns_or_its_extension(tmp_path):
    path = write(tmp_path / "second.fits")
    assert list(table_columns(path)) == made().colnames
    assert list(table_columns(path, extension=1)) == ["x"]
    assert list(table_columns(path, extension="1")) == ["x"]
    assert list(table_columns(path, extension="other")) == ["x"]
    assert read_table(path, ["X"]).colnames == ["x"]
    with pytest.raises(
        ParameterError, match=r"extension is 'none', which is no table of .*second\.fits: it holds 1 OTHER"
    ):
        read_table(path, extension="none")
    with pytest.raises(ParameterError, match="extension is 0, which is no table"):
        read_table(path, extension=0)


def test_a_number_is_a_number_and_digits_may_be_a_name(tmp_path):
    tables = [fits.BinTableHDU(Table({name: [1.0]}), name=title) for name, title in (("x", "2"), ("y", "1"))]
    fits.HDUList([fits.PrimaryHDU(), *tables]).writeto(tmp_path / "t.fits")
    assert list(table_columns(tmp_path / "t.fits", extension=2)) == ["y"]
    assert list(table_columns(tmp_path / "t.fits", extension="2")) == ["x"]


def test_a_single_table_has_no_extension(tmp_path):
    with pytest.raises(ParameterError, match=r"extension is 1, .*: leave it out, the file holds a single table"):
        read_table(write(tmp_path / "t.csv"), extension=1)


def test_a_column_that_is_not_there(tmp_path):
    path = write(tmp_path / "plain.fits")
    with pytest.raises(ParameterError, match=r"unknown column of .*plain\.fits 'TARGETIT': did you mean 'TARGETID'"):
        read_table(path, ["TARGETIT"])
    with pytest.raises(ParameterError, match=r"columns is 'RA': give a list of names, such as \['RA'\]"):
        read_table(path, "RA")


@pytest.mark.parametrize("name", [n for n in FILES if "csv" not in n])
def test_a_file_that_is_cut_short(tmp_path, name):
    path = write(tmp_path / name)
    content = path.read_bytes()
    path.write_bytes(content[: int(0.6 * len(content)) + 100])
    with pytest.raises(DataError, match=rf"{name} cannot be read as .* \(.+\): write or copy it again$"):
        read_table(path)


@pytest.mark.parametrize("name", ["a.fits", "a.parquet", "a.hdf5", "a.fits.gz"])
def test_a_page_of_the_web_under_another_name(tmp_path, name):
    (tmp_path / name).write_text("<!DOCTYPE html>\n<html><body>404. Not found.</body></html>\n")
    with pytest.raises(
        DataError, match=rf"{name} cannot be read as (a FITS table|Parquet|HDF5) \([^.]*\): write"
    ) as info:
        read_table(tmp_path / name)
    assert "\n" not in str(info.value)


def test_files_that_are_no_tables(tmp_path):
    (tmp_path / "notes.txt").write_text("RA DEC\n1 2\n")
    with pytest.raises(DataError, match=r"notes\.txt is not recognised as a table: give a FITS, Parquet, HDF5, CSV or"):
        read_table(tmp_path / "notes.txt")
    (tmp_path / "empty.fits").write_bytes(b"")
    with pytest.raises(DataError, match=r"empty\.fits cannot be read as a FITS table"):
        read_table(tmp_path / "empty.fits")
    (tmp_path / "broken.gz").write_bytes(b"\x1f\x8b and no more")
    with pytest.raises(DataError, match=r"broken\.gz cannot be read as a table"):
        read_table(tmp_path / "broken.gz")
    fits.PrimaryHDU(np.zeros((2, 2))).writeto(tmp_path / "image.fits")
    with pytest.raises(DataError, match=r"image\.fits holds no table: give a table with a row per object"):
        read_table(tmp_path / "image.fits")
    with pytest.raises(MissingDataError, match=r"table '.*none\.csv' does not exist: check the name and the folder"):
        read_table(tmp_path / "none.csv")
    with pytest.raises(MissingDataError, match="is a folder: give a file in it"):
        table_columns(tmp_path)


def test_content_decides_where_the_ending_is_another(tmp_path):
    path = write(tmp_path / "t.parquet").rename(tmp_path / "t.fits")
    np.testing.assert_array_equal(read_table(path)["RA"], RA)


@pytest.mark.parametrize(("name", "package"), [("t.parquet", "pyarrow"), ("records.h5", "h5py")])
def test_without_the_package_one_sentence_says_how_to_get_it(tmp_path, monkeypatch, name, package):
    path = write(tmp_path / name)
    monkeypatch.setitem(sys.modules, package, None)
    message = rf"need the package {package}, which is not installed: run `pip install {package}`"
    with pytest.raises(MissingDataError, match=message):
        read_table(path)
