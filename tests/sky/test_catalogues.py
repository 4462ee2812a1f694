"""Catalogues of any survey: formats, units, weights, further columns, and a checksum of the positions."""

import numpy as np
import pytest
from astropy import units as u
from astropy.io import fits
from astropy.table import Column, MaskedColumn, Table

from sysmap_core.errors import DataError, MissingDataError, ParameterError
from sysmap_core.sky.catalogues import Catalogue, catalogue_checksum, read_catalogue
from sysmap_core.sky.tables import table_columns

RA = np.array([0.0, 359.9, 12.5])

DEC = np.array([-60.0, 10.0, 33.0])

IDS = np.array([2**64 - 3, 2**53 + 1, 17], np.uint64)


SHIFT = np.array([0.0, 0.0, 0.001])


def write(path, **columns):
    fits.BinTableHDU.from_columns([fits.Column(name=n, format="E", array=v) for n, v in columns.items()]).writeto(path)
    return path


def stored(path, **columns):
    """A table with the types of its columns."""
    Table(columns).write(path)
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
    with pytest.raises(DataError, match="has no columns RA and DEC, it has ALPHA, Dec: rename those of the pos"):
        read_catalogue(write(tmp_path / "c.fits", ALPHA=RA, Dec=DEC))


def test_file_without_a_table(tmp_path):
    fits.PrimaryHDU().writeto(tmp_path / "empty.fits")
    with pytest.raises(DataError, match="holds no table"):
        read_catalogue(tmp_path / "empty.fits")


def test_missing_file(tmp_path):
    with pytest.raises(MissingDataError, match=r"catalogue '.*none\.fits' does not exist"):
        read_catalogue(tmp_path / "none.fits")


FORMATS = ("c.fits", "c.fits.gz", "c.parquet", "c.hdf5", "c.csv", "c.ecsv")


POSITIONS = [
    (None, ("RA", "DEC")),
    (u.deg, ("target_ra", "target_dec")),
    (u.rad, ("coord_ra", "coord_dec")),
    (u.arcsec, ("ALPHA_J2000", "DELTA_J2000")),
    ("sexagesimal", ("RAJ2000", "DEJ2000")),
]

# CSV has no units, and arcseconds cannot be declared
CASES = [(form, *kind) for form in FORMATS for kind in POSITIONS if (form, kind[0]) != ("c.csv", u.arcsec)]


@pytest.mark.parametrize(("form", "unit", "names"), CASES)
def test_one_catalogue_in_every_format_and_unit_comes_back_the_same(tmp_path, form, unit, names):
    table = Table()
    for name, values, letters in zip(names, (RA, DEC), ("hms", "dms"), strict=True):
        column = Column(values, unit=u.deg)
        if unit == "sexagesimal":
            text = u.Quantity(column).to(u.hourangle if letters == "hms" else u.deg)
            column = Column([_text(v, letters) for v in text.value])
        else:
            column = column if unit is None else Column((values * u.deg).to_value(unit))
            column.unit = None if form == "c.csv" else unit
        table[name] = column
    table["WEIGHT"] = [1.0, 0.5, 2.0]
    table["TARGETID"] = IDS
    table["REGION"] = ["N", "S", "SGC"]
    table["Z"] = [0.1, 0.2, 0.3]
    table.write(tmp_path / form, **({"path": "objects", "serialize_meta": True} if form == "c.hdf5" else {}))
    declared = "rad" if form == "c.csv" and unit == u.rad else None
    found = read_catalogue(tmp_path / form, weight_columns=["WEIGHT"], columns=["Z", "region"], position_unit=declared)
    np.testing.assert_allclose(found.ra, RA, atol=1e-9)
    np.testing.assert_allclose(found.dec, DEC, atol=1e-9)
    assert found.weights.tolist() == [1.0, 0.5, 2.0]
    assert list(found.columns) == ["Z", "REGION", "TARGETID"]
    assert found.column("TARGETID").dtype == np.uint64
    assert found.column("TARGETID").tolist() == IDS.tolist()
    assert found.column("REGION").tolist() == ["N", "S", "SGC"]
    assert type(found.column("Z")) is np.ndarray


def _text(value, letters):
    """Hours or degrees with their minutes and seconds."""
    sign, value = "-" if value < 0 else "", abs(value)
    seconds = (value * 3600) % 60
    return f"{sign}{int(value)}{letters[0]}{int(value * 60) % 60}{letters[1]}{seconds:.9f}{letters[2]}"


