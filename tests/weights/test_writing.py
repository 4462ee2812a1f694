from dataclasses import replace
from importlib.metadata import version

import numpy as np
import pytest
from astropy.io import fits

from sysmap_core.methods.table import METHODS
from sysmap_core.sky.catalogues import Catalogue
from sysmap_core.weights.checks import check
from sysmap_core.weights.columns import at_positions, recommended
from sysmap_core.weights.files import read_params, read_weights
from sysmap_core.weights.writing import header_cards, template_checksums, write_all


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
    assert read_weights(written[1]).meanings == {"WEIGHT_SYS": "(1 + A) / (1 + B), with 1 / (1 + B) of galaxies"}


def test_header_without_the_combined_method(run):
    sample, results, *_ = run
    cards = header_cards(sample, {"OLS": results["OLS"]})
    assert (cards["SYSFROM"], cards["SYSMODEL"]) == ("OLS", "additive")
    assert not any(key.startswith(("A_ADD", "A_CMB", "B_CMB", "LRT", "CORRECT")) for key in cards)
    assert cards["A_SYS001"] == results["OLS"].a_mean[0]


def test_checksums_of_templates(run):
    templates = run[1]["OLS"].templates
    sums = template_checksums(templates)
    assert len(set(sums)) == 3
    assert all(len(s) == 16 for s in sums)
    noise = templates.values + 1e-13
    assert template_checksums(replace(templates, values=noise)) == sums
    other = templates.values.copy()
    other[1, 7] += 1e-5
    changed = template_checksums(replace(templates, values=other))
    assert [new == old for new, old in zip(changed, sums, strict=True)] == [True, False, True]


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
    assert randoms.header["UNITCOLS"] == ""
    assert galaxies.meanings["WEIGHT_SYS"] == "1, with 1 + A of the randoms"
    density = at_positions(1 + results["OLS"].a_mean @ templates.values, field.footprint, sample.randoms)
    np.testing.assert_allclose(randoms.columns["WEIGHT_SYS"], density)
    assert check(galaxies, sample.galaxies) == []
    assert check(randoms, sample.randoms) == []


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

    monkeypatch.setattr(fits.BinTableHDU, "writeto", fail)
    with pytest.raises(OSError, match="disk full"):
        write_all(tmp_path, *run)
    assert list(tmp_path.iterdir()) == []
