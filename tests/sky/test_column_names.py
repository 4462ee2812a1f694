"""Names of columns: each habit is found in any case, and what is not clear is asked."""

import pytest

from sysmap_core.errors import DataError, ParameterError
from sysmap_core.sky.column_names import (
    IDENTIFIERS,
    POSITIONS,
    REDSHIFTS,
    checked_names,
    find_identifier,
    find_positions,
    find_redshift,
    find_weights,
    has_columns,
    named_column,
    shortened,
)


@pytest.mark.parametrize("pair", POSITIONS)
@pytest.mark.parametrize("case", [str.upper, str.lower, str.title])
def test_positions_of_every_habit_in_any_case(pair, case):
    names = [case(name) for name in pair]
    assert find_positions(["x", *reversed(names), "y"]) == [tuple(names)]


def test_names_as_surveys_write_them():
    assert find_positions(["objID", "raMean", "decMean"]) == [("raMean", "decMean")]
    assert find_positions(["_RAJ2000", "_DEJ2000", "RAJ2000", "DEJ2000"])[0] == ("RAJ2000", "DEJ2000")


def test_a_right_ascension_goes_with_the_declination_of_its_habit():
    assert find_positions(["RA", "DELTA_J2000"]) == []
    assert find_positions(["RA", "GLAT"]) == []
    names = ["ALPHA_J2000", "DEC", "DELTA_J2000", "RA"]
    assert find_positions(names) == [("RA", "DEC"), ("ALPHA_J2000", "DELTA_J2000")]


def test_positions_of_a_counterpart_are_not_those_of_the_object():
    assert find_positions(["RA_GAIA", "DEC_GAIA"]) == []


def test_names_that_differ_by_case_go_in_pairs():
    assert find_positions(["RA", "DEC", "ra", "dec"]) == [("RA", "DEC"), ("ra", "dec")]
    assert find_positions(["Ra", "dec"]) == [("Ra", "dec")]


@pytest.mark.parametrize("name", REDSHIFTS)
def test_redshift_of_every_habit(name):
    assert find_redshift(["RA", name.lower(), "ZWARN"], "c.fits") == name.lower()


def test_redshifts_that_are_not_clear():
    with pytest.raises(DataError, match="c has columns Z_SPEC, Z_PHOT that may be the redshift: name the one that is"):
        find_redshift(["Z_PHOT", "Z_SPEC"], "c")
    with pytest.raises(
        DataError, match="c has no column of a known redshift, it has RA, DEC: name the one that is meant"
    ):
        find_redshift(["RA", "DEC"], "c")


@pytest.mark.parametrize("name", IDENTIFIERS)
def test_identifier_of_every_habit(name):
    assert find_identifier(["RA", name.lower()]) == name.lower()


def test_identifier_that_is_preferred():
    assert find_identifier(["ID", "TARGETID"]) == "TARGETID"
    assert find_identifier(["RA", "BRICKID"]) is None


def test_weights():
    assert find_weights(["W", "w2", "Weight", "WEIGHT_SYS", "FWEIGHT"]) == ["W", "Weight", "WEIGHT_SYS"]


def test_a_column_in_any_case():
    assert named_column(["ra", "RA"], "RA", "c") == "RA"
    assert named_column(["x", "Ra"], "RA", "c") == "Ra"
    with pytest.raises(
        DataError, match="c has columns ra and RA and none is Ra: give the name in the case of the file"
    ):
        named_column(["ra", "RA"], "Ra", "c")
    with pytest.raises(ParameterError, match=r"unknown column of c 'REDSHIFTS': did you mean 'REDSHIFT'\? known: RA, "):
        named_column(["RA", "REDSHIFT"], "REDSHIFTS", "c")


def test_lists_of_names():
    assert checked_names("columns", ["a", "b"]) == ("a", "b")
    with pytest.raises(ParameterError, match=r"columns is 'ab': give a list of names, such as \['ab'\]"):
        checked_names("columns", "ab")
    assert has_columns(["RA", "Dec"], ["dec"])
    assert not has_columns(["RA", "Dec"], ["dec", "z"])
    assert shortened([f"c{i}" for i in range(20)]).endswith("c18, c19")
    assert shortened([f"c{i}" for i in range(22)]).endswith("c19 and 2 more")
