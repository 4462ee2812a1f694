from dataclasses import replace
from importlib.metadata import version

import numpy as np
import pytest
from astropy.io import fits
from skies import ClusteredSky

from sysmap_core.catalogues import Catalogue, catalogue_checksum
from sysmap_core.datasets import Sample, Truth
from sysmap_core.decision import verdict
from sysmap_core.decontamination import run_methods
from sysmap_core.methods import METHODS
from sysmap_core.mocks import scatter_galaxies, uniform_randoms
from sysmap_core.significance import likelihood_ratio
from sysmap_core.weight_checks import check
from sysmap_core.weight_files import CARDS, read_params, read_weights
from sysmap_core.weights import (
    COLUMN_CARDS,
    at_positions,
    column,
    header_cards,
    recommended,
    template_checksums,
    write_all,
)


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


def test_one_row_per_galaxy_in_order(run, written):
    sample, field, _, results, *_ = run
    table = fits.getdata(written[0])
    np.testing.assert_array_equal(table["RA"], sample.galaxies.ra)
    np.testing.assert_array_equal(table["DEC"], sample.galaxies.dec)
    for name, row in METHODS.items():
        wanted = at_positions(column(results[name]), field, sample.galaxies)
        np.testing.assert_allclose(table[row.column], wanted)
    np.testing.assert_array_equal(table["WEIGHT_SYS"], table["WEIGHT_GLSC"])
    assert fits.getheader(written[0], 1)["SYSFROM"] == "GLS-comb"


def test_columns_follow_their_formulas(run):
    _, _, templates, results, *_ = run
    a, b = results["MCMC-add"].a, results["MCMC-comb"].b
    np.testing.assert_allclose(column(results["MCMC-add"]), 1 / (1 + a @ templates.values))
    np.testing.assert_allclose(column(results["MCMC-comb"]), 1 / (1 + b @ templates.values))


def test_floor_of_the_weights(run):
    _, _, templates, results, *_ = run
    density = 1 + np.array([5.0, 0.0, 0.0]) @ templates.values
    steep = type(results["OLS"])(**vars(results["OLS"]) | {"random_weights": density})
    assert column(steep).max() == pytest.approx(100.0)


def test_galaxies_and_randoms_close_together(run, written):
    """Sums of the written weights per pixel give back the cleaned field."""
    sample, field, _, results, *_ = run
    galaxies, randoms = fits.getdata(written[0]), fits.getdata(written[1])
    assert len(randoms) == 5_000
    total = np.sum(galaxies["WEIGHT_SYS"][at_positions(np.zeros(field.n_pix), field, sample.galaxies) == 0])
    expected = np.sum(field.expected * (results["MCMC-comb"].cleaned + results["MCMC-comb"].random_weights))
    assert total == pytest.approx(expected, rel=0.01)  # counts were rounded to whole galaxies


def test_header(run, written):
    sample, field, _, results, test, advice = run
    best = recommended(results)
    for path, kind in zip(written[:2], ("galaxies", "randoms"), strict=True):
        header = read_weights(path).header
        assert set(CARDS) <= set(header)
        assert header["SAMPLE"] == "TEST"
        assert header["SIMULATD"] is True
        assert header["WEIGHTOF"] == kind
        assert (header["NSIDE"], header["ORDERING"], header["COORDSYS"]) == (16, "RING", "C")
        assert (header["NPIX"], header["NSYS"]) == (field.n_pix, 3)
        assert (header["NGAL"], header["NRAND"]) == (len(sample.galaxies), 5_000)
        assert (header["SYSFROM"], header["SYSMODEL"]) == (best.method, best.model)
        assert (header["COVFROM"], header["SEED"]) == (best.covariance, best.seed)
        assert header["TBASIS"] == "standardised on the footprint"
        assert (header["CLIPFRAC"], header["WFLOOR"]) == (best.clipped, 0.01)
        assert header["CODEVERS"] == version("sysmap-core")
        assert header["LRT_LAM"] == pytest.approx(test.ratio)
        assert header["LRT_P"] == pytest.approx(test.p)
        assert header["CORRECT"] == advice.correct
    galaxies = read_weights(written[0]).header
    assert galaxies["NOUTSIDE"] == 3
    assert galaxies["CATSUM"] == catalogue_checksum(sample.galaxies.ra, sample.galaxies.dec)[:16]


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


def test_recommended_method(run):
    results = dict(run[3])
    assert recommended(results).method == "GLS-comb"
    results["GLS-comb"] = replace(results["GLS-comb"], diagnostics={"converged": False})
    assert recommended(results).method == "MCMC-comb"
    del results["MCMC-comb"]
    assert recommended(results).method == "GLS-comb"
    assert recommended({"OLS": results["OLS"]}).method == "OLS"


def test_values_at_positions(run):
    field = run[1]
    objects = Catalogue(np.array([0.0, 180.0]), np.array([80.0, 0.0]))
    values = np.arange(field.n_pix, dtype=float) + 10
    near, off = at_positions(values, field, objects)
    assert near >= 10
    assert off == 1.0