def test_the_table_with_positions_is_found_among_several(tmp_path):
    first, second = Table({"TARGETID": [1], "RA": [1.0]}), Table({"RA": RA, "DEC": DEC, "Z": DEC})
    fits.HDUList([fits.PrimaryHDU(), *map(fits.table_to_hdu, (first, second, second))]).writeto(tmp_path / "c.fits")
    assert len(read_catalogue(tmp_path / "c.fits")) == 3
    assert list(table_columns(tmp_path / "c.fits")) == ["RA", "DEC", "Z"]
    with pytest.raises(
        DataError, match="has no columns RA and DEC, it has TARGETID, RA: rename those of the position, or"
    ):
        read_catalogue(tmp_path / "c.fits", extension=1)


def test_the_table_with_the_further_columns_is_found(tmp_path):
    tables = [Table({"RA": RA, "DEC": DEC}), Table({"RA": RA[:2], "DEC": DEC[:2], "Z": DEC[:2], "W": RA[:2] + 1})]
    fits.HDUList([fits.PrimaryHDU(), *map(fits.table_to_hdu, tables)]).writeto(tmp_path / "c.fits")
    assert len(read_catalogue(tmp_path / "c.fits")) == 3
    assert len(read_catalogue(tmp_path / "c.fits", columns=["z"])) == 2
    assert len(read_catalogue(tmp_path / "c.fits", weight_columns=["w"])) == 2


def test_positions_that_are_named(tmp_path):
    path = stored(tmp_path / "c.fits", RA=RA, DEC=DEC, lon=RA + 0.01, lat=DEC)
    np.testing.assert_allclose(read_catalogue(path, ra_column="LON", dec_column="lat").ra, (RA + 0.01) % 360)
    with pytest.raises(ParameterError, match="ra_column is 'lon' without a dec_column: give both, or none"):
        read_catalogue(path, ra_column="lon")
    with pytest.raises(ParameterError, match="dec_column is 'lat' without a ra_column: give both, or none"):
        read_catalogue(path, dec_column="lat")
    with pytest.raises(ParameterError, match=r"unknown column of .*c\.fits 'long': did you mean 'lon'"):
        read_catalogue(path, ra_column="long", dec_column="lat")


def test_two_positions_that_disagree_are_a_question(tmp_path):
    path = stored(tmp_path / "c.fits", RA=RA, DEC=DEC, TARGET_RA=RA, TARGET_DEC=DEC + SHIFT)
    with pytest.raises(
        DataError, match=r"positions in RA, DEC and in TARGET_RA, TARGET_DEC differ in 1 of 3 rows, by up"
    ):
        read_catalogue(path)
    found = read_catalogue(path, ra_column="TARGET_RA", dec_column="TARGET_DEC")
    np.testing.assert_array_equal(found.dec, DEC + SHIFT)


def test_weights_are_a_product_or_none(tmp_path):
    path = stored(tmp_path / "c.fits", RA=RA, DEC=DEC, WEIGHT_COMP=RA + 1, W=[0, 2, 0.5], flag=[True, False, True])
    np.testing.assert_array_equal(read_catalogue(path).weights, RA + 1)
    assert read_catalogue(path, weight_columns=()).weights is None
    np.testing.assert_array_equal(
        read_catalogue(path, weight_columns=["w", "weight_comp"]).weights, (RA + 1) * [0, 2, 0.5]
    )
    assert read_catalogue(path, weight_columns=["flag"]).weights.tolist() == [1.0, 0.0, 1.0]
    with pytest.raises(ParameterError, match=r"weight_columns is 'W': give a list of names, such as \['W'\]"):
        read_catalogue(path, weight_columns="W")


def test_what_is_no_weight_is_counted_for_each_column(tmp_path):
    bad = {
        "A": np.array([np.nan, np.inf, 1.0]),
        "B": np.array([-99.0, -1.6375e30, -1e-3]),
        "C": MaskedColumn([1, 2, 3], mask=[0, 0, 1]),
        "D": np.array([1.0, 0.0, 1.0]),
    }
    path = stored(tmp_path / "c.fits", RA=RA, DEC=DEC, **bad)
    message = (
        f"{path}: weights of 3 objects are 2 not finite in A, 3 negative in B, 1 masked in C: correct them or remove "
        "these rows"
    )
    with pytest.raises(DataError) as info:
        read_catalogue(path, weight_columns=["A", "B", "C", "D"])
    assert str(info.value) == message


def test_columns_that_hold_no_weights(tmp_path):
    path = stored(tmp_path / "c.fits", RA=RA, DEC=DEC, A=["x", "y", "z"], B=np.ones((3, 2)), C=[1, 0, 1], D=[0, 3, 0])
    with pytest.raises(DataError, match=r"column A holds no numbers: give weights, or leave it out of weight_columns"):
        read_catalogue(path, weight_columns=["A"])
    with pytest.raises(DataError, match=r"column B has \(2,\) values in a row: give one per object"):
        read_catalogue(path, weight_columns=["B"])
    with pytest.raises(DataError, match=r"the product of the weights C, D is zero for all objects: give other columns"):
        read_catalogue(path, weight_columns=["C", "D"])


