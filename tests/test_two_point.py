from itertools import pairwise

import healpy as hp
import numpy as np
import pytest
import treecorr

from sysmap_core.errors import DataError
from sysmap_core.lrg import read_lrg_counts, read_lrg_reference
from sysmap_core.templates import standardise, synthetic_maps
from sysmap_core.two_point import (
    angular_correlation,
    corrected_correlation,
    pixel_correlation,
    random_pairs,
    template_sum,
)

EDGES = np.geomspace(300.0, 1500.0, 6)


@pytest.fixture(scope="module")
def sky():
    """Footprint and three templates at NSIDE 16."""
    pixels = np.flatnonzero(np.abs(hp.pix2vec(16, np.arange(hp.nside2npix(16)))[2]) > 0.4)
    names = ["power_neg1", "power_neg2", "exp_linear"]
    return standardise(synthetic_maps(16, names, np.random.default_rng(0)), names, pixels)


def brute_force(values, pixels, weights):
    vectors = np.array(hp.pix2vec(16, pixels))
    theta = 60 * np.degrees(np.arccos(np.clip(vectors.T @ vectors, -1, 1)))
    product, weight = np.outer(weights * values, weights * values), np.outer(weights, weights)
    bins = [(theta >= low) & (theta < high) for low, high in pairwise(EDGES)]
    return np.array([product[b].sum() / weight[b].sum() for b in bins])


def points(number, seed):
    rng = np.random.default_rng(seed)
    return rng.uniform(0, 20, number), np.degrees(np.arcsin(rng.uniform(0, 0.3, number)))


def test_pixels_equal_the_sum_over_pairs(sky):
    weights = np.random.default_rng(1).uniform(0.5, 1, len(sky.pixels))
    w = pixel_correlation(sky.values[0], sky.pixels, 16, edges_arcmin=EDGES, weights=weights, bin_slop=0)
    np.testing.assert_allclose(w.w, brute_force(sky.values[0], sky.pixels, weights), atol=1e-8)


@pytest.mark.parametrize("theta", [0.225, 0.375, 0.525, 1.425, 2.625])
def test_golden_correlation_of_real_galaxies(real_data, golden, theta):
    """DESI luminous red galaxies against the reference that was published with them."""
    curve, reference_theta, reference = golden
    i = np.argmin(np.abs(curve.theta / 60 - theta))
    j = np.argmin(np.abs(reference_theta - theta))
    assert curve.theta[i] / 60 == pytest.approx(reference_theta[j])
    assert curve.w[i] == pytest.approx(reference[j], rel=0.002)


@pytest.fixture(scope="module")
def golden(real_data):
    counts, coverage, pixels = read_lrg_counts(real_data)
    keep = coverage >= 0.2
    density = counts[keep] / coverage[keep]
    delta = density * coverage[keep].sum() / counts[keep].sum() - 1
    curve = pixel_correlation(
        delta,
        pixels[keep],
        256,
        weights=coverage[keep],
        edges_arcmin=60 * np.linspace(0.15, 12, 80),
        bin_slop=0,
    )
    return curve, *read_lrg_reference(real_data)


def test_catalogues_equal_treecorr():
    galaxies, randoms, edges = points(5_000, 0), points(20_000, 1), np.geomspace(10, 200, 7)
    w = angular_correlation(galaxies, randoms, edges_arcmin=edges)
    kind = {"min_sep": 10, "max_sep": 200, "nbins": 6, "sep_units": "arcmin", "bin_slop": 0.05, "metric": "Arc"}
    d, r = (treecorr.Catalog(ra=x[0], dec=x[1], ra_units="deg", dec_units="deg") for x in (galaxies, randoms))
    dd, dr, rr = (treecorr.NNCorrelation(**kind) for _ in range(3))
    dd.process(d)
    dr.process(d, r)
    rr.process(r)
    np.testing.assert_allclose(w.w, dd.calculateXi(rr=rr, dr=dr)[0], rtol=1e-10, atol=1e-12)


def test_random_weights_enter_the_numerator_only():
    """Galaxies that follow a known density: weighted randoms take it out, unweighted ones do not."""
    randoms = points(60_000, 1)
    candidates = points(60_000, 2)
    gradient = 1 + 0.5 * (candidates[0] - 10) / 10
    keep = np.random.default_rng(3).uniform(0, 1.5, 60_000) < gradient
    galaxies = tuple(x[keep][:20_000] for x in candidates)
    edges = np.geomspace(10, 120, 5)
    rr = random_pairs(randoms, edges_arcmin=edges)
    common = {"edges_arcmin": edges, "unweighted_rr": rr}
    raw = angular_correlation(galaxies, randoms, **common).w
    fixed = angular_correlation(galaxies, randoms, random_weights=1 + 0.5 * (randoms[0] - 10) / 10, **common).w
    assert raw.min() > 0.05
    # Poisson noise of the pairs, and of the field made by thinning
    np.testing.assert_allclose(fixed, 0.0, atol=0.01)


