import json
from dataclasses import replace

import healpy as hp
import numpy as np
import pytest
import treecorr

from sysmap_core.correction.template_correlations import (
    FAR,
    TemplateCorrelations,
    at_objects,
    from_harmonics,
    from_pixels,
    read,
)
from sysmap_core.errors import DataError, MissingDataError, ParameterError
from sysmap_core.sky.footprints import Footprint
from sysmap_core.sky.random_points import scatter_galaxies
from sysmap_core.templates.synthetic import synthetic_maps
from sysmap_core.templates.template_set import standardise
from sysmap_core.two_point.estimators import pixel_correlation

NSIDE = 16

PIXEL = 60 * np.degrees(hp.nside2resol(NSIDE))

EDGES = np.geomspace(1.05, 8, 6) * PIXEL


@pytest.fixture(scope="module")
def sky():
    """Footprint, three templates and an uneven coverage."""
    pixels = np.flatnonzero(np.abs(hp.pix2vec(NSIDE, np.arange(hp.nside2npix(NSIDE)))[2]) > 0.4)
    names = ["power_neg1", "power_neg2", "white_noise"]
    return standardise(synthetic_maps(NSIDE, names, np.random.default_rng(0)), names, pixels)


@pytest.fixture(scope="module")
def coverage(sky):
    return np.random.default_rng(1).uniform(5, 15, len(sky.pixels))


@pytest.fixture(scope="module")
def objects(sky, coverage):
    """Randoms that follow the coverage."""
    counts = np.zeros(hp.nside2npix(NSIDE), int)
    rng = np.random.default_rng(2)
    counts[sky.pixels] = rng.poisson(coverage)
    drawn = scatter_galaxies(counts, NSIDE, rng)
    return drawn.ra, drawn.dec


def at_each(sky, objects):
    place = np.full(hp.nside2npix(NSIDE), -1)
    place[sky.pixels] = np.arange(len(sky.pixels))
    return sky.values[:, place[hp.ang2pix(NSIDE, *objects, lonlat=True)]]


@pytest.mark.parametrize("kind", ["treecorr", "harmonic"])
def test_pixels_hold_the_correlation_of_any_combination(sky, coverage, kind):
    """What is contracted equals what the engine of w measures on the contamination itself."""
    a = np.array([0.1, -0.2, 0.05])
    measured = pixel_correlation(
        a @ sky.values, sky.pixels, NSIDE, edges_arcmin=EDGES, weights=coverage, engine=kind, bin_slop=0
    )
    found = (from_pixels if kind == "treecorr" else from_harmonics)(sky, edges_arcmin=EDGES, weights=coverage)
    np.testing.assert_allclose(found.contract(np.outer(a, a)), measured.w, atol=1e-6)
    assert np.nanmax(np.abs(measured.w)) > 0.01
    np.testing.assert_allclose(found.xi, found.xi.transpose(1, 0, 2), atol=1e-12)
    np.testing.assert_allclose(found.theta_nominal, measured.theta_nominal)
    # TreeCorr takes the distance of the centres of groups of pixels
    np.testing.assert_allclose(found.theta_mean, measured.theta_mean, rtol=1e-3)
    assert np.all(found.error == 0)


def test_cross_terms_are_pairs_of_two_templates(sky):
    """An off-diagonal term against TreeCorr's correlation of one template with another."""
    ra, dec = hp.pix2ang(NSIDE, sky.pixels, lonlat=True)
    one, other = (treecorr.Catalog(ra=ra, dec=dec, ra_units="deg", dec_units="deg", k=sky.values[i]) for i in (0, 1))
    pairs = treecorr.KKCorrelation(
        min_sep=EDGES[0], max_sep=EDGES[-1], nbins=5, sep_units="arcmin", bin_slop=0, metric="Arc"
    )
    pairs.process(one, other)
    found = from_pixels(sky, edges_arcmin=EDGES)
    np.testing.assert_allclose(found.xi[0, 1], pairs.xi, atol=1e-8)


