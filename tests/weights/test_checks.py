import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from sysmap_core.sky.catalogues import Catalogue
from sysmap_core.weights.checks import CHECKS, check
from sysmap_core.weights.files import position_checksum

N_ROWS = 1000


@pytest.fixture
def catalogue(good):
    return Catalogue(good.columns["RA"].copy(), good.columns["DEC"].copy())


def changed(table, rows=slice(5), **columns):
    """The table with some rows of some columns set to other values."""
    copies = {name: values.copy() for name, values in table.columns.items()}
    for name, value in columns.items():
        copies[name][rows] = value
    return replace(table, columns=copies)


def with_cards(table, **cards):
    return replace(table, header=table.header | cards)


def without(table, *names):
    return replace(
        table,
        columns={name: v for name, v in table.columns.items() if name not in names},
        header={key: v for key, v in table.header.items() if key not in names},
    )


def rows_of(table, chosen):
    return replace(table, columns={name: values[chosen] for name, values in table.columns.items()})


def shuffled_weights(table):
    return changed(table, slice(None), WEIGHT_SYS=np.roll(table.columns["WEIGHT_SYS"], 1))


def outside(table, value):
    return changed(table, ~table.columns["IN_FIT"], WEIGHT_ADD=value)


def in_regions(table, strange):
    """All of the rows in one region, but for a few."""
    regions = np.full(len(table), "N")
    regions[:5] = strange
    return replace(table, columns=table.columns | {"REGION": regions}, parts={"PART": [1], "REGION": ["N"]})


def named(table, values):
    return replace(with_cards(table, IDCOL="TARGETID"), columns=table.columns | {"TARGETID": values})


