"""Correlation functions of the catalogues of a sample."""

from dataclasses import replace

import numpy as np
import pytest

from sysmap_core.errors import DataError
from sysmap_core.samples.parts import whole
from sysmap_core.sky.catalogues import Catalogue
from sysmap_core.two_point.estimators import angular_correlation
from sysmap_core.weights.columns import at_positions
from sysmap_core.weights.measured import CATALOGUE_EDGES, measure_catalogues


def inside(catalogue, footprint, seed):
    """Objects on the footprint, with weights of a survey."""
    kept = at_positions(np.zeros(footprint.n_pix), footprint, catalogue) == 0
    weights = np.random.default_rng(seed).uniform(1, 4, kept.sum())
    return Catalogue(catalogue.ra[kept], catalogue.dec[kept], weights)


def test_weights_of_the_survey_count(run):
    """Completeness weights on both sides, below those against contamination."""
    sample, results, *_ = run
    fit = results["MCMC-comb"]
    galaxies = inside(sample.galaxies, fit.footprint, 1)
    galaxies = Catalogue(galaxies.ra[:3000], galaxies.dec[:3000], galaxies.weights[:3000])
    randoms = inside(sample.randoms, fit.footprint, 2)
    measured = measure_catalogues(replace(sample, galaxies=galaxies, randoms=randoms), fit)
    positions = (galaxies.ra, galaxies.dec), (randoms.ra, randoms.dec)
    of_survey = {"galaxy_weights": galaxies.weights, "random_weights": randoms.weights}
    pair = {
        "galaxy_systematics": at_positions(fit.galaxy_weights, fit.footprint, galaxies),
        "random_systematics": at_positions(fit.random_weights, fit.footprint, randoms),
    }
    observed = angular_correlation(*positions, edges_arcmin=CATALOGUE_EDGES, **of_survey)
    weighted = angular_correlation(*positions, edges_arcmin=CATALOGUE_EDGES, **of_survey, **pair)
    np.testing.assert_allclose(measured["observed"].w, observed.w, atol=1e-8)
    np.testing.assert_allclose(measured["MCMC-comb"].w, weighted.w, atol=1e-8)
    plain = angular_correlation(*positions, edges_arcmin=CATALOGUE_EDGES)
    assert np.nanmax(np.abs(plain.w - observed.w)) > 1e-3


def test_catalogues_that_are_not_there(run):
    sample, results, *_ = run
    empty = replace(sample, galaxies=None)
    assert measure_catalogues(empty, results["OLS"]) is None
    with pytest.raises(DataError, match="estimator is 'catalogue' and TEST has no catalogues: take 'pixels' or 'auto'"):
        measure_catalogues(empty, results["OLS"], "catalogue")


def test_a_part_is_measured_with_its_own_objects(split_run):
    fitted = split_run[1][2]
    own = fitted.part.sample
    galaxies, randoms = (inside(one, fitted.best.footprint, 3) for one in (own.galaxies, own.randoms))
    galaxies = Catalogue(galaxies.ra[:1500], galaxies.dec[:1500], galaxies.weights[:1500])
    own = replace(own, galaxies=galaxies, randoms=randoms)
    part = replace(fitted.part, sample=own)
    of_part, of_sample = (measure_catalogues(which, fitted.best) for which in (part, own))
    assert list(of_part) == ["observed", "GLS-comb"]
    np.testing.assert_allclose(of_part["GLS-comb"].w, of_sample["GLS-comb"].w, rtol=1e-10)
    assert of_part["observed"].metadata["n_galaxies"] == 1500


def test_a_whole_sample_as_a_part_without_catalogues(run):
    sample, results, *_ = run
    with pytest.raises(DataError, match="TEST has no catalogues"):
        measure_catalogues(whole(replace(sample, randoms=None)), results["OLS"], "catalogue")