def test_objects_equal_pairs_of_objects(sky, objects):
    """Drawn pairs against all pairs of the objects, counted by TreeCorr, from a tenth of a pixel to four."""
    edges = np.geomspace(0.1, 4, 6) * PIXEL
    found = at_objects(sky, objects, edges_arcmin=edges, n_samples=300_000)
    for i in range(3):
        values = at_each(sky, objects)[i]
        catalogue = treecorr.Catalog(ra=objects[0], dec=objects[1], ra_units="deg", dec_units="deg", k=values)
        pairs = treecorr.KKCorrelation(
            min_sep=edges[0], max_sep=edges[-1], nbins=5, sep_units="arcmin", bin_slop=0.05, metric="Arc"
        )
        pairs.process(catalogue)
        # objects come a few per pixel: their own pairs scatter as well
        allowed = 4 * np.hypot(found.error[i, i], np.std(values**2) / np.sqrt(pairs.npairs))
        np.testing.assert_array_less(np.abs(found.xi[i, i] - pairs.xi), allowed + 0.005)
        np.testing.assert_allclose(found.theta_mean, pairs.meanr, rtol=0.01)


def test_below_the_pixels_it_is_the_covariance_of_the_templates_at_the_objects(sky, objects):
    values = at_each(sky, objects)
    found = at_objects(sky, objects, edges_arcmin=np.geomspace(0.001, 0.002, 3) * PIXEL, n_samples=400_000)
    # a pair in one pixel counts as often as there are others to pair with
    place = hp.ang2pix(NSIDE, *objects, lonlat=True)
    others = np.bincount(place, minlength=hp.nside2npix(NSIDE))[place] - 1
    variance = (values * others) @ values.T / others.sum()
    np.testing.assert_allclose(found.xi[..., 0], variance, atol=0.015)
    assert found.xi[2, 2, 0] > 0.9
    np.testing.assert_allclose(found.zero_lag, values @ values.T / values.shape[1], atol=1e-10)
    assert np.all(np.isnan(from_pixels(sky, edges_arcmin=np.geomspace(0.001, 0.002, 3) * PIXEL).xi))


def test_points_of_the_coverage_equal_its_randoms(sky, coverage):
    edges = np.geomspace(0.3, 3, 4) * PIXEL
    many = np.zeros(hp.nside2npix(NSIDE), int)
    many[sky.pixels] = np.round(30 * coverage)
    randoms = scatter_galaxies(many, NSIDE, np.random.default_rng(5))
    options = {"edges_arcmin": edges, "n_samples": 300_000}
    drawn = at_objects(sky, coverage=coverage, **options)
    counted = at_objects(sky, (randoms.ra, randoms.dec), **options, seed=1)
    difference = (drawn.xi - counted.xi) / np.hypot(drawn.error, counted.error)
    assert np.abs(difference).max() < 4
    assert np.sqrt(np.mean(difference**2)) < 1.2


def test_sampling_error_is_the_scatter_of_seeds(sky, coverage):
    """An upper bound, and not a loose one beyond the pixels."""
    edges = np.array([2.0, 3.0]) * PIXEL
    runs = [at_objects(sky, coverage=coverage, edges_arcmin=edges, n_samples=20_000, seed=s) for s in range(40)]
    ratio = np.mean([r.error for r in runs], axis=0) / np.std([r.xi for r in runs], axis=0)
    assert np.all((ratio > 0.75) & (ratio < 2.5))


def test_far_pairs_of_objects_are_pairs_of_pixels(sky, coverage):
    edges = np.geomspace(FAR, 12, 4) * PIXEL
    far = at_objects(sky, coverage=coverage, edges_arcmin=edges, n_samples=1_000)
    np.testing.assert_array_equal(far.xi, from_harmonics(sky, edges_arcmin=edges, weights=coverage).xi)
    assert not far.error.any()