CORRUPTIONS = [
    ("header", lambda t: without(t, "SEED", "TSUM002"), r"The header lacks SEED, TSUM002\."),
    ("columns", lambda t: without(t, "WEIGHT_SYS"), r"no column WEIGHT_SYS among WEIGHT_ALONE, WEIGHT_ADD\."),
    (
        "columns",
        lambda t: without(t, "WEIGHT_SYS", "WEIGHT_ADD", "WEIGHT_ALONE"),
        r"no column of weights among RA, DEC, IN_FIT, WEIGHT_IN, WEIGHT\.",
    ),
    ("columns", lambda t: without(t, "IN_FIT"), r"There is no column IN_FIT: write the file again\."),
    ("columns", lambda t: without(t, "WEIGHT_IN", "WEIGHT"), r"There is no column WEIGHT_IN, WEIGHT: write the file"),
    ("columns", lambda t: without(t, "RA"), r"There are neither positions, RA and DEC, nor pixels"),
    ("rows", lambda t: rows_of(t, slice(990)), r"The header promises 1000 rows \(NGAL\), and there are 990\."),
    ("rows", lambda t: with_cards(t, WEIGHTOF="randoms"), r"promises 9 rows \(NRAND\), and there are 1000\."),
    ("positions", lambda t: changed(t, RA=1.0), r"The positions have the checksum [0-9a-f]{16}, and the header "),
    ("finite", lambda t: changed(t, WEIGHT_ADD=np.nan), r"WEIGHT_ADD is NaN or infinite in 5 of 1000 rows\."),
    ("finite", lambda t: changed(t, DEC=np.inf), r"DEC is NaN or infinite in 5 of 1000 rows\."),
    ("positive", lambda t: changed(t, WEIGHT_SYS=0.0), r"WEIGHT_SYS is zero or negative in 5 of 1000 rows\."),
    ("positive", lambda t: changed(t, WEIGHT_SYS=-1.0), r"WEIGHT_SYS is zero or negative in 5 of 1000 rows\."),
    ("ones", lambda t: changed(t, slice(None), WEIGHT_SYS=1.0), r"WEIGHT_SYS is one in all rows, and the fit"),
    ("clipped", lambda t: with_cards(t, CLIPFRAC=0.02), r"on its floor in 2\.0% of the pixels, more than 1%\."),
    (
        "clipped",
        lambda t: changed(t, slice(15), WEIGHT_ADD=100.0),
        r"WEIGHT_ADD is 100, its largest value, in 1\.5% of",
    ),
    ("mean", lambda t: changed(t, slice(None), WEIGHT_SYS=1.3), r"WEIGHT_SYS has the mean 1\.300, further than 0\.2"),
    ("mean", lambda t: changed(t, slice(None), WEIGHT_SYS=0.7), r"WEIGHT_SYS has the mean 0\.700, further than 0\.2"),
    ("pixels", shuffled_weights, r"WEIGHT_SYS differs between objects of one pixel in \d+ of \d+ pixels\."),
    ("pixels", lambda t: changed(t, DEC=91.0), r"DEC is beyond 90 degrees"),
    ("footprint", lambda t: with_cards(t, NOUTSIDE=11), r"11 of 1000 rows are off the footprint, more than 1%\."),
    (
        "footprint",
        lambda t: with_cards(t, NOUTSIDE=3),
        r"4 rows are not IN_FIT, and the header has 3 in no part",
    ),
    ("footprint", lambda t: with_cards(t, NNOPART=1), r"4 rows are not IN_FIT, and the header has 5 in no part or off"),
    ("footprint", lambda t: outside(t, 1.1), r"WEIGHT_ADD is not one in 4 rows that are not IN_FIT\."),
    (
        "footprint",
        lambda t: changed(t, slice(None), IN_FIT=True),
        r"4 rows are IN_FIT and have weight one throughout\.",
    ),
    ("parts", lambda t: in_regions(t, "W"), r"REGION has the values W, which PARTS lacks\."),
    ("parts", lambda t: in_regions(t, ""), r"REGION names no part in [1-5] rows that are IN_FIT\."),
    ("parts", lambda t: with_cards(t, NPARTS=2), r"The header promises 2 parts \(NPARTS\), and PARTS has others\."),
    ("product", lambda t: changed(t, WEIGHT=0.5), r"not the product of WEIGHT_IN and WEIGHT_ALONE in 5 of 1000 rows\."),
    ("product", lambda t: changed(t, WEIGHT_IN=2.5), r"not the product of WEIGHT_IN and WEIGHT_ALONE in 5 of 1000"),
    ("identifiers", lambda t: with_cards(t, IDCOL="TARGETID"), r"by TARGETID \(IDCOL\), which is no column\."),
    ("identifiers", lambda t: named(t, np.arange(1000) // 2), r"TARGETID repeats in 500 of 1000 rows\."),
]


def one_match(sentences, wanted):
    import re

    return sum(bool(re.search(wanted, sentence)) for sentence in sentences) == 1


def test_nothing_is_wrong_with_a_good_table(good, catalogue):
    assert check(good) == []
    assert check(good, catalogue) == []


@pytest.mark.parametrize(("name", "corrupt", "wanted"), CORRUPTIONS)
def test_one_corruption(good, name, corrupt, wanted):
    assert CHECKS[name](good, None) == []
    assert one_match(CHECKS[name](corrupt(good), None), wanted)
    assert one_match(check(corrupt(good)), wanted)


def test_every_check_is_seen_to_fail():
    assert {name for name, *_ in CORRUPTIONS} | {"order"} == set(CHECKS)


def test_catalogue_with_other_rows(good, catalogue):
    short = Catalogue(catalogue.ra[:-1], catalogue.dec[:-1])
    assert check(good, short) == ["The catalogue has 999 rows and the weights have 1000."]


def test_catalogue_in_another_order(good, catalogue):
    turned = Catalogue(catalogue.ra[::-1], catalogue.dec[::-1])
    assert check(good, turned) == ["The rows are those of the catalogue in another order."]


def test_catalogue_of_other_objects(good, catalogue):
    catalogue.dec[[3, 7]] += 1e-9
    assert check(good, catalogue) == ["The positions are not those of the catalogue: 2 of 1000 rows differ."]


def test_catalogue_with_negative_right_ascensions(good):
    turned = np.where(good.columns["RA"] > 180, good.columns["RA"] - 360, good.columns["RA"])
    # the turn there and back rounds
    rows = replace(good, columns=good.columns | {"RA": np.mod(turned, 360.0)})
    rows = with_cards(rows, CATSUM=position_checksum(rows.columns))
    assert check(rows, Catalogue(turned, good.columns["DEC"])) == []


def test_catalogue_with_other_names(good, catalogue):
    names = np.arange(N_ROWS, dtype=np.uint64) + np.uint64(2**63)
    table = named(good, names)
    there = replace(catalogue, columns={"TARGETID": names.copy()})
    assert check(table, there) == []
    there.columns["TARGETID"][[3, 7, 9]] += np.uint64(10_000)
    assert check(table, there) == ["TARGETID is not that of the catalogue in 3 of 1000 rows."]


def test_objects_of_one_pixel_in_several_bins(good):
    """Each bin has its own weight, and one that is shuffled within a bin is noticed."""
    bins = np.arange(N_ROWS) % 2 + 1
    table = replace(good, columns=good.columns | {"ZBIN": bins}, parts={"PART": [1, 2], "ZBIN": [1, 2]})
    table = with_cards(table, NPARTS=2)
    scaled = np.where(good.columns["IN_FIT"], good.columns["WEIGHT_SYS"] * np.where(bins == 1, 0.9, 1.1), 1.0)
    table = changed(table, slice(None), WEIGHT_SYS=scaled)
    assert check(table) == []
    assert one_match(check(shuffled_weights(table)), r"WEIGHT_SYS differs between objects of one pixel in \d+ of")


def test_header_of_several_parts(good):
    """What parts do not share is in the table PARTS."""
    parts = {"PART": np.array([1, 2])}
    assert check(replace(with_cards(without(good, "SYSFROM", "A_SYS001", "SEED"), NPARTS=2), parts=parts)) == []
    assert one_match(check(without(good, "A_SYS001")), r"The header lacks A_SYS001\.")


def test_pixels_have_no_catalogue(good, catalogue):
    weights = np.linspace(0.8, 1.15, N_ROWS)
    pixels = {"HPXPIXEL": np.arange(N_ROWS), "IN_FIT": np.ones(N_ROWS, bool), "WEIGHT_IN": np.ones(N_ROWS)}
    pixels |= {"WEIGHT_ALONE": weights, "WEIGHT": weights, "WEIGHT_SYS": weights}
    cards = {"NPIX": N_ROWS, "NGAL": 12345, "NOUTSIDE": 0, "CATSUM": position_checksum(pixels)}
    table = replace(with_cards(good, **cards), columns=pixels)
    assert check(table) == []
    assert check(table, catalogue) == [
        "The weights belong to pixels and have no positions to compare with a catalogue."
    ]


def test_ones_that_the_fit_explains(good):
    ones = with_cards(changed(good, slice(None), WEIGHT_SYS=1.0), UNITCOLS="WEIGHT_ENET, WEIGHT_SYS")
    assert check(ones) == []


def test_draws_of_a_column_of_ones(good):
    columns = {name: v for name, v in good.columns.items() if name in ("RA", "DEC", "IN_FIT")}
    draws = replace(
        with_cards(good, NDRAWS=2), columns=columns | {f"WEIGHT_SYS_{k:03d}": np.ones(N_ROWS) for k in range(2)}
    )
    assert len(CHECKS["ones"](draws, None)) == 2
    assert CHECKS["columns"](draws, None) == []
    assert check(with_cards(draws, UNITCOLS="WEIGHT_SYS")) == []


def test_empty_table(good):
    sentences = check(rows_of(good, slice(0)))
    assert one_match(sentences, r"promises 1000 rows \(NGAL\), and there are 0\.")


def test_module_is_a_command(tmp_path):
    command = [sys.executable, "-W", "error", "-m", "sysmap_core.weights", "check", str(tmp_path / "none.fits")]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 2
    assert run.stdout == ""
    assert run.stderr == f"file of weights '{tmp_path / 'none.fits'}' does not exist: check the name and the folder\n"
