import healpy as hp
import numpy as np
import pytest
from skies import ClusteredSky

from sysmap_core.covariance import combined_covariance, linear_covariance, ratio_null_weights, spatial_patches
from sysmap_core.errors import DataError
from sysmap_core.posterior import fit_model
from sysmap_core.regression import least_squares
from sysmap_core.sky import Field

N_MOCKS = 400


@pytest.fixture(scope="module")
def sky():
    return ClusteredSky(nside=16, rms=0.3, nbar=40.0)


@pytest.fixture(scope="module")
def mocks(sky):
    """Amplitudes of clean mocks: least squares a; combined a, b and likelihood ratio."""
    rows = []
    for seed in range(N_MOCKS):
        field = sky.field(seed)
        fits = [
            fit_model(field.delta, sky.templates, model, expected=field.expected, draws=16)
            for model in ("additive", "combined")
        ]
        ratio = 2 * (fits[1].maximum.lnl - fits[0].maximum.lnl)
        rows.append([*least_squares(field, sky.templates), *fits[1].maximum.a, *fits[1].maximum.b, ratio])
    return np.array(rows)


def assert_is_scatter(errors, sample, systematic):
    """Errors equal the scatter of mocks, within that of the scatter itself (bootstrap) and a model error."""
    rng = np.random.default_rng(0)
    resampled = [sample[rng.integers(len(sample), size=len(sample))].std(0) for _ in range(200)]
    ratio = errors / sample.std(0)
    allowed = systematic + 3 * np.std(resampled, axis=0) / sample.std(0)
    assert np.all(np.abs(ratio - 1) < allowed), (ratio, allowed)
    assert allowed.max() < systematic + 0.2


def test_linear_errors_are_the_scatter_of_clustered_mocks(sky, mocks):
    calibrated = linear_covariance(sky.field(0), sky.templates, sky.spectrum)
    assert_is_scatter(np.sqrt(np.diag(calibrated.cov)), mocks[:, :3], 0.02)


def test_errors_of_independent_pixels_are_too_small(sky, mocks):
    field = sky.field(0)
    calibrated = linear_covariance(field, sky.templates, sky.spectrum)
    iid = field.delta.std() * np.sqrt(np.diag(np.linalg.inv(calibrated.fisher)))
    assert np.all(mocks[:, 1:3].std(0) / iid[1:] > 1.5)


def test_combined_errors_are_the_scatter_of_clustered_mocks(sky, mocks):
    calibrated = combined_covariance(sky.field(0), sky.templates, sky.spectrum, np.zeros(3), np.zeros(3), 0.3)
    assert_is_scatter(np.sqrt(np.diag(calibrated.cov))[:6], mocks[:, 3:9], 0.1)


def test_null_of_the_likelihood_ratio(sky, mocks):
    """Weighted chi2 against mocks: no smaller than theirs, and far from Wilks."""
    calibrated = combined_covariance(sky.field(0), sky.templates, sky.spectrum, np.zeros(3), np.zeros(3), 0.3)
    weights = ratio_null_weights(calibrated, 3)
    ratios = mocks[:, 9]
    error = ratios.std() / np.sqrt(N_MOCKS)
    assert ratios.mean() - 3 * error < weights.sum() < 1.4 * ratios.mean() + 3 * error
    assert ratios.mean() > 2 * 3
    draws = np.random.default_rng(0).chisquare(1, (100_000, 3)) @ weights
    size = np.mean(ratios > np.quantile(draws, 0.95))
    assert size < 0.05 + 3 * np.sqrt(0.05 * 0.95 / N_MOCKS)


def test_dense_sum_over_pairs(sky):
    """The harmonic sums equal the pixel covariance matrix, written out."""
    field = sky.field(0)
    vectors = np.array(hp.pix2vec(16, sky.pixels))
    factors = (2 * np.arange(48) + 1) / (4 * np.pi) * sky.spectrum
    matrix = np.polynomial.legendre.legval(np.clip(vectors.T @ vectors, -1, 1), factors)
    matrix += np.diag(1 / field.expected)
    values = sky.templates.values
    inverse = np.linalg.inv(values @ values.T)
    dense = inverse @ values @ matrix @ values.T @ inverse
    np.testing.assert_allclose(linear_covariance(field, sky.templates, sky.spectrum).cov, dense, rtol=1e-7, atol=1e-12)


def test_without_clustering_the_errors_are_those_of_poisson_counts(sky):
    """A field of independent Poisson pixels: the sandwich and the Fisher matrix agree."""
    field = sky.field(0)
    flat = Field(field.delta, np.full(field.n_pix, 40.0), field.pixels, 16)
    calibrated = linear_covariance(flat, sky.templates, np.zeros(48))
    np.testing.assert_allclose(calibrated.cov, np.linalg.inv(calibrated.fisher) / 40.0, rtol=1e-10)


def test_contamination_enters_the_shot_noise(sky):
    field = sky.field(0)
    more = linear_covariance(field, sky.templates, np.zeros(48), np.array([0.2, 0.0, 0.0])).cov
    t = sky.templates.values
    inverse = np.linalg.inv(t @ t.T)
    wanted = inverse @ ((t * (1 + 0.2 * t[0]) / field.expected) @ t.T) @ inverse
    np.testing.assert_allclose(more, wanted, rtol=1e-8)


def test_patches_are_compact_and_equal(sky):
    patches = spatial_patches(sky.pixels, 16, 20)
    sizes = np.bincount(patches)
    assert len(sizes) == 20
    assert sizes.max() - sizes.min() <= 1
    vectors = np.array(hp.pix2vec(16, sky.pixels))
    centres = [vectors[:, patches == i].mean(1) for i in range(20)]
    # a compact patch of 1/20 of the footprint has its centre of mass near the sphere
    assert np.median(np.linalg.norm(centres, axis=1)) > 0.9


def test_too_many_patches():
    with pytest.raises(DataError, match="5 pixels cannot make 20 patches"):
        spatial_patches(np.arange(5), 16, 20)
