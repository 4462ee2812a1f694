"""Partners of galaxies and randoms; the checks of one table are in test_checks."""

from dataclasses import replace

import numpy as np
import pytest

from sysmap_core.weights.checks import check
from sysmap_core.weights.files import WeightTable
from sysmap_core.weights.memberships import check_pair, in_clean_part, in_fit
from sysmap_core.weights.rows import weight_table


@pytest.fixture(scope="module")
def pair(split_run):
    sample, parts = split_run
    return [weight_table(sample, parts, kind, identifier_column="TARGETID") for kind in ("galaxies", "randoms")]


def without(table, *names):
    return replace(table, columns={name: v for name, v in table.columns.items() if name not in names})


def test_a_pair_with_nothing_wrong(pair):
    assert check_pair(*pair) == []


def test_partners_that_are_lacking(pair):
    galaxies, randoms = pair
    assert check_pair(galaxies, without(randoms, "WEIGHT_SYS_Z2", "REGION")) == [
        "The randoms lack REGION, WEIGHT_SYS_Z2, partners of columns of the galaxies."
    ]
    assert check_pair(without(galaxies, "WEIGHT_GLSC"), randoms) == [
        "The galaxies lack partners of WEIGHT_GLSC_Z1, WEIGHT_GLSC_Z2 of the randoms."
    ]


def test_files_of_another_kind(pair):
    galaxies, randoms = pair
    sentences = check_pair(randoms, galaxies)
    assert "The weights of galaxies are of randoms (WEIGHTOF)." in sentences
    assert "The weights of randoms are of galaxies (WEIGHTOF)." in sentences


def test_files_of_different_runs(pair):
    galaxies, randoms = pair
    other = replace(randoms, header=randoms.header | {"NSIDE": 16, "CODEVERS": "0"})
    assert check_pair(galaxies, other) == ["Galaxies and randoms are of different runs: CODEVERS, NSIDE differ."]


def test_rows_of_a_fit(pair):
    flags = {"IN_FIT_Z1": np.array([True, False]), "IN_FIT_Z2": np.array([False, False])}
    table = WeightTable({"RA": np.zeros(2)} | flags, {}, {})
    assert list(in_fit(table, "WEIGHT_SYS_Z1")) == [True, False]
    assert list(in_fit(table, "WEIGHT_SYS_Z2")) == [False, False]
    assert list(in_fit(table, "WEIGHT_ALONE")) == [True, False]
    assert in_fit(WeightTable({"RA": np.zeros(2)}, {}, {}), "WEIGHT_SYS").all()


def test_rows_of_parts_without_contamination(pair):
    galaxies, _ = pair
    assert not in_clean_part(galaxies).any()
    found = {name: np.where(galaxies.parts["PART"] == 2, 0.0, galaxies.parts[name]) for name in ("A_SYS", "B_SYS")}
    clean = replace(galaxies, parts=galaxies.parts | found)
    wanted = (galaxies.columns["REGION"] == "N") & (galaxies.columns["ZBIN"] == 2)
    np.testing.assert_array_equal(in_clean_part(clean), wanted)
    ones = {name: np.where(wanted, 1.0, values) for name, values in galaxies.weights.items()}
    ones |= {"WEIGHT": np.where(wanted, galaxies.columns["WEIGHT_IN"], galaxies.columns["WEIGHT"])}
    assert check(replace(clean, columns=clean.columns | ones)) == []
    n = int(np.sum(wanted & galaxies.columns["IN_FIT"]))
    assert check(replace(galaxies, columns=galaxies.columns | ones)) == [
        f"{n} rows are IN_FIT and have weight one throughout."
    ]
