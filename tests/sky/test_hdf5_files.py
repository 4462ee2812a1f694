"""Tables in HDF5: groups of columns, records, units and text."""

import numpy as np
import pytest
from astropy import units
from astropy.table import Table

from sysmap_core.errors import DataError
from sysmap_core.sky.hdf5_files import hdf5_heads, hdf5_rows
from sysmap_core.sky.table_heads import TableHead
from sysmap_core.sky.tables import read_table, table_columns

h5py = pytest.importorskip("h5py")

RA = np.array([1.0, 2.0, 3.0])


def write(path, attributes=(), **data):
    with h5py.File(path, "w") as file:
        for name, values in data.items():
            file[name.replace("__", "/")] = values
        for name, key, value in attributes:
            file[name].attrs[key] = value
    return path


def test_columns_at_the_top(tmp_path):
    path = write(tmp_path / "t.h5", ra=RA, dec=-RA, version=2)
    assert [(head.extension, list(head.units)) for head in hdf5_heads(path)] == [("/", ["dec", "ra"])]
    np.testing.assert_array_equal(read_table(path, ["dec"])["dec"], -RA)


def test_units_are_attributes_of_either_name(tmp_path):
    given = [("ra", "Units", "rad"), ("dec", "unit", np.bytes_("deg")), ("z", "unit", "")]
    path = write(tmp_path / "t.h5", given, ra=RA, dec=RA, z=RA, e=RA)
    assert table_columns(path) == {"ra": "rad", "dec": "deg", "z": None, "e": None}


def test_several_groups_are_named_and_one_is_chosen(tmp_path):
    path = write(tmp_path / "t.h5", north__ra=RA, north__dec=RA, south__ra=-RA, south__dec=RA, more__x=RA)
    with pytest.raises(DataError, match=r"t\.h5 holds several tables: choose one with extension, /north, /south$"):
        read_table(path, ["ra"])
    assert read_table(path, ["ra"], extension="south")["ra"].tolist() == (-RA).tolist()
    assert read_table(path, ["ra"], extension="/north")["ra"].tolist() == RA.tolist()
    assert read_table(path, ["x"])["x"].tolist() == RA.tolist()


def test_many_groups_are_not_all_listed(tmp_path):
    path = write(tmp_path / "t.h5", **{f"g{i:02d}__ra": RA for i in range(23)})
    with pytest.raises(DataError, match=r"/g18, /g19 and 3 more$"):
        read_table(path, ["ra"])


def test_columns_of_different_lengths_are_no_table(tmp_path):
    with pytest.raises(DataError, match="holds no table: give a table with a row per object"):
        read_table(write(tmp_path / "t.h5", ra=RA, dec=RA[:2]))


def test_records_and_byte_order(tmp_path):
    records = np.array([(1.0, 7), (2.0, 8)], [("ra", ">f8"), ("id", ">u8")])
    path = write(tmp_path / "t.h5", cat__objects=records)
    (head,) = hdf5_heads(path)
    assert head.extension == "/cat/objects"
    rows = hdf5_rows(path, head, ["id", "ra"])
    assert rows["ra"].dtype == np.dtype("=f8")
    assert rows["id"].tolist() == [7, 8]


def test_a_table_of_astropy_is_the_only_one_of_its_file(tmp_path):
    Table({"ra": RA * units.deg}).write(tmp_path / "t.h5", path="objects", serialize_meta=True)
    assert hdf5_heads(tmp_path / "t.h5") == [TableHead("/objects", "/objects", {"ra": "deg"})]


def test_text_of_fixed_and_variable_length(tmp_path):
    path = write(tmp_path / "t.h5", a=np.array([b"N", b"NGC"]), b=["é", "S"])
    table = read_table(path)
    assert table["a"].tolist() == ["N", "NGC"]
    assert table["b"].tolist() == ["é", "S"]
    assert {table[name].dtype.kind for name in "ab"} == {"U"}


def test_a_broken_link_is_passed_over(tmp_path):
    path = write(tmp_path / "t.h5", ra=RA)
    with h5py.File(path, "a") as file:
        file["lost"] = h5py.SoftLink("/nowhere")
    assert list(table_columns(path)) == ["ra"]
