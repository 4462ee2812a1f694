from dataclasses import replace

import healpy as hp
import numpy as np
import pytest
from astropy.io import fits

from sysmap_core.sky.catalogues import Catalogue
from sysmap_core.sky.random_points import uniform_randoms
from sysmap_core.weights.__main__ import main
from sysmap_core.weights.files import CARDS, WeightTable, position_checksum, read_weights, write_table

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


def without(table, *names):
    return replace(
        table,
        columns={name: v for name, v in table.columns.items() if name not in names},
        header={key: v for key, v in table.header.items() if key not in names},
    )


@pytest.fixture
def on_disk(good, tmp_path):
    path = write_table(tmp_path / "w.fits", good)
    place = [fits.Column(name, "D", array=good.columns[name]) for name in ("RA", "DEC")]
    fits.BinTableHDU.from_columns(place).writeto(tmp_path / "cat.fits")
    return path, tmp_path / "cat.fits"


def test_command_line_on_a_good_file(on_disk, capsys):
    path, catalogue = map(str, on_disk)
    assert main(["check", path, "--catalogue", catalogue]) == 0
    out, err = capsys.readouterr()
    assert out.count("\n") == 1
    assert out.startswith(f"{path}: 1000 rows of WEIGHT_ADD, WEIGHT_SYS passed header, columns,")
    assert out.endswith(f", mean, pixels, footprint, against {catalogue}.\n")
    assert " order," in out
    assert err == ""
    assert main(["check", path]) == 0
    out = capsys.readouterr().out
    assert out.endswith("without a catalogue.\n")
    assert " order," not in out


def test_command_line_on_a_wrong_file(on_disk, capsys):
    path, catalogue = on_disk
    write_table(path, without(changed(read_weights(path), WEIGHT_SYS=-1.0), "SEED"))
    assert main(["check", str(path), "--catalogue", str(catalogue)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "The header lacks SEED."
    assert "WEIGHT_SYS is zero or negative in 5 of 1000 rows." in lines


def test_command_line_on_a_file_that_is_cut_short(on_disk, capsys):
    path, _ = on_disk
    path.write_bytes(path.read_bytes()[:-2880])
    assert main(["check", str(path)]) == 1
    assert "cannot be read as a FITS table" in capsys.readouterr().err


def test_command_line_without_its_files(on_disk, tmp_path, capsys):
    path, _ = map(str, on_disk)
    assert main(["check", str(tmp_path / "none.fits")]) == 2
    assert main(["check", path, "--catalogue", str(tmp_path / "none.fits")]) == 2
    assert capsys.readouterr().err.count("check the name and the folder\n") == 2
    (tmp_path / "text.fits").write_text("RA DEC\n")
    assert main(["check", path, "--catalogue", str(tmp_path / "text.fits")]) == 2


@pytest.mark.parametrize("words", [[], ["chek", "w.fits"], ["check"], ["check", "w.fits", "--cat", "a", "b"]])
def test_words_that_are_not_understood(words, capsys):
    with pytest.raises(SystemExit) as stop:
        main(words)
    assert stop.value.code == 2
    assert "usage: python -m sysmap_core.weights" in capsys.readouterr().err