def test_further_columns_that_are_masked(tmp_path):
    masked = {"mask": [False, True, False]}
    path = stored(
        tmp_path / "c.ecsv",
        RA=RA,
        DEC=DEC,
        Z=MaskedColumn(np.array([0.1, 0.2, 0.3], np.float32), **masked),
        n=MaskedColumn([1, 2, 3], **masked),
        whole=[1, 2, 3],
        name=MaskedColumn(["a", "b", "c"], **masked),
    )
    found = read_catalogue(path, columns=["Z", "n", "whole", "name"]).columns
    np.testing.assert_array_equal(found["Z"], np.array([0.1, np.nan, 0.3], np.float32))
    assert found["Z"].dtype == np.float32
    np.testing.assert_array_equal(found["n"], [1, np.nan, 3])
    assert found["whole"].dtype == np.int64
    assert found["name"].tolist() == ["a", "", "c"]


def test_further_columns_that_are_vectors_or_not_there(tmp_path):
    path = stored(tmp_path / "c.fits", RA=RA, DEC=DEC, pz=np.ones((3, 5)), REDSHIFT=RA)
    with pytest.raises(DataError, match=r"column pz has \(5,\) values in a row: give one per object"):
        read_catalogue(path, columns=["pz"])
    with pytest.raises(ParameterError, match=r"unknown column of .* 'REDSHIF': did you mean 'REDSHIFT'"):
        read_catalogue(path, columns=["REDSHIF"])
    with pytest.raises(ParameterError, match=r"columns is 'REDSHIFT': give a list of names"):
        read_catalogue(path, columns="REDSHIFT")


def test_lists_of_different_lengths_are_no_column(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    parquet.write_table(pyarrow.table({"RA": RA, "DEC": DEC, "list": [[1], [2, 3], []]}), tmp_path / "c.parquet")
    with pytest.raises(
        DataError, match="column list has values of several kinds or lengths in a row: give one per obj"
    ):
        read_catalogue(tmp_path / "c.parquet", columns=["list"])


def test_identifiers(tmp_path):
    path = stored(tmp_path / "c.parquet", RA=RA, DEC=DEC, TARGETID=IDS, name=["a", "b", "c"])
    assert list(read_catalogue(path).columns) == ["TARGETID"]
    assert read_catalogue(path, identifier_column="NAME").column("name").tolist() == ["a", "b", "c"]
    assert read_catalogue(path, identifier_column="").columns == {}
    assert list(read_catalogue(path, columns=["TARGETID"]).columns) == ["TARGETID"]
    with pytest.raises(ParameterError, match=r"unknown column of .* 'TARGET_ID': did you mean 'TARGETID'"):
        read_catalogue(path, identifier_column="TARGET_ID")


def test_objects_without_an_identifier(tmp_path):
    path = stored(tmp_path / "c.fits", RA=RA, DEC=DEC, ID=MaskedColumn([1, 2, 3], mask=[0, 1, 0]))
    message = r"1 of 3 objects have no identifier in ID: remove these rows, or name another column with identifier_co"
    with pytest.raises(DataError, match=message):
        read_catalogue(path)
    assert len(read_catalogue(path, identifier_column="")) == 3


def test_text_under_the_name_of_a_catalogue(tmp_path):
    (tmp_path / "c.fits").write_text("RA DEC\n1 2\n")
    with pytest.raises(DataError, match=r"c\.fits cannot be read as a FITS table \(No SIMPLE card found.*\): write or"):
        read_catalogue(tmp_path / "c.fits")


def test_checksum_knows_values_and_order():
    same = catalogue_checksum(RA.astype(">f8"), DEC)
    assert same == catalogue_checksum(RA, DEC)
    assert same != catalogue_checksum(RA[::-1], DEC[::-1])
    assert same != catalogue_checksum(RA, DEC + 1e-13)
    assert same != catalogue_checksum(RA + 1e-13, DEC)
    assert len(Catalogue(RA, DEC)) == 3


def test_checksum_of_a_catalogue_is_that_of_its_file(tmp_path):
    around = np.array([-170.123, -1e-18, 12.5])
    found = read_catalogue(stored(tmp_path / "c.parquet", RA=around, DEC=DEC))
    assert catalogue_checksum(around, DEC) == catalogue_checksum(found.ra, found.dec)
