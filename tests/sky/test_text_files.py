"""Text tables: comments, empty fields, whole numbers, and what is no table."""

import numpy as np
import pytest
from astropy.table import Table

from sysmap_core.errors import DataError
from sysmap_core.sky.tables import read_table, table_columns


def write(path, text, encoding="utf-8"):
    path.write_text(text, encoding=encoding)
    return path


def test_comments_and_lines_of_windows(tmp_path):
    path = write(tmp_path / "t.csv", "# survey\r\n#\r\n\r\nRA,Dec\r\n1,2\r\n# between\r\n3,4\r\n")
    assert table_columns(path) == {"RA": None, "Dec": None}
    assert read_table(path)["Dec"].tolist() == [2, 4]


def test_the_mark_of_a_spreadsheet(tmp_path):
    path = write(tmp_path / "t.csv", "RA,DEC\n1,2\n", "utf-8-sig")
    assert list(table_columns(path)) == ["RA", "DEC"]
    assert read_table(path, ["RA"])["RA"].tolist() == [1]


def test_empty_fields_and_short_rows_are_masked(tmp_path):
    table = read_table(write(tmp_path / "t.csv", "RA,DEC,Z\n1,2,0.5\n3,,\n4\n"))
    assert table["Z"].mask.tolist() == [False, True, True]
    assert table["DEC"].mask.tolist() == [False, True, True]


def test_text_of_digits_beyond_all_whole_numbers_stays_text(tmp_path):
    table = read_table(write(tmp_path / "t.csv", f"RA,ID\n1,{2**64}\n2,5\n"))
    assert table["ID"].tolist() == [str(2**64), "5"]


def test_whole_numbers_above_the_signed_ones_with_a_missing_one(tmp_path):
    column = read_table(write(tmp_path / "t.csv", f"RA,ID\n1,{2**64 - 1}\n2,\n"))["ID"]
    assert column.dtype == np.uint64
    assert column.mask.tolist() == [False, True]
    assert column[0] == 2**64 - 1


def test_text_of_digits_stays_text_where_the_file_says_so(tmp_path):
    Table({"RA": [1.0], "ID": ["007"]}).write(tmp_path / "t.ecsv")
    assert read_table(tmp_path / "t.ecsv", ["ID"])["ID"].tolist() == ["007"]


def test_a_first_row_of_numbers(tmp_path):
    path = write(tmp_path / "t.csv", "# RA,DEC\n1.5,2.5\n3,4\n")
    with pytest.raises(
        DataError, match=r"t\.csv: the first row holds numbers: put the names of the columns there, with"
    ):
        read_table(path)


def test_a_page_of_the_web(tmp_path):
    path = write(tmp_path / "t.csv", "\n<!DOCTYPE html>\n<html></html>\n")
    with pytest.raises(DataError, match=r"t\.csv is a page of the web or XML and no text table: download the table"):
        read_table(path)


@pytest.mark.parametrize("text", ["", "# only a comment\n"])
def test_no_row_of_names(tmp_path, text):
    with pytest.raises(DataError, match=r"t\.csv cannot be read as a text table \(it has no row of names\): write or"):
        read_table(write(tmp_path / "t.csv", text))


def test_a_damaged_header_of_ecsv(tmp_path):
    text = "# %ECSV 1.0\n# ---\n# datatype: [\nRA\n1\n"
    with pytest.raises(DataError, match=r"t\.ecsv cannot be read as a text table \(.+\): write or copy it again$"):
        read_table(write(tmp_path / "t.ecsv", text))
