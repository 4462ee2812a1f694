from dataclasses import replace

import numpy as np
import pytest
from astropy.io import fits

from sysmap_core.sky.catalogues import Catalogue
from sysmap_core.weights.__main__ import main
from sysmap_core.weights.files import read_weights, write_table


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
    assert out.startswith(f"{path}: 1000 rows of WEIGHT_ALONE, WEIGHT_ADD, WEIGHT_SYS passed header, columns,")
    assert out.endswith(f", footprint, parts, product, identifiers, against {catalogue}.\n")
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


def test_a_simulated_file_is_named_so(on_disk, tmp_path, capsys):
    path, _ = on_disk
    table = read_weights(path)
    simulated = replace(table, header=table.header | {"SIMULATD": True})
    write_table(path, simulated)
    assert main(["check", str(path)]) == 0
    assert capsys.readouterr().out.startswith(f"{path}: SIMULATED galaxies, 1000 rows of WEIGHT_ALONE, ")
    write_table(path, changed(simulated, WEIGHT_SYS=-1.0))
    assert main(["check", str(path)]) == 1
    assert capsys.readouterr().out.startswith(f"{path} holds SIMULATED galaxies.\nWEIGHT_SYS is zero or negative")
    randoms = replace(simulated, header=simulated.header | {"WEIGHTOF": "randoms", "NRAND": 1000})
    assert main(["check", str(write_table(path, randoms))]) == 0
    assert f"{path}: randoms of SIMULATED galaxies, 1000 rows of" in capsys.readouterr().out


@pytest.mark.parametrize("ending", [".fits", ".parquet"])
def test_a_pair_of_files(good, tmp_path, capsys, ending):
    galaxies = write_table(tmp_path / f"w{ending}", replace(good, header=good.header | {"NRAND": 1000}))
    header = good.header | {"NRAND": 1000, "WEIGHTOF": "randoms"}
    randoms = write_table(tmp_path / f"r{ending}", replace(good, header=header))
    assert main(["check", str(galaxies), "--randoms", str(randoms)]) == 0
    assert capsys.readouterr().out.endswith(f"identifiers, without a catalogue, paired with {randoms}.\n")
    wrong = without(changed(replace(good, header=header), WEIGHT_ADD=np.nan), "WEIGHT_SYS")
    write_table(randoms, wrong)
    assert main(["check", str(galaxies), "--randoms", str(randoms)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert f"{randoms}: WEIGHT_ADD is NaN or infinite in 5 of 1000 rows." in lines
    assert "The randoms lack WEIGHT_SYS, partners of columns of the galaxies." in lines
    assert main(["check", str(galaxies), "--randoms", str(tmp_path / "none.fits")]) == 2


def test_identifiers_of_a_catalogue(good, tmp_path, capsys):
    names = np.arange(1000, dtype=np.int64) + 39627000000000000
    table = replace(good, columns=good.columns | {"TARGETID": names}, header=good.header | {"IDCOL": "TARGETID"})
    path = write_table(tmp_path / "w.fits", table)
    place = [fits.Column(name, "D", array=good.columns[name]) for name in ("RA", "DEC")]
    for given, code in ((names, 0), (names + 1, 1)):
        columns = [*place, fits.Column("TARGETID", "K", array=given)]
        fits.BinTableHDU.from_columns(columns).writeto(tmp_path / "cat.fits", overwrite=True)
        assert main(["check", str(path), "--catalogue", str(tmp_path / "cat.fits")]) == code
    assert capsys.readouterr().out.endswith("TARGETID is not that of the catalogue in 1000 of 1000 rows.\n")


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
