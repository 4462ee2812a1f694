"""Tables in Parquet: nulls, text, lists and units, as other packages write them."""

from decimal import Decimal

import numpy as np
import pytest

from sysmap_core.sky.tables import read_table, table_columns

pyarrow = pytest.importorskip("pyarrow")


def write(path, units=None, **columns):
    from pyarrow import parquet

    fields = [pyarrow.field(n, v.type, metadata=(units or {}).get(n)) for n, v in columns.items()]
    parquet.write_table(pyarrow.table(list(columns.values()), schema=pyarrow.schema(fields)), path)
    return path


def test_units_are_in_the_metadata_of_columns(tmp_path):
    units = {"coord_ra": {"unit": "rad"}, "coord_dec": {"units": "deg"}, "e": {"unit": ""}}
    values = {name: pyarrow.array([1.0]) for name in (*units, "x")}
    found = table_columns(write(tmp_path / "t.parquet", units, **values))
    assert found == {"coord_ra": "rad", "coord_dec": "deg", "e": None, "x": None}


def test_nulls_are_masked_and_whole_numbers_stay_exact(tmp_path):
    large = 2**60 + 1
    path = write(tmp_path / "t.parquet", i=pyarrow.array([large, None]), x=pyarrow.array([np.nan, None]))
    table = read_table(path)
    assert table["i"].mask.tolist() == [False, True]
    assert table["i"].dtype == np.int64
    assert table["i"][0] == large
    assert table["x"].mask.tolist() == [False, True]
    assert np.isnan(table["x"][0])


def test_text_categories_truth_and_decimals(tmp_path):
    path = write(
        tmp_path / "t.parquet",
        text=pyarrow.array(["N", None, "NGC"]),
        category=pyarrow.array(["N", "S", "N"]).dictionary_encode(),
        flag=pyarrow.array([True, None, False]),
        price=pyarrow.array([Decimal("1.5"), Decimal("2.5"), None]),
    )
    table = read_table(path)
    assert table["text"].dtype.kind == table["category"].dtype.kind == "U"
    assert table["text"].filled("?").tolist() == ["N", "?", "NGC"]
    assert table["category"].tolist() == ["N", "S", "N"]
    assert table["flag"].filled(True).tolist() == [True, True, False]
    assert table["price"].filled(0.0).tolist() == [1.5, 2.5, 0.0]


def test_lists_of_one_length_are_vectors(tmp_path):
    vectors = pyarrow.FixedSizeListArray.from_arrays(pyarrow.array(np.arange(6.0)), 2)
    np.testing.assert_array_equal(
        read_table(write(tmp_path / "t.parquet", v=vectors))["v"], np.arange(6.0).reshape(3, 2)
    )
