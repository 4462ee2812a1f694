import importlib.util
from itertools import pairwise

import healpy as hp
import numpy as np
import pytest
import treecorr
from astropy.io import fits
from scipy.spatial.distance import cdist
from skies import ClusteredSky

from sysmap_core.errors import DataError, ParameterError
from sysmap_core.samples.lrg import read_lrg_counts, read_lrg_reference
from sysmap_core.templates.synthetic import synthetic_maps
from sysmap_core.templates.template_set import standardise
from sysmap_core.two_point.correlation import read_correlation
from sysmap_core.two_point.estimators import angular_correlation, pixel_correlation, random_pairs
from sysmap_core.two_point.jackknife import patch_centres, patch_numbers

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
    i = np.argmin(np.abs(curve.theta_nominal / 60 - theta))
    j = np.argmin(np.abs(reference_theta - theta))
    assert curve.theta_nominal[i] / 60 == pytest.approx(reference_theta[j])
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
    common = {"edges_arcmin": edges, "rr": rr}
    raw = angular_correlation(galaxies, randoms, **common).w
    fixed = angular_correlation(galaxies, randoms, random_systematics=1 + 0.5 * (randoms[0] - 10) / 10, **common).w
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
    common = {"edges_arcmin": edges, "galaxy_systematics": of_galaxies}
    one = angular_correlation(galaxies, randoms, random_systematics=of_randoms, **common)
    two = angular_correlation(galaxies, randoms, random_systematics=3 * of_randoms, **common)
    np.testing.assert_allclose(two.w, one.w, atol=1e-8)  # trees differ in the last digits


def test_jackknife_error_is_the_scatter(sky):
    """White noise on pixels: the jackknife error is that of independent pairs."""
    rng = np.random.default_rng(0)
    patches = np.arange(len(sky.pixels)) * 8 // len(sky.pixels)
    curves = [
        pixel_correlation(rng.standard_normal(len(sky.pixels)), sky.pixels, 16, edges_arcmin=EDGES, patches=patches)
        for _ in range(18)
    ]
    scatter = np.std([c.w for c in curves], axis=0)
    np.testing.assert_allclose(np.mean([c.error for c in curves], axis=0) / scatter, 1.0, atol=0.5)


def test_empty_bins_are_nan(sky):
    w = pixel_correlation(sky.values[0], sky.pixels, 16, edges_arcmin=np.geomspace(1, 4, 3))
    assert np.all(np.isnan(w.w))
    np.testing.assert_array_equal(w.pairs, 0)


@pytest.mark.parametrize("weights", [None, "both"])
def test_bins_outside_a_footprint_are_nan(weights):
    """Beyond the extent of the sky, and where no two galaxies are that close; never a silent zero or minus one."""
    galaxies, randoms = points(500, 0), points(2_000, 1)
    given = {"galaxy_weights": np.ones(500), "random_weights": np.ones(2_000)} if weights else {}
    far = angular_correlation(galaxies, randoms, edges_arcmin=np.geomspace(600, 6000, 4), patches=6, **given)
    assert np.isfinite(far.w).tolist() == [True, True, False]
    assert np.isnan(far.theta_mean[2])
    assert np.isnan(far.cov[2]).all()
    assert np.isfinite(far.cov[:2, :2]).all()
    close = angular_correlation(galaxies, randoms, edges_arcmin=np.geomspace(1e-4, 100, 3), **given)
    assert np.isfinite(close.w).tolist() == [False, True]
    assert close.rr[0] + close.pairs[0] == 0


@pytest.mark.parametrize("turn", [-10.0, 350.0])
def test_right_ascension_may_be_negative_or_wrap(turn):
    galaxies, randoms = points(500, 0), points(1_500, 1)
    common = {"edges_arcmin": np.geomspace(10, 200, 4), "bin_slop": 0, "covariance": "jackknife", "patches": 5}
    here = angular_correlation(galaxies, randoms, **common)
    turned = [((ra + turn) % 360 if turn > 0 else ra + turn, dec) for ra, dec in (galaxies, randoms)]
    there = angular_correlation(*turned, **common)
    np.testing.assert_allclose(there.w, here.w, atol=1e-3 * here.poisson_error.min())
    assert np.all(there.error > 0)


