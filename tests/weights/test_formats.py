import textwrap
from dataclasses import replace

import numpy as np
import pytest
from astropy.io import fits

from sysmap_core.errors import DataError, MissingDataError
from sysmap_core.weights import formats
from sysmap_core.weights.files import WeightTable, read_weights, write_table
from sysmap_core.weights.header import CARDS, READ_ME


@pytest.fixture
def table():
    columns = {"RA": np.array([1.0, 2.0]), "DEC": np.array([0.0, 1.0]), "WEIGHT_SYS": np.array([0.9, 1 / 7])}
    return WeightTable(columns, {"SAMPLE": "S", "NSIDE": 8}, {"WEIGHT_SYS": "1 / (1 + B)"})


def test_how_to_use_the_columns_stands_in_the_file(table, tmp_path):
    header = fits.getheader(write_table(tmp_path / "w.fits", table), "WEIGHTS")
    lines = [line for sentence in READ_ME for line in textwrap.wrap(sentence, 70)]
    assert list(header["COMMENT"]) == lines
    assert "COMMENT" not in read_weights(tmp_path / "w.fits").header
    schema = pytest.importorskip("pyarrow.parquet").read_schema(write_table(tmp_path / "w.parquet", table))
    assert READ_ME[1][:40] in schema.metadata[b"sysmap_core"].decode()


def test_a_table_of_parts_is_there_for_parts_only(table, tmp_path):
    with fits.open(write_table(tmp_path / "w.fits", table)) as hdus:
        assert [hdu.name for hdu in hdus] == ["PRIMARY", "WEIGHTS"]
        assert hdus["WEIGHTS"].header.comments["NSIDE"] == CARDS["NSIDE"]
    with fits.open(write_table(tmp_path / "p.fits", replace(table, parts={"REGION": np.array(["N"])}))) as hdus:
        assert hdus["PARTS"].data["REGION"][0] == "N"


@pytest.mark.parametrize("text", ["Ä1", "blank "])
def test_text_that_fits_cannot_hold(table, tmp_path, text):
    named = replace(table, columns=table.columns | {"NAME": np.array(["a", text])})
    with pytest.raises(DataError, match="NAME has 1 texts with other letters than ASCII or blanks at the end: write P"):
        write_table(tmp_path / "w.fits", named)
    assert list(tmp_path.iterdir()) == []
    got = read_weights(write_table(tmp_path / "w.parquet", named)).columns["NAME"]
    np.testing.assert_array_equal(got, ["a", text])


def test_parquet_that_is_cut_short_or_of_something_else(table, tmp_path):
    path = write_table(tmp_path / "w.parquet", table)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"w\.parquet cannot be read as a Parquet table .*: write or copy it again"):
        read_weights(path)
    arrow = pytest.importorskip("pyarrow")
    pytest.importorskip("pyarrow.parquet").write_table(arrow.table({"RA": [1.0]}), path)
    with pytest.raises(DataError, match=r"w\.parquet has no header of weights: give a file that write_all or"):
        read_weights(path)


def test_a_format_is_told_by_its_content(table, tmp_path):
    path = write_table(tmp_path / "w.parquet", table).rename(tmp_path / "w.dat")
    assert read_weights(path).header == table.header
    assert not formats.is_parquet(write_table(tmp_path / "w.fits", table))
    assert not formats.is_parquet(tmp_path)


def test_parquet_without_its_package(table, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(MissingDataError, match="need the package pyarrow, which is not installed: run `pip install"):
        write_table(tmp_path / "w.parquet", table)
