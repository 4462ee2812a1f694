from dataclasses import replace

import healpy as hp
import numpy as np
import pytest
from skies import ClusteredSky, one_pixel_moments

from sysmap_core.covariance.estimated_spectrum import SpectrumEstimate
from sysmap_core.covariance.sandwich import (
    combined_covariance,
    linear_covariance,
    linear_covariance_draws,
    ratio_null_weights,
    sum_covariance,
)
from sysmap_core.harmonic.spectra import correlation_from_spectrum, spectrum_from_correlation, variance
from sysmap_core.inference.posterior import fit_model
from sysmap_core.methods.linear import least_squares
from sysmap_core.mocks.lognormal import PixelField
from sysmap_core.mocks.realisations import clustered_counts
from sysmap_core.sky.field import Field
from sysmap_core.sky.footprints import Footprint

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


def dense_linear_covariance(field, templates, spectrum, a, b):
    """The sandwich with the pixel covariance matrix written out, for data divided by the mean density of the survey."""
    vectors = np.array(hp.pix2vec(16, field.pixels))
    factors = (2 * np.arange(48) + 1) / (4 * np.pi) * spectrum
    matrix = np.polynomial.legendre.legval(np.clip(vectors.T @ vectors, -1, 1), factors)
    values = templates.values
    density, efficiency = 1 + a @ values, 1 + b @ values
    matrix = matrix * np.outer(efficiency, efficiency) + np.diag(density / field.expected)
    relative = np.eye(field.n_pix) - np.outer(density, field.expected / field.expected.sum())
    estimator = np.linalg.solve(values @ values.T, values) @ relative
    return estimator @ matrix @ estimator.T


@pytest.mark.parametrize("b", [np.zeros(3), np.array([0.0, 0.2, 0.1])])
@pytest.mark.parametrize("a", [np.zeros(3), np.array([0.1, 0.0, -0.1])])
def test_dense_sum_over_pairs(sky, a, b):
    field = sky.field(0)
    field = Field(field.delta, field.expected * np.exp(0.4 * sky.templates.values[1]), Footprint(field.pixels, 16))
    for scale in (1.0, 0.5):  # the same pattern of coverage again
        field = Field(field.delta, scale * field.expected, Footprint(field.pixels, 16))
        found = linear_covariance(field, sky.templates, sky.spectrum, a, b).cov
        dense = dense_linear_covariance(field, sky.templates, sky.spectrum, a, b)
        np.testing.assert_allclose(found, dense, rtol=1e-7, atol=1e-12)


def test_many_spectra_at_once(sky):
    field, a, b = sky.field(0), np.array([0.1, 0.0, -0.1]), np.array([0.0, 0.2, 0.1])
    spectra = np.array([sky.spectrum, 2.0 * sky.spectrum])
    found = linear_covariance_draws(field, sky.templates, spectra, a, b)
    wanted = [dense_linear_covariance(field, sky.templates, cl, a, b) for cl in spectra]
    np.testing.assert_allclose(found, wanted, rtol=1e-7, atol=1e-12)


def test_templates_do_not_change_below_what_is_remembered(sky):
    field, values = sky.field(0), sky.templates.values.copy()
    templates = replace(sky.templates, values=values)
    before = linear_covariance(field, templates, sky.spectrum).cov
    values[:] = values[::-1].copy()
    np.testing.assert_array_equal(linear_covariance(field, templates, sky.spectrum).cov, before)
    with pytest.raises(ValueError, match="read-only"):
        templates.values[0] = 0.0
    turned = linear_covariance(field, replace(templates, values=values), sky.spectrum).cov
    np.testing.assert_allclose(turned, before[::-1, ::-1], rtol=1e-9)


def test_independent_pixels_without_a_spectrum(sky):
    field = sky.field(0)
    linear = linear_covariance(field, sky.templates, None)
    np.testing.assert_allclose(linear.cov @ linear.fisher, np.eye(3), atol=1e-10)
    both = combined_covariance(field, sky.templates, None, np.zeros(3), np.zeros(3), 0.3)
    np.testing.assert_allclose(both.cov @ both.fisher, np.eye(7), atol=1e-8)