def test_where_sampling_ends_nothing_jumps(sky, coverage, monkeypatch):
    edges = np.geomspace(FAR, 12, 4) * PIXEL
    far = from_harmonics(sky, edges_arcmin=edges, weights=coverage)
    monkeypatch.setattr("sysmap_core.correction.template_correlations.FAR", 100.0)
    drawn = at_objects(sky, coverage=coverage, edges_arcmin=edges, n_samples=400_000)
    np.testing.assert_array_less(np.abs(drawn.xi - far.xi), 4 * drawn.error + 0.01)


def test_seed_fixes_the_result(sky, coverage):
    options = {"coverage": coverage, "edges_arcmin": EDGES, "n_samples": 1000}
    one, same, other = (at_objects(sky, **options, seed=seed).xi for seed in (3, 3, 4))
    np.testing.assert_array_equal(one, same)
    assert np.any(one != other)


def test_contraction_of_many_matrices(sky):
    found = from_harmonics(sky, edges_arcmin=EDGES)
    matrices = np.random.default_rng(0).standard_normal((4, 3, 3))
    np.testing.assert_allclose(found.contract(matrices)[2], found.contract(matrices[2]))
    np.testing.assert_allclose(found.contract(np.eye(3)), found.xi[0, 0] + found.xi[1, 1] + found.xi[2, 2])


def test_round_trip_through_its_file(sky, coverage, tmp_path):
    edges = np.geomspace(0.5, 30, 5) * PIXEL
    found = at_objects(sky, coverage=coverage, edges_arcmin=edges, n_samples=1000)
    again = read(found.save(tmp_path / "xi.json"))
    for name, value in vars(found).items():
        if isinstance(value, np.ndarray):
            np.testing.assert_array_equal(getattr(again, name), value)
        else:
            assert getattr(again, name) == value


@pytest.mark.parametrize("measure", [from_pixels, from_harmonics])
def test_bad_pixels(sky, measure):
    with pytest.raises(DataError, match="even neither in theta nor in ln theta"):
        measure(sky, edges_arcmin=np.array([1.0, 2.0, 5.0]))
    with pytest.raises(DataError, match=r"weights have shape \(3,\) for \d+ pixels"):
        measure(sky, edges_arcmin=EDGES, weights=np.ones(3))
    with pytest.raises(DataError, match="weights are negative or not finite somewhere"):
        measure(sky, edges_arcmin=EDGES, weights=np.full(len(sky.pixels), -1.0))
    with pytest.raises(DataError, match="the templates do not know where their pixels are"):
        measure(replace(sky, footprint=Footprint(sky.pixels)), edges_arcmin=EDGES)


def test_bad_objects(sky, coverage):
    with pytest.raises(DataError, match="neither positions nor coverage came: give the randoms"):
        at_objects(sky, edges_arcmin=EDGES)
    with pytest.raises(DataError, match="1 of 2 objects are off the footprint"):
        at_objects(sky, (np.zeros(2), np.array([0.0, 80.0])), edges_arcmin=EDGES)
    with pytest.raises(DataError, match="there is no object"):
        at_objects(sky, (np.zeros(0), np.zeros(0)), edges_arcmin=EDGES)
    with pytest.raises(ParameterError, match="n_samples is 0: give a positive number"):
        at_objects(sky, coverage=coverage, edges_arcmin=EDGES, n_samples=0)


def test_bad_matrix(sky):
    with pytest.raises(DataError, match=r"the matrix has shape \(2, 2\) for 3 templates"):
        from_harmonics(sky, edges_arcmin=EDGES).contract(np.eye(2))


def test_bad_files(sky, tmp_path):
    with pytest.raises(MissingDataError, match="is not a file: check the name"):
        read(tmp_path / "none.json")
    (tmp_path / "text.json").write_text("no json")
    with pytest.raises(DataError, match="holds no template correlations"):
        read(tmp_path / "text.json")
    content = from_harmonics(sky, edges_arcmin=EDGES).to_dict()
    content.pop("xi")
    (tmp_path / "less.json").write_text(json.dumps(content))
    with pytest.raises(DataError, match="the stored template correlation lacks xi"):
        TemplateCorrelations.from_dict(content)
    with pytest.raises(DataError, match="lacks xi"):
        read(tmp_path / "less.json")
