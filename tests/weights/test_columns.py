from dataclasses import replace
from importlib.metadata import version

import numpy as np
import pytest
from astropy.io import fits

from sysmap_core.methods.table import METHODS
from sysmap_core.sky.catalogues import Catalogue, catalogue_checksum
from sysmap_core.weights.columns import (
    alone,
    at_positions,
    column,
    on_footprint,
    random_column,
    recommendation,
    recommended,
    weight_columns,
)
from sysmap_core.weights.files import read_weights
from sysmap_core.weights.header import CARDS


def test_one_row_per_galaxy_in_order(run, written):
    sample, results, *_ = run
    field = results["OLS"].field
    table = fits.getdata(written[0])
    np.testing.assert_array_equal(table["RA"], sample.galaxies.ra)
    np.testing.assert_array_equal(table["DEC"], sample.galaxies.dec)
    for name, row in METHODS.items():
        wanted = at_positions(column(results[name]), field.footprint, sample.galaxies)
        np.testing.assert_allclose(table[row.column], wanted)
    np.testing.assert_array_equal(table["WEIGHT_SYS"], table["WEIGHT_GLSC"])
    assert fits.getheader(written[0], 1)["SYSFROM"] == "GLS-comb"


def test_columns_follow_their_formulas(run):
    _, results, *_ = run
    templates = results["OLS"].templates
    a, b = results["MCMC-add"].a_mean, results["MCMC-comb"].b_mean
    np.testing.assert_allclose(column(results["MCMC-add"]), 1 / (1 + a @ templates.values))
    np.testing.assert_allclose(column(results["MCMC-comb"]), 1 / (1 + b @ templates.values))


def test_floor_of_the_weights(run):
    _, results, *_ = run
    templates = results["OLS"].templates
    density = 1 + np.array([5.0, 0.0, 0.0]) @ templates.values
    steep = type(results["OLS"])(**vars(results["OLS"]) | {"random_weights": density})
    assert column(steep).max() == pytest.approx(100.0)


def test_galaxies_and_randoms_close_together(run, written):
    """Sums of the written weights per pixel give back the cleaned field."""
    sample, results, *_ = run
    field = results["OLS"].field
    galaxies, randoms = fits.getdata(written[0]), fits.getdata(written[1])
    assert len(randoms) == 5_000
    total = np.sum(galaxies["WEIGHT_SYS"][at_positions(np.zeros(field.n_pix), field.footprint, sample.galaxies) == 0])
    expected = np.sum(field.expected * (results["MCMC-comb"].cleaned + results["MCMC-comb"].random_weights))
    assert total == pytest.approx(expected, rel=0.01)  # counts were rounded to whole galaxies


def test_header(run, written):
    sample, results, test, advice = run
    field = results["OLS"].field
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


def test_recommended_method(run):
    results = dict(run[1])
    assert recommended(results).method == "GLS-comb"
    assert recommendation(results) == "WEIGHT_SYS is that of GLS-comb, the first choice of those that were run."
    results["GLS-comb"] = replace(results["GLS-comb"], diagnostics={"converged": False, "status": "steps ran out"})
    assert recommended(results).method == "MCMC-comb"
    assert "is that of MCMC-comb, as GLS-comb did not converge (steps ran out)." in recommendation(results)
    results["MCMC-comb"] = replace(results["MCMC-comb"], diagnostics={"converged": False, "status": "on the floor"})
    assert recommended(results).method == "GLS"
    reasons = "as GLS-comb did not converge (steps ran out) and MCMC-comb did not converge (on the floor)."
    assert recommendation(results) == f"WEIGHT_SYS is that of GLS, {reasons}"
    del results["MCMC-comb"], results["GLS"]
    assert recommended(results).method == "GLS-comb"
    assert "which did not converge (steps ran out), as no other method did that could" in recommendation(results)
    assert recommended({"OLS": results["OLS"]}).method == "OLS"
    assert "OLS, the last that was run, as none of the recommended" in recommendation({"OLS": results["OLS"]})


def test_values_at_positions(run):
    field = run[1]["OLS"].field
    objects = Catalogue(np.array([0.0, 180.0]), np.array([80.0, 0.0]))
    values = np.arange(field.n_pix, dtype=float) + 10
    near, off = at_positions(values, field.footprint, objects)
    assert near >= 10
    assert off == 1.0


def test_partners_of_the_columns(run):
    results = run[1]
    templates = results["OLS"].templates
    np.testing.assert_array_equal(random_column(results["OLS"]), 1.0)
    fit = results["GLS-comb"]
    density, efficiency = (1 + x @ templates.values for x in (fit.a_mean, fit.b_mean))
    np.testing.assert_allclose(random_column(fit), density / efficiency)
    np.testing.assert_allclose(random_column(results["ISD-3"]), 1.0)


def test_weight_that_works_alone(run):
    """It is 1 / (1 + A) of every method, whatever B is."""
    results = run[1]
    for name in ("OLS", "GLS-comb"):
        density = 1 + results[name].a_mean @ results[name].templates.values
        np.testing.assert_allclose(alone(results[name]), 1 / density)
    np.testing.assert_allclose(alone(results["ISD-1"]), results["ISD-1"].galaxy_weights)
    steep = replace(results["OLS"], random_weights=np.full(results["OLS"].footprint.n_pix, -1.0))
    np.testing.assert_allclose(alone(steep), 100.0)


def test_columns_of_both_kinds_have_the_same_names(run):
    results = run[1]
    galaxies, randoms = (weight_columns(results, kind) for kind in ("galaxies", "randoms"))
    assert list(galaxies) == list(randoms) == [*(METHODS[name].column for name in results), "WEIGHT_SYS"]
    np.testing.assert_array_equal(galaxies["WEIGHT_SYS"][0], results["GLS-comb"].galaxy_weights)
    np.testing.assert_array_equal(randoms["WEIGHT_SYS"][0], results["GLS-comb"].random_weights)


def test_objects_on_a_footprint(run):
    footprint = run[1]["OLS"].footprint
    assert list(on_footprint(footprint, Catalogue(np.array([0.0, 180.0]), np.array([80.0, 0.0])))) == [True, False]
