from dataclasses import replace

import numpy as np
import pytest
from astropy.io import fits
from skies import ClusteredSky

from sysmap_core.errors import DataError, MissingDataError, ParameterError
from sysmap_core.files import plain
from sysmap_core.methods.decontamination import decontaminate
from sysmap_core.weights.files import (
    WeightTable,
    position_checksum,
    read_params,
    read_weights,
    write_params,
    write_table,
)
from sysmap_core.weights.header import CARDS, FURTHER_CARDS, NUMBERED_CARDS

LONG_NAME = "LS10_VLIM_ANY_10.75_Mstar_12.0_0.05_z_0.31_N_2802710"


@pytest.fixture
def table():
    """Three galaxies with every kind of header value."""
    columns = {
        "RA": np.array([10.1, 0.2, 359.9]),
        "DEC": np.array([-30.0, 0.0, 1 / 3]),
        "WEIGHT_SYS": np.array([1.1, 0.9, 1 / 7]),
    }
    header = {"SAMPLE": LONG_NAME, "SIMULATD": True, "NSIDE": 16, "CLIPFRAC": 1 / 3, "LRT_LAM": None, "UNITCOLS": ""}
    return WeightTable(columns, header | {"TMPL001": "stars"}, {"WEIGHT_SYS": "1 / (1 + B)"})


def test_what_is_written_is_read(table, tmp_path):
    got = read_weights(write_table(tmp_path / "w.fits", table))
    assert list(got.columns) == list(table.columns)
    for name, values in table.columns.items():
        np.testing.assert_array_equal(got.columns[name], values)
        assert got.columns[name].dtype.isnative
    assert got.header == table.header
    assert got.meanings == table.meanings
    assert len(got) == 3
    assert list(got.weights) == ["WEIGHT_SYS"]


@pytest.mark.parametrize("ending", [".fits", ".parquet"])
def test_every_kind_of_column_comes_back(table, tmp_path, ending):
    """Whole numbers of 64 bits with and without a sign, text, flags, and the table of the parts."""
    further = {
        "TARGETID": np.array([2**64 - 1, 2**63, 39627000000000001], np.uint64),
        "object_id": np.array([-(2**63), 2**63 - 1, 0]),
        "NAME": np.array(["J0001+02", "", "J9"]),
        "IN_FIT": np.array([True, False, True]),
    }
    parts = {"PART": np.array([1, 2]), "REGION": np.array(["N", "South"]), "PGAIN": np.array([0.7, np.nan])}
    wide = replace(table, columns=table.columns | further, parts=parts)
    got = read_weights(write_table(tmp_path / f"w{ending}", wide))
    assert list(got.columns) == list(wide.columns)
    for name, values in wide.columns.items():
        np.testing.assert_array_equal(got.columns[name], values)
        assert got.columns[name].dtype.kind == values.dtype.kind
    assert (got.header, got.meanings) == (wide.header, wide.meanings)
    assert list(got.parts) == list(parts)
    for name, values in parts.items():
        np.testing.assert_array_equal(got.parts[name], values)


def test_weights_that_came_with_the_catalogue_are_none_against_contamination(table):
    both = replace(table, columns=table.columns | {"WEIGHT_IN": np.ones(3), "WEIGHT": np.ones(3)})
    assert list(both.weights) == ["WEIGHT_SYS"]


def test_ending_that_is_not_known(table, tmp_path):
    with pytest.raises(ParameterError, match=r"'w\.csv' ends in '\.csv': give a name with \.fits or \.parquet"):
        write_table(tmp_path / "w.csv", table)
    assert list(tmp_path.iterdir()) == []


def test_pixels_are_read_as_whole_numbers(table, tmp_path):
    pixels = {"HPXPIXEL": np.array([3, 5, 2**40]), "WEIGHT_SYS": np.ones(3)}
    got = read_weights(write_table(tmp_path / "w.fits", replace(table, columns=pixels)))
    np.testing.assert_array_equal(got.columns["HPXPIXEL"], pixels["HPXPIXEL"])
    assert got.columns["HPXPIXEL"].dtype.kind == "i"


@pytest.mark.parametrize("ending", [".fits", ".parquet"])
def test_single_precision_is_for_weights_only(table, tmp_path, ending):
    got = read_weights(write_table(tmp_path / f"w{ending}", table, dtype="E"))
    assert got.columns["WEIGHT_SYS"].dtype == np.float32
    np.testing.assert_array_equal(got.columns["DEC"], table.columns["DEC"])