@pytest.mark.parametrize("rho", [0.0, 0.05])
def test_dense_sum_with_contamination_and_uneven_coverage(rho):
    """Every term of the score covariance, written out over pairs of pixels."""
    sky = ClusteredSky(nside=8, rms=0.4, nbar=30.0)
    t, field = sky.templates.values, sky.field(0)
    nbar = 30.0 * np.exp(0.4 * t[1])
    field = Field(field.delta, nbar, Footprint(field.pixels, 8), coverage_noise=rho)
    a, b = np.array([0.1, -0.05, 0.02]), np.array([-0.1, 0.08, 0.05])
    density, q, sigma2, lmax = 1 + a @ t, 1 + b @ t, variance(sky.spectrum), 23
    sigma = np.sqrt(sigma2)

    def kernel(function):
        cl = spectrum_from_correlation(function(correlation_from_spectrum(sky.spectrum)), lmax)
        vectors = np.array(hp.pix2vec(8, sky.pixels))
        factors = (2 * np.arange(lmax + 1) + 1) / (4 * np.pi) * cl
        return np.polynomial.legendre.legval(np.clip(vectors.T @ vectors, -1, 1), factors)

    s = 1 + sigma2
    xi = kernel(lambda x: x)
    c12 = kernel(lambda x: s * (1 + x) ** 2 - 2 * (1 + x) + 2 - s)
    c22 = kernel(lambda x: s**2 * (1 + x) ** 4 - 4 * s * (1 + x) ** 2 + 2 * s + 4 * (1 + x) - 3 - (s - 1) ** 2)
    noise_slope = 1 / nbar + 2 * density * rho
    nu, r = noise_slope / q, 1 + rho
    k11 = np.outer(q, q) * xi
    k12 = np.outer(q, q**2) * (r * c12 + nu * xi)
    k22 = np.outer(q**2, q**2) * (r**2 * c22 + r * (nu[:, None] + nu) * c12 + np.outer(nu, nu) * xi)
    second, third, fourth = one_pixel_moments(sigma2, q, density, nbar, rho)
    for matrix, diagonal in ((k11, second), (k12, third), (k22, fourth - second**2)):
        np.fill_diagonal(matrix, diagonal)
    v = (sigma * q) ** 2 * r + density / nbar + density**2 * rho
    mean = np.vstack([t, 0 * t, 0 * q])
    slope = np.vstack([t * noise_slope, 2 * sigma**2 * q * r * t, 2 * sigma * q**2 * r])
    u, w = mean / v, slope / (2 * v**2)
    moments = np.block([[k11, k12], [k12.T, k22]])
    # counts over the mean density of the survey: both moments follow its fluctuation
    share, n = nbar / nbar.sum(), len(nbar)
    to_survey = np.eye(2 * n)
    to_survey[:n, :n] -= np.outer(density, share)
    to_survey[n:, :n] -= np.outer(2 * v - density / nbar, share)
    weights = np.hstack([u, w]) @ to_survey
    scores = weights @ moments @ weights.T
    inverse = np.linalg.inv((mean / v) @ mean.T + (slope / (2 * v**2)) @ slope.T)
    calibrated = combined_covariance(field, sky.templates, sky.spectrum, a, b, 0.37)
    dense = inverse @ scores @ inverse
    np.testing.assert_allclose(calibrated.cov, dense, rtol=1e-6, atol=1e-7 * np.abs(dense).max())


def test_without_clustering_the_errors_are_those_of_poisson_counts(sky):
    """A field of independent Poisson pixels: the sandwich and the Fisher matrix agree."""
    field = sky.field(0)
    flat = Field(field.delta, np.full(field.n_pix, 40.0), Footprint(field.pixels, 16))
    calibrated = linear_covariance(flat, sky.templates, np.zeros(48))
    np.testing.assert_allclose(calibrated.cov, np.linalg.inv(calibrated.fisher) / 40.0, rtol=1e-10)


def test_contamination_enters_the_shot_noise(sky):
    field = sky.field(0)
    more = linear_covariance(field, sky.templates, np.zeros(48), np.array([0.2, 0.0, 0.0])).cov
    t, density = sky.templates.values, 1 + 0.2 * sky.templates.values[0]
    inverse = np.linalg.inv(t @ t.T)
    relative = t - np.outer(t @ density, field.expected / field.expected.sum())
    wanted = inverse @ ((relative * density / field.expected) @ relative.T) @ inverse
    np.testing.assert_allclose(more, wanted, rtol=1e-8)


def test_amplitudes_follow_the_mean_density_of_the_survey(sky):
    """Where a and b differ, a is taken relative to a mean that clustering moves."""
    a, b = np.array([0.4, 0.0, 0.0]), np.array([-0.4, 0.0, 0.0])
    fits = np.array([least_squares(sky.field(i, a, b), sky.templates) for i in range(N_MOCKS)])
    found = np.sqrt(np.diag(linear_covariance(sky.field(0), sky.templates, sky.spectrum, a, b).cov))
    alone = np.sqrt(np.diag(linear_covariance(sky.field(0), sky.templates, sky.spectrum, a).cov))
    assert_is_scatter(found, fits, 0.05)
    assert alone[0] < 0.8 * np.std(fits, 0)[0]


def test_errors_know_the_variance_that_a_spectrum_does_not_resolve(sky):
    """Both fits, and sums, on fields whose pixels share only a part of their variance."""
    estimate = replace(SpectrumEstimate.known(0.5 * sky.spectrum, 16), beyond=0.06)
    empty, clustering = sky.field(0), PixelField.of(estimate)
    rows = []
    for seed in range(300):
        field = clustered_counts(empty, clustering, np.random.default_rng([9, seed]))
        combined = fit_model(field, sky.templates, "combined", draws=16).maximum
        rows.append([*least_squares(field, sky.templates), *combined.b, *(sky.templates.values @ field.delta)])
    rows = np.array(rows)
    none = np.zeros(3)
    linear = linear_covariance(empty, sky.templates, estimate).cov
    draws = linear_covariance_draws(empty, sky.templates, estimate.cl[None], unresolved=estimate.unresolved)
    np.testing.assert_allclose(draws[0], linear)
    both = combined_covariance(empty, sky.templates, estimate, none, none, 0.3).cov
    sums = sum_covariance(sky.templates.values, empty, estimate)
    errors = np.sqrt(np.concatenate([np.diag(linear), np.diag(both)[3:6], np.diag(sums)]))
    assert_is_scatter(errors, rows, 0.05)
    assert linear_covariance(empty, sky.templates, estimate.cl).cov[0, 0] < 0.7 * linear[0, 0]


def test_variance_that_is_not_shared_is_scaled_by_the_efficiency(sky):
    """Without any power in the spectrum, errors are those of noise and unresolved variance alone."""
    field, values = sky.field(0), sky.templates.values
    alone = replace(SpectrumEstimate.known(np.zeros(48), 16), beyond=0.06)
    b = np.array([0.1, -0.05, 0.05])
    inverse = np.linalg.inv(values @ values.T)
    local = field.noise.variance() + 0.06 * (1.0 + b @ values) ** 2
    wanted = inverse @ (values * local) @ values.T @ inverse
    np.testing.assert_allclose(linear_covariance(field, sky.templates, alone, b=b).cov, wanted, rtol=1e-6)
