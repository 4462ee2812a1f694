"""FITS tables: which one, null values, and files that are not what they seem."""

import numpy as np
import pytest
from astropy.io import fits

from sysmap_core.errors import DataError
from sysmap_core.sky.fits_files import fits_heads, fits_rows, read_columns
from sysmap_core.sky.tables import read_table


def write(path, *tables):
    fits.HDUList([fits.PrimaryHDU(), *tables]).writeto(path)
    return path


def table(name="", **columns):
    made = [fits.Column(name=n, format=f, array=np.array(v), **more) for n, (f, v, more) in columns.items()]
    return fits.BinTableHDU.from_columns(made, name=name)


def test_heads_are_numbers_names_and_units(tmp_path):
    path = write(
        tmp_path / "t.fits",
        fits.ImageHDU(np.zeros((2, 2))),
        table("LDAC_IMHEAD", card=("80A", ["SIMPLE"], {})),
        table("A", RA=("D", [1.0], {"unit": "deg"}), n=("J", [1], {})),
        fits.CompImageHDU(np.zeros((8, 8), np.int16)),
    )
    (head,) = fits_heads(path)
    assert (head.extension, head.name, head.units) == (3, "A", {"RA": "deg", "n": None})


def test_null_values_of_whole_numbers_are_masked(tmp_path):
    path = write(tmp_path / "t.fits", table(n=("J", [1, -99, 3], {"null": -99}), m=("J", [1, -99, 3], {})))
    rows = fits_rows(path, fits_heads(path)[0], ["n", "m"])
    assert rows["n"].mask.tolist() == [False, True, False]
    assert rows["m"].tolist() == [1, -99, 3]


def test_null_values_of_unsigned_numbers_are_those_before_the_offset(tmp_path):
    """As other programs write them; those of astropy are in the tests of tables."""
    stored = np.array([5, -7, 3], np.int64)
    hdu = fits.BinTableHDU.from_columns([fits.Column(name="n", format="K", array=stored, null=-7)])
    hdu.header["TZERO1"] = 2**63
    path = write(tmp_path / "t.fits", hdu)
    column = fits_rows(path, fits_heads(path)[0], ["n"])["n"]
    assert column.mask.tolist() == [False, True, False]
    assert np.asarray(column)[[0, 2]].tolist() == [2**63 + 5, 2**63 + 3]


def test_tables_of_several_detectors(tmp_path):
    objects = [table("LDAC_OBJECTS", ALPHA_J2000=("D", [1.0], {}), DELTA_J2000=("D", [1.0], {})) for _ in range(2)]
    path = write(tmp_path / "t.cat", *objects)
    with pytest.raises(DataError, match=r"t\.cat holds several tables: choose one with extension, 1, 2$"):
        read_table(path)
    assert len(read_table(path, extension=2)) == 1


def test_compressed_tables_are_named(tmp_path):
    hdu = table(RA=("D", [1.0], {}))
    hdu.header["ZTABLE"] = True
    with pytest.raises(DataError, match=r"t\.fits\.fz holds a table compressed by fpack: unpack it with funpack"):
        fits_heads(write(tmp_path / "t.fits.fz", hdu))


def test_a_file_that_ends_within_a_header(tmp_path):
    """Else the last table would be left out without a word."""
    long = table(**{f"c{i}": ("D", [1.0], {}) for i in range(40)})
    path = write(tmp_path / "t.fits", table(RA=("D", [1.0], {})), long)
    content = path.read_bytes()
    path.write_bytes(content[: 3 * 2880 + 1000])
    with pytest.raises(DataError, match=r"t\.fits cannot be read as a FITS table \(it ends within a header\): write"):
        fits_heads(path)
    path.write_bytes(content + b"\0" * 10240)
    assert len(fits_heads(path)) == 2


def test_a_packed_file_that_is_cut_short(tmp_path):
    path = write(
        tmp_path / "t.fits.gz", table(RA=("D", [1.0], {})), table(x=("D", np.random.default_rng(1).random(999), {}))
    )
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(
        DataError, match=r"t\.fits\.gz cannot be read as a FITS table \(.*end.*\): write or copy it again"
    ):
        fits_heads(path)


def test_all_columns_of_the_first_table(tmp_path):
    columns = read_columns(write(tmp_path / "t.fits", table(b=("E", [1.5], {}), a=("J", [2], {}))))
    assert list(columns) == ["b", "a"]
    assert columns["b"].dtype == np.dtype("=f4")
