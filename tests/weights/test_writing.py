from dataclasses import replace
from importlib.metadata import version

import numpy as np
import pytest
from astropy.io import fits

from sysmap_core.errors import ParameterError
from sysmap_core.methods.table import METHODS
from sysmap_core.sky.catalogues import Catalogue
from sysmap_core.weights.checks import check
from sysmap_core.weights.columns import at_positions, recommended
from sysmap_core.weights.files import read_params, read_weights
from sysmap_core.weights.header import template_checksums
from sysmap_core.weights.memberships import check_pair
from sysmap_core.weights.rows import weight_table
from sysmap_core.weights.writing import write_all


def test_names_of_the_files(written):
    names = [path.name for path in written]
    assert names == ["TEST_NSIDE0016_WEIGHTS.fits", "TEST_NSIDE0016_RANDOM_WEIGHTS.fits", "TEST_NSIDE0016_params.json"]


def test_header_of_the_templates(run, written):
    _, results, *_ = run
    templates = results["OLS"].templates
    header = read_weights(written[0]).header
    sums = template_checksums(templates)
    for i, name in enumerate(templates.names):
        assert header[f"TMPL{i + 1:03d}"] == name
        assert header[f"TSUM{i + 1:03d}"] == sums[i]
        assert header[f"A_SYS{i + 1:03d}"] == pytest.approx(recommended(results).a_mean[i])
        assert header[f"A_FIT{i + 1:03d}"] == pytest.approx(recommended(results).a[i])
        assert header[f"B_SYS{i + 1:03d}"] == pytest.approx(recommended(results).b_mean[i])
        for method, result in results.items():
            for key, which in METHODS[method].cards.items():
                assert header[f"{key}{i + 1:03d}"] == pytest.approx(getattr(result, which)[i])


def test_header_says_what_the_columns_are(run, written):
    results = run[1]
    meanings = read_weights(written[0]).meanings
    for name, result in results.items():
        formula = "1 / (1 + A)" if result.model == "additive" else "1 / (1 + B)"
        assert meanings[METHODS[name].column] == f"{METHODS[name].label}: {formula}"
    assert meanings["WEIGHT_SYS"] == "1 / (1 + B), with (1 + A) / (1 + B) of randoms"
    of_randoms = read_weights(written[1]).meanings
    assert of_randoms["WEIGHT_SYS"] == "(1 + A) / (1 + B), with 1 / (1 + B) of galaxies"
    partners = {"additive": "1", "combined": "(1 + A) / (1 + B)", "multiplicative": "1"}
    for name, result in results.items():
        assert of_randoms[METHODS[name].column] == f"{METHODS[name].label}: {partners[result.model]}"
    for table in (meanings, of_randoms):
        assert table["IN_FIT"] == "F: in no part or off its footprint, weight 1"
        assert table["WEIGHT"] == "WEIGHT_IN WEIGHT_ALONE, one for any code"


def test_nothing_is_wrong_with_what_is_written(run, written):
    sample = run[0]
    for path, catalogue in zip(written[:2], (sample.galaxies, sample.randoms), strict=True):
        assert check(read_weights(path), catalogue) == []


def test_catalogue_off_the_footprint_is_noticed(run, tmp_path):
    sample, *rest = run
    away = Catalogue(np.linspace(0, 359, 200), np.zeros(200))
    path = write_all(tmp_path, replace(sample, galaxies=away), *rest)[0]
    sentences = check(read_weights(path))
    assert "200 of 200 rows are off the footprint, more than 1%." in sentences
    assert "WEIGHT_SYS is one in all rows, and the fit behind it is not." in sentences


def test_additive_weights_sit_on_the_randoms(run, tmp_path):
    sample, results, *_ = run
    field, templates = results["OLS"].field, results["OLS"].templates
    galaxies, randoms, _ = write_all(tmp_path, sample, {"OLS": results["OLS"]})
    galaxies, randoms = read_weights(galaxies), read_weights(randoms)
    np.testing.assert_array_equal(galaxies.columns["WEIGHT_SYS"], 1.0)
    assert galaxies.header["UNITCOLS"] == "WEIGHT_SYS"
    assert randoms.header["UNITCOLS"] == "WEIGHT_OLS, WEIGHT_ALONE"
    assert galaxies.meanings["WEIGHT_SYS"] == "1, with 1 + A of the randoms"
    density = at_positions(1 + results["OLS"].a_mean @ templates.values, field.footprint, sample.randoms)
    np.testing.assert_allclose(randoms.columns["WEIGHT_SYS"], density)
    assert check(galaxies, sample.galaxies) == []
    assert check(randoms, sample.randoms) == []