def test_cards_carry_their_comments(table, tmp_path):
    header = fits.getheader(write_table(tmp_path / "w.fits", table), "WEIGHTS")
    assert header.comments["NSIDE"] == CARDS["NSIDE"]
    assert header.comments["TMPL001"] == "template"
    assert header.comments["TTYPE3"] == "1 / (1 + B)"
    assert header["TUNIT1"] == "deg"


@pytest.mark.parametrize("key", [*CARDS, *FURTHER_CARDS, *(f"{k}001" for k in NUMBERED_CARDS)])
@pytest.mark.parametrize("value", [-1.2345678901234567e-100, "standardised on the footprint"])
def test_every_comment_has_room(table, tmp_path, key, value):
    header = fits.getheader(write_table(tmp_path / "w.fits", replace(table, header={key: value})), "WEIGHTS")
    assert header[key] == (pytest.approx(value) if isinstance(value, float) else value)
    known = CARDS | FURTHER_CARDS | {f"{k}001": text for k, text in NUMBERED_CARDS.items()}
    if isinstance(value, float):
        assert header.comments[key] == known[key]


def test_numbers_that_are_not_finite_become_undefined(table, tmp_path):
    got = read_weights(write_table(tmp_path / "w.fits", replace(table, header={"LRT_LAM": float("nan")})))
    assert got.header["LRT_LAM"] is None


def test_checksum_knows_the_order(table):
    turned = {name: values[::-1] for name, values in table.columns.items()}
    assert position_checksum(turned) != position_checksum(table.columns)
    assert position_checksum({"HPXPIXEL": np.array([1, 2])}) != position_checksum({"HPXPIXEL": np.array([2, 1])})
    assert len(position_checksum(table.columns)) == 16


def test_missing_file(tmp_path):
    with pytest.raises(MissingDataError, match=r"w\.fits' does not exist: check the name"):
        read_weights(tmp_path / "w.fits")
    with pytest.raises(MissingDataError, match=r"p\.json' is not a file: check the name"):
        read_params(tmp_path / "p.json")


@pytest.mark.parametrize("keep", [100, 2880 + 1000, -2880])
def test_file_that_is_cut_short(table, tmp_path, keep):
    path = write_table(tmp_path / "w.fits", table)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DataError, match=r"w\.fits cannot be read as a FITS table .*: write or copy it again"):
        read_weights(path)


def test_file_of_something_else(table, tmp_path):
    path = tmp_path / "w.fits"
    fits.BinTableHDU.from_columns([fits.Column("RA", "D", array=np.zeros(2))], name="CATALOGUE").writeto(path)
    with pytest.raises(DataError, match="has no table WEIGHTS: give a file that write_all"):
        read_weights(path)


def test_parameters_with_and_without_maps(tmp_path):
    sky = ClusteredSky(nside=8)
    result = decontaminate(sky.field(0, a=0.1), sky.templates, "OLS", spectrum=sky.spectrum)
    content = {"nside": 8, "methods": {"OLS": result.to_dict(), "short": result.to_dict(maps=False)}, "lrt": None}
    got = read_params(write_params(tmp_path / "p.json", content))
    assert got["nside"] == 8
    assert got["lrt"] is None
    assert got["methods"]["short"] == plain(result.to_dict(maps=False))
    again = got["methods"]["OLS"]
    assert type(again) is type(result)
    np.testing.assert_array_equal(again.galaxy_weights, result.galaxy_weights)
    np.testing.assert_array_equal(again.cov_a, result.cov_a)
    assert again.names == result.names


def test_parameters_of_parts(tmp_path):
    sky = ClusteredSky(nside=8)
    result = decontaminate(sky.field(0, a=0.1), sky.templates, "OLS", spectrum=sky.spectrum)
    parts = [{"region": name, "methods": {"OLS": result.to_dict()}} for name in ("N", "S")]
    got = read_params(write_params(tmp_path / "p.json", {"nside": 8, "parts": parts}))
    assert (got["nside"], [part["region"] for part in got["parts"]]) == (8, ["N", "S"])
    assert all(type(part["methods"]["OLS"]) is type(result) for part in got["parts"])


@pytest.mark.parametrize(
    ("text", "reason"),
    [("{", "is no JSON file"), ("[1]", "holds no methods"), ("{}", "no methods"), ('{"parts": [{}]}', "no methods")],
)
def test_file_that_holds_no_parameters(tmp_path, text, reason):
    path = tmp_path / "p.json"
    path.write_text(text)
    with pytest.raises(DataError, match=reason):
        read_params(path)