def test_scale_of_the_galaxy_weights():
    """Alone it does not matter; together with weights of the randoms it is absolute."""
    galaxies, randoms = points(1_000, 0), points(4_000, 1)
    weights = np.random.default_rng(2).uniform(0.5, 1.5, 1_000)
    common = {"edges_arcmin": np.geomspace(20, 200, 4)}
    one = angular_correlation(galaxies, randoms, galaxy_systematics=weights, **common)
    two = angular_correlation(galaxies, randoms, galaxy_systematics=3 * weights, **common)
    np.testing.assert_allclose(two.w, one.w, atol=1e-7)
    pair = [
        angular_correlation(
            galaxies, randoms, galaxy_systematics=s * weights, random_systematics=np.ones(4_000), **common
        )
        for s in (1, 3)
    ]
    np.testing.assert_allclose(pair[1].w, 9 * pair[0].w, atol=1e-6)


@pytest.fixture(scope="module")
def survey():
    """Galaxies and randoms of one survey, with completeness and FKP weights on both, as those of DESI."""
    galaxies, randoms = points(1_500, 0), points(6_000, 1)
    rng = np.random.default_rng(2)
    weights = [
        rng.uniform(0.1, 0.4, len(x[0])) * (1.0 + 0.5 * np.cos(np.radians(9 * x[0]))) for x in (galaxies, randoms)
    ]
    return galaxies, randoms, weights, np.geomspace(20, 200, 5)


def test_survey_weights_are_those_of_treecorr(survey):
    galaxies, randoms, weights, edges = survey
    found = angular_correlation(
        galaxies, randoms, edges_arcmin=edges, galaxy_weights=weights[0], random_weights=weights[1], bin_slop=0
    )
    data, mask = (
        treecorr.Catalog(ra=x[0], dec=x[1], w=w, ra_units="deg", dec_units="deg")
        for x, w in ((galaxies, weights[0]), (randoms, weights[1]))
    )
    dd, dr, rr = (
        treecorr.NNCorrelation(
            min_sep=20, max_sep=200, nbins=4, sep_units="arcmin", metric="Arc", bin_slop=0, brute=True
        )
        for _ in range(3)
    )
    dd.process(data)
    dr.process(data, mask)
    rr.process(mask)
    np.testing.assert_allclose(found.w, dd.calculateXi(rr=rr, dr=dr)[0], rtol=1e-6, atol=1e-9)


def test_weights_of_the_pair_come_on_top_of_those_of_the_survey(survey):
    """Against the sums of pairs, written out."""
    galaxies, randoms, weights, edges = survey
    rng = np.random.default_rng(3)
    pair = [rng.uniform(0.8, 1.3, len(w)) for w in weights]
    found = angular_correlation(
        galaxies,
        randoms,
        edges_arcmin=edges,
        galaxy_weights=weights[0],
        random_weights=weights[1],
        galaxy_systematics=pair[0],
        random_systematics=pair[1],
        bin_slop=0,
    )
    xyz = [np.array(hp.ang2vec(*x, lonlat=True)) for x in (galaxies, randoms)]

    def pairs(i, j, first, second):
        angle = 60 * np.degrees(2 * np.arcsin(np.clip(cdist(xyz[i], xyz[j]) / 2, 0, 1)))
        sums = np.histogram(angle, edges, weights=np.outer(first, second))[0]
        return sums / 2 if i == j else sums

    both = [w * v for w, v in zip(weights, pair, strict=True)]
    f, of_survey = both[0].sum() / both[1].sum(), weights[0].sum() / weights[1].sum()
    sums = pairs(0, 0, both[0], both[0]) - f * pairs(0, 1, *both) + f**2 * pairs(1, 1, both[1], both[1])
    np.testing.assert_allclose(found.w, sums / (of_survey**2 * pairs(1, 1, weights[1], weights[1])), rtol=1e-6)