def test_unit_weights_change_nothing():
    galaxies, randoms, edges = points(2_000, 0), points(8_000, 1), np.geomspace(20, 200, 5)
    one = angular_correlation(galaxies, randoms, edges_arcmin=edges)
    two = angular_correlation(
        galaxies, randoms, edges_arcmin=edges, galaxy_weights=np.ones(2_000), random_weights=np.ones(8_000)
    )
    np.testing.assert_allclose(two.w, one.w, atol=1e-12)


def test_scale_of_the_weights_does_not_matter():
    galaxies, randoms, edges = points(2_000, 0), points(8_000, 1), np.geomspace(20, 200, 5)
    rng = np.random.default_rng(2)
    of_galaxies, of_randoms = rng.uniform(0.9, 1.1, 2_000), rng.uniform(0.5, 1.5, 8_000)
    common = {"edges_arcmin": edges, "galaxy_weights": of_galaxies}
    one = angular_correlation(galaxies, randoms, random_weights=of_randoms, **common)
    two = angular_correlation(galaxies, randoms, random_weights=3 * of_randoms, **common)
    np.testing.assert_allclose(two.w, one.w, atol=1e-8)  # trees differ in the last digits


def test_jackknife_error_is_the_scatter(sky):
    """White noise on pixels: the jackknife error is that of independent pairs."""
    rng = np.random.default_rng(0)
    patches = np.arange(len(sky.pixels)) * 30 // len(sky.pixels)
    curves = [
        pixel_correlation(rng.standard_normal(len(sky.pixels)), sky.pixels, 16, edges_arcmin=EDGES, patches=patches)
        for _ in range(30)
    ]
    scatter = np.std([c.w for c in curves], axis=0)
    np.testing.assert_allclose(np.mean([c.error for c in curves], axis=0) / scatter, 1.0, atol=0.5)


def test_template_sum_holds_all_cross_terms(sky):
    def correlate(m):
        return pixel_correlation(m, sky.pixels, 16, edges_arcmin=EDGES).w

    amplitudes = np.array([0.1, -0.2, 0.05])
    matrix = np.outer(amplitudes, amplitudes)
    np.testing.assert_allclose(template_sum(matrix, sky, correlate), correlate(amplitudes @ sky.values), rtol=1e-6)
    np.testing.assert_allclose(
        template_sum(matrix - 2 * matrix, sky, correlate), -correlate(amplitudes @ sky.values), rtol=1e-6
    )


def test_correction_with_known_amplitudes_is_exact(sky):
    """Contamination alone, with true amplitudes without error: nothing is left."""
    a, b, none = np.array([0.1, 0.05, 0.0]), np.array([0.2, 0.0, 0.1]), np.zeros((3, 3))

    def correlate(m):
        return pixel_correlation(m, sky.pixels, 16, edges_arcmin=EDGES).w

    observed = pixel_correlation(a @ sky.values, sky.pixels, 16, edges_arcmin=EDGES)
    left = corrected_correlation(observed, sky, correlate, a=a, cov_a=none, b=b, cov_b=none)
    np.testing.assert_allclose(left.w, 0.0, atol=1e-8)
    assert "noise-debiased" in left.estimator


def test_debiasing_gives_back_what_noise_takes(sky):
    def correlate(m):
        return pixel_correlation(m, sky.pixels, 16, edges_arcmin=EDGES).w

    observed = pixel_correlation(sky.values[0], sky.pixels, 16, edges_arcmin=EDGES)
    cov = 0.01 * np.eye(3)
    corrected = corrected_correlation(observed, sky, correlate, a=np.zeros(3), cov_a=cov)
    np.testing.assert_allclose(corrected.w - observed.w, 0.01 * sum(correlate(v) for v in sky.values), rtol=1e-8)


def test_empty_bins_are_nan(sky):
    w = pixel_correlation(sky.values[0], sky.pixels, 16, edges_arcmin=np.geomspace(1, 4, 3))
    assert np.all(np.isnan(w.w))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"edges_arcmin": np.array([1.0, 2.0, 5.0])}, "even neither in theta nor in ln theta"),
        ({"edges_arcmin": np.array([5.0, 2.0])}, "edges_arcmin does not increase"),
        ({"edges_arcmin": EDGES, "bin_slop": 0.5}, "bin_slop is 0.5: take 0.05 or less"),
        ({"edges_arcmin": EDGES, "weights": np.ones(3)}, r"weights has shape \(3,\) and delta"),
    ],
)
def test_bad_input(sky, arguments, message):
    with pytest.raises(DataError, match=message):
        pixel_correlation(sky.values[0], sky.pixels, 16, **arguments)


def test_too_few_randoms():
    with pytest.raises(DataError, match="50 randoms for 100 galaxies"):
        angular_correlation(points(100, 0), points(50, 1), edges_arcmin=EDGES)


def test_wrong_number_of_weights():
    with pytest.raises(DataError, match="100 RA, 100 Dec and 3 weights"):
        angular_correlation(points(100, 0), points(500, 1), edges_arcmin=EDGES, galaxy_weights=np.ones(3))
