from dataclasses import replace
from importlib.metadata import version

import numpy as np
import pytest
from astropy.io import fits
from skies import ClusteredSky

from sysmap_core.diagnostics.decision import verdict
from sysmap_core.diagnostics.ratio_test import likelihood_ratio
from sysmap_core.methods.decontamination import run_methods
from sysmap_core.methods.table import METHODS
from sysmap_core.samples.sample import Sample, Truth
from sysmap_core.sky.catalogues import Catalogue
from sysmap_core.sky.random_points import scatter_galaxies, uniform_randoms
from sysmap_core.weights.checks import check
from sysmap_core.weights.columns import at_positions, recommended
from sysmap_core.weights.files import read_params, read_weights
from sysmap_core.weights.writing import COLUMN_CARDS, header_cards, template_checksums, write_all


@pytest.fixture(scope="module")
def run():
    """A simulated sample with everything that is written."""
    sky = ClusteredSky(nside=16)
    field = sky.field(0, a=0.1, b=0.1)
    rng = np.random.default_rng(0)
    counts = np.zeros(sky.coverage.size, int)
    counts[field.pixels] = np.round(field.expected * (1 + field.delta)).astype(int)
    counts[np.flatnonzero(sky.coverage == 0)[:3]] = 1  # three galaxies off the footprint
    sample = Sample(
        identifier="TEST",
        title="test",
        nside=16,
        galaxy_counts=counts.astype(float),
        coverage=sky.coverage,
        maps=np.zeros((3, counts.size)),
        template_names=sky.templates.names,
        galaxies=scatter_galaxies(counts, 16, rng),
        randoms=uniform_randoms(sky.coverage > 0, 5_000, rng),
        simulated=True,
        truth=Truth(np.full(3, 0.1), np.full(3, 0.1), np.zeros(counts.size), sky.spectrum),
        sources={"galaxies": "simulated, seed 0"},
        missing="error",
        notes=(),
    )
    results = run_methods(field, sky.templates, list(METHODS))
    test = likelihood_ratio(field, sky.templates, spectrum=sky.spectrum)
    return sample, field, sky.templates, results, test, verdict(results["MCMC-comb"], sky.templates, test)


@pytest.fixture
def written(run, tmp_path):
    return write_all(tmp_path, *run)


def test_names_of_the_files(written):
    names = [path.name for path in written]
    assert names == ["TEST_NSIDE0016_WEIGHTS.fits", "TEST_NSIDE0016_RANDOM_WEIGHTS.fits", "TEST_NSIDE0016_params.json"]


def test_header_of_the_templates(run, written):
    _, _, templates, results, *_ = run
    header = read_weights(written[0]).header
    sums = template_checksums(templates)
    by_column = {METHODS[name].column: result for name, result in results.items()}
    for i, name in enumerate(templates.names):
        assert header[f"TMPL{i + 1:03d}"] == name
        assert header[f"TSUM{i + 1:03d}"] == sums[i]
        assert header[f"A_SYS{i + 1:03d}"] == pytest.approx(recommended(results).a[i])
        assert header[f"B_SYS{i + 1:03d}"] == pytest.approx(recommended(results).b[i])
        for key, (column_name, which) in COLUMN_CARDS.items():
            assert header[f"{key}{i + 1:03d}"] == pytest.approx(getattr(by_column[column_name], which)[i])


def test_header_says_what_the_columns_are(run, written):
    results = run[3]
    meanings = read_weights(written[0]).meanings
    for name, result in results.items():
        formula = "1 / (1 + A)" if result.model == "additive" else "1 / (1 + B)"
        assert meanings[METHODS[name].column] == f"{METHODS[name].label}: {formula}"
    assert meanings["WEIGHT_SYS"] == "1 / (1 + B), with (1 + A) / (1 + B) of randoms"
    assert read_weights(written[1]).meanings == {"WEIGHT_SYS": "(1 + A) / (1 + B), with 1 / (1 + B) of galaxies"}


def test_header_without_the_combined_method(run):
    sample, field, templates, results, *_ = run
    cards = header_cards(sample, field, templates, {"OLS": results["OLS"]})
    assert (cards["SYSFROM"], cards["SYSMODEL"]) == ("OLS", "additive")
    assert not any(key.startswith(("A_ADD", "A_CMB", "B_CMB", "LRT", "CORRECT")) for key in cards)
    assert cards["A_SYS001"] == results["OLS"].a[0]


def test_checksums_of_templates(run):
    templates = run[2]
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
    sample, field, *rest = run
    away = Catalogue(np.linspace(0, 359, 200), np.zeros(200))
    path = write_all(tmp_path, replace(sample, galaxies=away), field, *rest)[0]
    sentences = check(read_weights(path))
    assert "200 of 200 rows are off the footprint, more than 1%." in sentences
    assert "WEIGHT_SYS is one in all rows, and the fit behind it is not." in sentences


def test_additive_weights_sit_on_the_randoms(run, tmp_path):
    sample, field, templates, results, *_ = run
    galaxies, randoms, _ = write_all(tmp_path, sample, field, templates, {"OLS": results["OLS"]})
    galaxies, randoms = read_weights(galaxies), read_weights(randoms)
    np.testing.assert_array_equal(galaxies.columns["WEIGHT_SYS"], 1.0)
    assert galaxies.header["UNITCOLS"] == "WEIGHT_SYS"
    assert randoms.header["UNITCOLS"] == ""
    assert galaxies.meanings["WEIGHT_SYS"] == "1, with 1 + A of the randoms"
    density = at_positions(1 + results["OLS"].a @ templates.values, field, sample.randoms)
    np.testing.assert_allclose(randoms.columns["WEIGHT_SYS"], density)
    assert check(galaxies, sample.galaxies) == []
    assert check(randoms, sample.randoms) == []


def test_parameters(run, written):
    _, _, templates, results, *_ = run
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
    sample, field, *rest = run
    pixels_only = replace(sample, galaxies=None, randoms=None)
    path = write_all(tmp_path, pixels_only, field, *rest)[0]
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