@pytest.mark.parametrize("with_pair", [False, True])
def test_scale_of_survey_weights_does_not_matter(survey, with_pair):
    galaxies, randoms, weights, edges = survey
    pair = {}
    if with_pair:
        rng = np.random.default_rng(3)
        pair = {
            "galaxy_systematics": rng.uniform(0.8, 1.3, len(weights[0])),
            "random_systematics": rng.uniform(0.8, 1.3, len(weights[1])),
        }

    def measured(of_galaxies, of_randoms):
        scaled = {"galaxy_weights": of_galaxies * weights[0], "random_weights": of_randoms * weights[1]}
        return angular_correlation(galaxies, randoms, edges_arcmin=edges, bin_slop=0, **scaled, **pair).w

    np.testing.assert_allclose(measured(1000.0, 1000.0), measured(1.0, 1.0), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(measured(0.2, 7.0), measured(1.0, 1.0), rtol=1e-10, atol=1e-12)


def test_result_knows_how_it_was_made(tmp_path):
    galaxies, randoms = points(1_000, 0), points(4_000, 1)
    weights = np.random.default_rng(2).uniform(0.5, 1.5, 4_000)
    w = angular_correlation(
        galaxies, randoms, edges_arcmin=np.geomspace(20, 200, 4), random_systematics=weights, patches=10, bin_slop=0.02
    )
    facts = {"engine": "treecorr", "metric": "arc", "bin_slop": 0.02, "n_galaxies": 1_000, "n_randoms": 4_000}
    facts |= {"sum_galaxy_weights": 1_000.0, "sum_random_weights": 4_000.0}
    assert facts | {"covariance": "jackknife", "n_patches": 10} == {
        k: v for k, v in w.metadata.items() if k != "versions"
    }
    assert w.metadata["versions"]["treecorr"] == treecorr.__version__
    # the counts are those behind w
    f, ratio = 1_000 / weights.sum(), 1_000 / 4_000
    np.testing.assert_allclose((w.dd - f * w.dr + f**2 * w.rr_weighted) / (ratio**2 * w.rr), w.w)
    again = read_correlation(w.save(tmp_path / "w.ecsv"))
    np.testing.assert_array_equal(again.cov, w.cov)
    assert again.metadata == w.metadata


def scatter_and_errors(covariance, n_draws):
    """Galaxies without correlations: standard deviation over draws, and what patches say."""
    randoms, found = points(1_200, 1), []
    for seed in range(n_draws):
        found.append(
            angular_correlation(
                points(400, 100 + seed),
                randoms,
                edges_arcmin=np.geomspace(30, 240, 4),
                covariance=covariance,
                patches=6,
            )
        )
    return np.std([c.w for c in found], axis=0, ddof=1), np.array([c.error for c in found])


def test_jackknife_error_of_a_catalogue_is_the_scatter():
    scatter, errors = scatter_and_errors("jackknife", 14)
    # one bin of 14 draws scatters by 20 per cent, the mean of three by about 11
    assert np.mean(np.sqrt(np.mean(errors**2, axis=0)) / scatter) == pytest.approx(1.0, abs=0.3)


def test_bootstrap_agrees_with_the_jackknife():
    galaxies, randoms, edges = points(600, 0), points(1_800, 1), np.geomspace(30, 240, 4)
    common = {"edges_arcmin": edges, "patches": 10}
    one, two, again = (
        angular_correlation(galaxies, randoms, covariance=c, **common) for c in ("jackknife", "bootstrap", "bootstrap")
    )
    np.testing.assert_array_equal(two.cov, again.cov)  # the seed fixes the draws
    # both have the scatter of 10 patches
    np.testing.assert_allclose(two.error / one.error, 1.0, atol=0.35)
    assert two.metadata["covariance"] == "bootstrap"


def test_patches_may_come_from_elsewhere():
    """Numbers from shared centres are what the function makes itself."""
    galaxies, randoms = points(400, 0), points(1_200, 1)
    common = {"edges_arcmin": np.geomspace(30, 240, 4)}
    centres = patch_centres(randoms, 6, seed=5)
    numbers = patch_numbers(galaxies, centres), patch_numbers(randoms, centres)
    made = angular_correlation(galaxies, randoms, patches=6, seed=5, **common)
    given = angular_correlation(galaxies, randoms, patches=numbers, **common)
    np.testing.assert_array_equal(given.cov, made.cov)
    rr = random_pairs(randoms, patches=numbers[1], **common)
    kept = angular_correlation(galaxies, randoms, patches=numbers, rr=rr, **common)
    np.testing.assert_array_equal(kept.cov, made.cov)


def test_pixels_make_their_own_patches(sky):
    w = pixel_correlation(sky.values[0], sky.pixels, 16, edges_arcmin=EDGES, covariance="jackknife", patches=12)
    ra, dec = hp.pix2ang(16, sky.pixels, lonlat=True)
    numbers = patch_numbers((ra, dec), patch_centres((ra, dec), 12))
    same = pixel_correlation(sky.values[0], sky.pixels, 16, edges_arcmin=EDGES, patches=numbers)
    np.testing.assert_allclose(same.cov, w.cov, rtol=1e-10)
    assert w.metadata["n_patches"] == 12
    assert np.all(w.error > 0)


def test_harmonic_engine_on_clustered_galaxies():
    """Beyond ten pixels, in bins of several pixels: within a tenth of the scatter between fields."""
    clustered = ClusteredSky(nside=32, rms=0.4, nbar=50.0)
    edges = np.linspace(10, 40, 4) * 60 * np.degrees(hp.nside2resol(32))
    curves = []
    for seed in range(8):
        field = clustered.field(seed)
        common = {"edges_arcmin": edges, "weights": field.expected}
        curves.append(
            [pixel_correlation(field.delta, field.pixels, 32, engine=e, **common) for e in ("treecorr", "harmonic")]
        )
    counted, harmonic = (np.array([c[i].w for c in curves]) for i in (0, 1))
    scatter = counted.std(0, ddof=1)
    assert np.sqrt(np.mean((harmonic - counted) ** 2, axis=0) / scatter**2).max() < 0.1
    one, other = curves[0]
    np.testing.assert_allclose(other.pairs, one.pairs, rtol=0.01)
    np.testing.assert_allclose(other.theta_mean, one.theta_mean, rtol=0.005)
    assert (other.metadata["engine"], other.cov) == ("harmonic", None)


def test_harmonic_engine_flags_bins_without_pairs(sky):
    w = pixel_correlation(sky.values[0], sky.pixels, 16, edges_arcmin=np.geomspace(1, 1000, 3), engine="harmonic")
    assert np.isfinite(w.w).tolist() == np.isfinite(w.theta_mean).tolist() == [False, True]
    assert w.pairs[0] == 0


def test_corrfunc_agrees_with_treecorr():
    pytest.importorskip("Corrfunc", reason="the extra sysmap-core[corrfunc] is not installed")
    galaxies, randoms, rng = points(5_000, 0), points(20_000, 1), np.random.default_rng(2)
    weights = {"galaxy_weights": rng.uniform(0.5, 1.5, 5_000), "random_weights": rng.uniform(0.5, 1.5, 20_000)}
    for given in ({}, weights):
        common = {"edges_arcmin": np.geomspace(1, 100, 8)} | given
        exact = angular_correlation(galaxies, randoms, bin_slop=0, **common)
        other = angular_correlation(galaxies, randoms, engine="corrfunc", **common)
        np.testing.assert_allclose((other.w - exact.w) / exact.poisson_error, 0.0, atol=1e-3)
        np.testing.assert_array_equal(other.pairs, exact.pairs)


@pytest.fixture(scope="module")
def dr7(real_data):
    """SDSS DR7 galaxies, and points drawn evenly in the cells of their footprint."""
    table = fits.getdata(real_data / "sdss_dr7_vollim_DATA.fits.gz", 1)
    cells = np.loadtxt(real_data / "sdss_dr7_footprint_cells.dat.gz")
    rng = np.random.default_rng(0)
    area = np.diff(np.sin(np.radians(np.stack([cells[:, 1], cells[:, 1] + 1]))), axis=0)[0]
    cell = cells[rng.choice(len(cells), 60_000, p=area / area.sum())]
    low, high = np.sin(np.radians(cell[:, 1])), np.sin(np.radians(cell[:, 1] + 1))
    randoms = cell[:, 0] + rng.random(60_000), np.degrees(np.arcsin(rng.uniform(low, high)))
    inside = set(map(tuple, cells.astype(int)))
    ra, dec = table["RA"].astype(float), table["DEC"].astype(float)
    keep = np.array([c in inside for c in zip(np.floor(ra).astype(int), np.floor(dec).astype(int), strict=True)])
    assert keep.mean() > 0.95
    some = rng.choice(np.flatnonzero(keep), 20_000, replace=False)
    return (ra[some], dec[some]), randoms


def test_real_galaxies_cluster_and_engines_agree(dr7):
    """SDSS DR7: TreeCorr at its tolerance against exact counts, within a tenth of the error."""
    edges = np.geomspace(6, 240, 8)
    measured = angular_correlation(*dr7, edges_arcmin=edges, covariance="jackknife", patches=25)
    exact = angular_correlation(*dr7, edges_arcmin=edges, bin_slop=0)
    assert np.all(np.abs(measured.w - exact.w) < 0.1 * measured.error)
    assert np.all(np.diff(measured.w[:5]) < 0)
    assert measured.w[0] > 10 * measured.error[0]
    if importlib.util.find_spec("Corrfunc"):
        other = angular_correlation(*dr7, edges_arcmin=edges, engine="corrfunc")
        assert np.all(np.abs(other.w - measured.w) < 0.1 * measured.error)
        np.testing.assert_allclose(other.w, exact.w, atol=1e-3 * exact.poisson_error.min())


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"edges_arcmin": np.array([1.0, 2.0, 5.0])}, DataError, "even neither in theta nor in ln theta"),
        ({"bin_slop": 0.5}, DataError, "bin_slop is 0.5: take 0.05 or less"),
        ({"weights": np.ones(3)}, DataError, r"weights has shape \(3,\) and delta"),
        ({"weights": -np.ones(1)}, DataError, "1 of 1 pixels have a negative weight or none"),
        ({"delta": np.array([np.nan])}, DataError, "delta has 1 of 1 values that are not finite"),
        (
            {"pixels": np.array([9999])},
            DataError,
            "1 pixels are repeated or outside 0 to 3071: give RING indices of nside 16, each",
        ),
        ({"pixels": np.array([1.0])}, DataError, "type float64: give HEALPix indices, RING"),
        ({"pixels": np.array([1, 1]), "delta": np.ones(2)}, DataError, "1 pixels are repeated or outside"),
        ({"patches": np.zeros(3, int)}, DataError, r"patches has shape \(3,\)"),
        ({"patches": np.zeros(1, int)}, DataError, "there is one patch only"),
        ({"patches": 2}, DataError, "n_patches is 2 for 1 positions"),
        ({"engine": "corrfunc"}, ParameterError, "unknown engine 'corrfunc': .*known: treecorr, harmonic"),
        ({"covariance": "jackkife"}, ParameterError, "unknown covariance 'jackkife': did you mean 'jackknife'"),
        ({"covariance": "none", "patches": 3}, ParameterError, "covariance is 'none' and patches came"),
        ({"covariance": "jackknife", "engine": "harmonic"}, ParameterError, "engine 'harmonic': it has none"),
        ({"nside": 17}, ParameterError, "nside is 17"),
    ],
)
def test_bad_maps(arguments, error, message):
    one = {"delta": np.zeros(1), "pixels": np.array([7]), "nside": 16, "edges_arcmin": EDGES}
    with pytest.raises(error, match=message):
        pixel_correlation(**(one | arguments))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"galaxies": points(600, 0)}, DataError, "500 randoms for 600 galaxies"),
        ({"galaxy_weights": np.ones(3)}, DataError, "galaxies have 100 RA, 100 Dec and 3 weights"),
        ({"random_weights": np.ones(3)}, DataError, "randoms have 500 RA, 500 Dec and 3 weights"),
        ({"random_weights": -np.ones(500)}, DataError, "500 of 500 randoms have a negative weight or none"),
        ({"galaxy_weights": np.full(100, np.nan)}, DataError, "100 of 100 galaxies have a negative weight or none"),
        ({"galaxies": (np.ones(2), np.array([91.0, 0.0]))}, DataError, r"1 of 2 galaxies have .*\|Dec\| > 90"),
        ({"edges_arcmin": np.array([5.0, 2.0])}, DataError, "edges_arcmin does not increase"),
        ({"engine": "harmonic"}, ParameterError, "unknown engine 'harmonic': .*known: treecorr, corrfunc"),
        ({"engine": "corrfunc", "patches": 5}, ParameterError, "engine 'corrfunc': it knows no patches"),
        (
            {"patches": (np.zeros(100, int), np.zeros(3, int))},
            DataError,
            "patches hold 100 and 3 values for 100 galaxies",
        ),
        ({"patches": 60}, DataError, "patch .* of 60 holds no galaxies"),
    ],
)
def test_bad_catalogues(arguments, error, message):
    good = {"galaxies": points(100, 0), "randoms": points(500, 1), "edges_arcmin": np.geomspace(20, 200, 3)}
    with pytest.raises(error, match=message):
        angular_correlation(**(good | arguments))


def test_random_pairs_of_something_else():
    galaxies, randoms, edges = points(100, 0), points(500, 1), np.geomspace(20, 200, 3)
    others = [
        random_pairs(points(500, 2), edges_arcmin=edges),
        random_pairs(randoms, edges_arcmin=2 * edges),
        random_pairs(randoms, edges_arcmin=edges, bin_slop=0.0),
        random_pairs(randoms, edges_arcmin=edges, patches=np.arange(500) % 4),
    ]
    for other in others:
        with pytest.raises(DataError, match="rr was counted from other randoms, weights, bins, patches"):
            angular_correlation(galaxies, randoms, edges_arcmin=edges, rr=other)
