import subprocess
import sys
from dataclasses import replace

import healpy as hp
import numpy as np
import pytest

from sysmap_core.sky.catalogues import Catalogue
from sysmap_core.sky.random_points import uniform_randoms
from sysmap_core.weights.checks import CHECKS, check
from sysmap_core.weights.files import CARDS, WeightTable, position_checksum

N_ROWS, N_OUTSIDE, NSIDE = 1000, 4, 8


@pytest.fixture(scope="module")
def good():
    """Weights with nothing wrong: several objects in a pixel, four off the footprint."""
    rng = np.random.default_rng(3)
    objects = uniform_randoms(np.ones(12 * NSIDE**2, bool), N_ROWS, rng)
    pixels = hp.ang2pix(NSIDE, objects.ra, objects.dec, lonlat=True)
    columns = {"RA": objects.ra, "DEC": objects.dec}
    for name in ("WEIGHT_ADD", "WEIGHT_SYS"):
        columns[name] = rng.uniform(0.8, 1.2, 12 * NSIDE**2)[pixels]
        columns[name][pixels == np.flatnonzero(np.bincount(pixels) == N_OUTSIDE)[0]] = 1.0
    header = dict.fromkeys(CARDS, "")
    header |= {"NSIDE": NSIDE, "NSYS": 2, "NGAL": N_ROWS, "NRAND": 9, "NOUTSIDE": N_OUTSIDE, "WEIGHTOF": "galaxies"}
    header |= {"CLIPFRAC": 0.0, "WFLOOR": 0.01, "CATSUM": position_checksum(columns)}
    header |= {f"{key}{i:03d}": "" for key in ("TMPL", "TSUM", "A_SYS", "B_SYS") for i in (1, 2)}
    return WeightTable(columns, header, {})


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


CORRUPTIONS = [
    ("header", lambda t: without(t, "SEED", "TSUM002"), r"The header lacks SEED, TSUM002\."),
    ("columns", lambda t: without(t, "WEIGHT_SYS"), r"There is no column WEIGHT_SYS among WEIGHT_ADD\."),
    ("columns", lambda t: without(t, "WEIGHT_SYS", "WEIGHT_ADD"), r"There is no column of weights among RA, DEC\."),
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
    ("footprint", lambda t: with_cards(t, NOUTSIDE=3), r"4 rows have weight one throughout, and the header has 3 off"),
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


def test_pixels_have_no_catalogue(good, catalogue):
    pixels = {"HPXPIXEL": np.arange(N_ROWS), "WEIGHT_SYS": np.linspace(0.8, 1.15, N_ROWS)}
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
    columns = {name: v for name, v in good.columns.items() if name in ("RA", "DEC")}
    draws = replace(good, columns=columns | {f"WEIGHT_SYS_{k:03d}": np.ones(N_ROWS) for k in range(2)})
    assert len(CHECKS["ones"](draws, None)) == 2
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
