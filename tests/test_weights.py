import json

import numpy as np
import pytest
from astropy.io import fits
from skies import ClusteredSky

from sysmap_core.catalogues import Catalogue, catalogue_checksum
from sysmap_core.datasets import Sample, Truth
from sysmap_core.decontamination import run_methods
from sysmap_core.methods import METHODS
from sysmap_core.mocks import scatter_galaxies, uniform_randoms
from sysmap_core.significance import likelihood_ratio, verdict
from sysmap_core.weights import at_positions, column, recommended, write_all


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
    np.testing.assert_array_equal(table["WEIGHT_SYS"], table["WEIGHT_COMB"])


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
    sample, _, templates, results, test, _ = run
    header = fits.getheader(written[0], 1)
    assert header["SAMPLE"] == "TEST"
    assert header["SIMULATD"] is True
    assert (header["NSIDE"], header["NSYS"], header["NGAL"], header["NRAND"]) == (16, 3, len(sample.galaxies), 5_000)
    assert header["NOUTSIDE"] == 3
    assert header["CATSUM"] == catalogue_checksum(sample.galaxies.ra, sample.galaxies.dec)[:16]
    assert [header[f"TMPL{i:03d}"] for i in (1, 2, 3)] == list(templates.names)
    assert header["A_ADD001"] == pytest.approx(results["MCMC-add"].a[0])
    assert header["B_CMB003"] == pytest.approx(results["MCMC-comb"].b[2])
    assert header["LRT_LAM"] == pytest.approx(test.ratio)
    assert header["LRT_P"] == pytest.approx(test.p)


def test_parameters(run, written):
    content = json.loads(written[2].read_text())
    assert content["sample_id"] == "TEST"
    assert content["simulated"] is True
    assert content["template_names"] == list(run[2].names)
    assert set(content["methods"]) == set(METHODS)
    assert content["methods"]["MCMC-comb"]["b"] == run[3]["MCMC-comb"].b.tolist()
    assert content["lrt"]["p"] >= content["lrt"]["p_floor"]
    assert content["truth"]["a"] == [0.1, 0.1, 0.1]


def test_a_sample_of_pixels_has_a_row_per_pixel(run, tmp_path):
    sample, field, *rest = run
    pixels_only = type(sample)(**vars(sample) | {"galaxies": None, "randoms": None})
    path = write_all(tmp_path, pixels_only, field, *rest)[0]
    table = fits.getdata(path)
    np.testing.assert_array_equal(table["HPXPIXEL"], field.pixels)
    assert "RA" not in table.names


def test_nothing_half_written(run, tmp_path, monkeypatch):
    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(fits.BinTableHDU, "writeto", fail)
    with pytest.raises(OSError, match="disk full"):
        write_all(tmp_path, *run)
    assert list(tmp_path.iterdir()) == []


def test_recommended_without_the_combined_method(run):
    results = run[3]
    assert recommended(results).method == "MCMC-comb"
    assert recommended({"OLS": results["OLS"]}).method == "OLS"


def test_values_at_positions(run):
    field = run[1]
    objects = Catalogue(np.array([0.0, 180.0]), np.array([80.0, 0.0]))
    values = np.arange(field.n_pix, dtype=float) + 10
    near, off = at_positions(values, field, objects)
    assert near >= 10
    assert off == 1.0