def test_what_the_weights_are_expected_to_gain(run, written):
    """The result behind WEIGHT_SYS, its expected losses and the probability that correcting helps, in both files."""
    _, results, _, advice = run
    for path in written[:2]:
        header = read_weights(path).header
        assert header["SYSFROM"] == recommended(results).method
        assert header["LOSSNONE"] == pytest.approx(advice.losses["none"])
        assert header["LOSSWITH"] == pytest.approx(advice.losses["combined"])
        assert header["PGAIN"] == pytest.approx(advice.probability)


@pytest.mark.parametrize("format", ["fits", "parquet"])
def test_files_of_parts(split_run, tmp_path, format):
    """One file of galaxies and one of randoms, whatever the format, with nothing wrong with them."""
    sample, parts = split_run
    paths = write_all(tmp_path, sample, parts, format=format, identifier_column="TARGETID")
    names = [
        f"SPLIT_NSIDE0008_WEIGHTS.{format}",
        f"SPLIT_NSIDE0008_RANDOM_WEIGHTS.{format}",
        "SPLIT_NSIDE0008_params.json",
    ]
    assert [path.name for path in paths] == names
    galaxies, randoms = (read_weights(path) for path in paths[:2])
    assert check(galaxies, sample.galaxies) == check(randoms, sample.randoms) == check_pair(galaxies, randoms) == []
    assert galaxies.columns["TARGETID"].dtype == np.uint64
    for table, kind in ((galaxies, "galaxies"), (randoms, "randoms")):
        wanted = weight_table(sample, parts, kind, identifier_column="TARGETID")
        assert table.columns.keys() == wanted.columns.keys()
        for name, values in wanted.columns.items():
            np.testing.assert_array_equal(table.columns[name], values)
        assert table.meanings == wanted.meanings
        for name, values in wanted.parts.items():
            np.testing.assert_array_equal(table.parts[name], values)


def test_parameters_of_parts(split_run, tmp_path):
    sample, parts = split_run
    content = read_params(write_all(tmp_path, sample, parts)[2])
    assert (content["sample_id"], content["simulated"], content["nside"]) == ("SPLIT", True, 8)
    assert (content["n_galaxies"], content["n_randoms"]) == (len(sample.galaxies), 4_000)
    assert [(p["region"], p["z_bin"]) for p in content["parts"]] == [("N", 1), ("N", 2), ("S", 1), ("S", 2)]
    for stored, fitted in zip(content["parts"], parts, strict=True):
        assert stored["n_galaxies"] == fitted.part.galaxy_rows.sum()
        assert stored["z_max"] == pytest.approx(fitted.part.z_range[1])
        assert stored["methods"].keys() == fitted.results.keys()
        assert stored["verdict"]["probability"] == pytest.approx(fitted.verdict.probability)


def test_sample_that_would_leave_its_folder(run, tmp_path):
    with pytest.raises(ParameterError, match=r"identifier is '\.\./up': give a name for files"):
        write_all(tmp_path / "in", replace(run[0], identifier="../up"), run[1])
    assert list(tmp_path.iterdir()) == []


def test_format_that_is_not_known(run, tmp_path):
    with pytest.raises(ParameterError, match="unknown format 'parqet': did you mean 'parquet'"):
        write_all(tmp_path, *run[:2], format="parqet")


def test_parameters(run, written):
    _, results, *_ = run
    templates = results["OLS"].templates
    content = read_params(written[2])
    assert content["sample_id"] == "TEST"
    assert content["simulated"] is True
    assert (content["nside"], content["n_sys"], content["n_randoms"]) == (16, 3, 5_000)
    assert content["template_names"] == list(templates.names)
    assert content["template_basis"] == "standardised on the footprint: zero mean, unit rms"
    assert content["template_checksums"] == template_checksums(templates)
    assert content["code_version"] == version("sysmap-core")
    assert content["methods"] == {name: result.to_dict(maps=False) for name, result in results.items()}
    assert content["lrt"]["p"] >= content["lrt"]["p_floor"]
    assert content["truth"]["a"] == [0.1, 0.1, 0.1]


def test_a_sample_of_pixels_has_a_row_per_pixel(run, tmp_path):
    sample, *rest = run
    field = run[1]["OLS"].field
    pixels_only = replace(sample, galaxies=None, randoms=None)
    path = write_all(tmp_path, pixels_only, *rest)[0]
    table = fits.getdata(path)
    np.testing.assert_array_equal(table["HPXPIXEL"], field.pixels)
    assert "RA" not in table.names
    assert check(read_weights(path)) == []


def test_nothing_half_written(run, tmp_path, monkeypatch):
    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(fits.HDUList, "writeto", fail)
    with pytest.raises(OSError, match="disk full"):
        write_all(tmp_path, *run)
    assert list(tmp_path.iterdir()) == []
