from dataclasses import replace
from functools import partial

import healpy as hp
import numpy as np
import pytest
from skies import AveragedSky, ClusteredSky, one_pixel_moments

from sysmap_core.covariance.sandwich import linear_covariance
from sysmap_core.errors import DataError, ParameterError
from sysmap_core.harmonic import pixel_covariance, transforms
from sysmap_core.harmonic.spectra import correlation_from_spectrum, spectrum_from_correlation, variance
from sysmap_core.methods import gls
from sysmap_core.methods.decontamination import decontaminate
from sysmap_core.methods.gls import generalised_least_squares, two_moment_fit
from sysmap_core.methods.linear import least_squares
from sysmap_core.sky.field import Field
from sysmap_core.sky.footprints import Footprint

A, B = np.array([0.08, -0.05, 0.03]), np.array([0.06, 0.05, -0.06])


@pytest.fixture(scope="module")
def sky():
    return ClusteredSky(nside=16, rms=0.4, nbar=40.0)


@pytest.fixture(scope="module")
def uneven():
    """A contaminated field whose expected counts vary by a factor of a few."""
    sky = ClusteredSky(nside=8, rms=0.4, nbar=30.0)
    field = sky.field(0, A, B)
    return sky, Field(field.delta, 30.0 * np.exp(0.4 * sky.templates.values[1]), Footprint(field.pixels, 8))


def pixel_matrix(cl, pixels, nside):
    """Correlation function of a spectrum between all pairs of pixels."""
    vectors = np.array(hp.pix2vec(nside, pixels))
    factors = (2 * np.arange(len(cl)) + 1) / (4 * np.pi) * cl
    return np.polynomial.legendre.legval(np.clip(vectors.T @ vectors, -1, 1), factors)


def dense_linear(field, templates, spectrum, density):
    """Generalised least squares with the matrix written out, and a free constant."""
    matrix = pixel_matrix(spectrum, field.pixels, field.nside) + np.diag(density / field.expected)
    basis = np.vstack([templates.values, np.ones(field.n_pix)])
    weights = np.linalg.solve(matrix, basis.T)
    cov = np.linalg.inv(basis @ weights)
    return (cov @ (weights.T @ field.delta))[:-1], cov[:-1, :-1]


def assert_same_fit(amplitudes, cov, wanted, wanted_cov, accuracy=1e-6):
    """Amplitudes in units of their errors, and covariances as correlations."""
    errors = np.sqrt(np.diag(wanted_cov))
    np.testing.assert_allclose((amplitudes - wanted) / errors, 0.0, atol=accuracy)
    np.testing.assert_allclose((cov - wanted_cov) / np.outer(errors, errors), 0.0, atol=accuracy)


def test_products_are_those_of_the_pixel_matrix(sky):
    sums = transforms.Transforms(Footprint(sky.pixels, 16), 47)
    values = np.random.default_rng(0).standard_normal((3, sky.pixels.size))
    product = sums.synthesise(sky.spectrum[sums.ell] * sums.analyse(values))
    np.testing.assert_allclose(product, values @ pixel_matrix(sky.spectrum, sky.pixels, 16), atol=1e-10)


@pytest.mark.parametrize("a", [np.zeros(3), A])
def test_generalised_least_squares_is_dense_algebra(sky, a):
    field = sky.field(0, A)
    field = Field(field.delta, field.expected * np.exp(0.4 * sky.templates.values[1]), Footprint(field.pixels, 16))
    fit = generalised_least_squares(field, sky.templates, sky.spectrum, a=a, tolerance=1e-8)
    assert fit.diagnostics["converged"]
    density = 1 + a @ sky.templates.values
    assert_same_fit(fit.a, fit.cov, *dense_linear(field, sky.templates, sky.spectrum, density))


def test_power_beyond_three_nside_is_in_the_matrix(sky):
    field = sky.field(0)
    longer = np.append(sky.spectrum, np.linspace(0.5, 0.3, 16) * sky.spectrum[-1])
    fit = generalised_least_squares(field, sky.templates, longer, a=np.zeros(3), beyond=0.02, tolerance=1e-8)
    density = 1 + 0.02 * field.expected
    assert_same_fit(fit.a, fit.cov, *dense_linear(field, sky.templates, longer, density))


@pytest.mark.parametrize("method", ["GLS", "GLS-comb"])
def test_errors_are_true_for_averages_over_pixels(method):
    """40 clean fields with power beyond 3 nside, 3 amplitudes a: the mean square of a pull is known to 13 %.

    Without that power it is 3.6 and 10.6, as there is hardly any shot noise.
    """
    sky, squares = AveragedSky(nside=16, nbar=1e4), []
    for seed in range(40):
        fit = decontaminate(sky.field(seed), sky.templates, method)
        squares.append(fit.a**2 / np.diag(fit.cov_a))
    assert np.mean(squares) == pytest.approx(1.0, abs=3 * 0.13)


def test_first_pass_finds_the_density(uneven):
    sky, field = uneven
    fit = generalised_least_squares(field, sky.templates, sky.spectrum)
    again = generalised_least_squares(field, sky.templates, sky.spectrum, a=fit.a)
    assert_same_fit(fit.a, fit.cov, again.a, again.cov, 0.02)


def kernel_matrices(spectrum, beyond, field, density, q):
    """C of (e, e^2 - V), pair by pair: kernels of a lognormal field, moments of single pixels."""
    lmax, sigma2 = len(spectrum) - 1, variance(spectrum) + beyond

    def kernel(function):
        cl = spectrum_from_correlation(function(1 + correlation_from_spectrum(spectrum)), lmax)
        return pixel_matrix(cl, field.pixels, field.nside)

    s = 1 + sigma2
    xi = kernel(lambda x: x - 1)
    c12 = kernel(lambda x: s * x**2 - 2 * x + 2 - s)
    c22 = kernel(lambda x: s**2 * x**4 - 4 * s * x**2 + 2 * s + 4 * x - 3 - (s - 1) ** 2)
    rho = field.coverage_noise
    nu, r = (1 / field.expected + 2 * density * rho) / q, 1 + rho
    k11 = np.outer(q, q) * xi
    k12 = np.outer(q, q**2) * (r * c12 + nu * xi)
    k22 = np.outer(q**2, q**2) * (r**2 * c22 + r * (nu[:, None] + nu) * c12 + np.outer(nu, nu) * xi)
    second, third, fourth = one_pixel_moments(sigma2, q, density, field.expected, rho)
    for matrix, diagonal in ((k11, second), (k12, third), (k22, fourth - second**2)):
        np.fill_diagonal(matrix, diagonal)
    # the power of the dipole for the monopole that the spectrum does not have
    mean = np.concatenate([q, q**2 * nu])
    assert spectrum[0] == 0
    return np.block([[k11, k12], [k12.T, k22]]) + spectrum[1] / (4 * np.pi) * np.outer(mean, mean)


def dense_moments(sky, field, iterations, spectrum, beyond=0.0):
    """Fisher scoring with the matrix written out; (a, b, mean, variance) and their covariance."""
    t, shot, n, rho = sky.templates.values, 1 / field.expected, sky.templates.n_sys, field.coverage_noise
    sigma2 = variance(spectrum) + beyond
    theta = np.concatenate([np.zeros(2 * n + 1), [sigma2]])
    for _ in range(iterations):
        q = 1 + theta[n : 2 * n] @ t
        additive = theta[:n] @ t + theta[-2]
        density = 1 + additive
        e = field.delta - additive
        z = np.concatenate([e, e**2 - theta[-1] * q**2 * (1 + rho) - density * shot - density**2 * rho])
        mean_slope = np.vstack([t, 0 * t, np.ones_like(q), 0 * q])
        variance_slope = mean_slope * (shot + 2 * density * rho)
        variance_slope[n : 2 * n] += 2 * theta[-1] * q * t * (1 + rho)
        variance_slope[-1] = q**2 * (1 + rho)
        response = np.hstack([mean_slope, variance_slope])
        weights = np.linalg.solve(kernel_matrices(spectrum, beyond, field, density, q), response.T)
        information = response @ weights
        # errors for the width of the spectrum, which this field has by chance a little more or less of
        response[n : 2 * n, field.n_pix :] *= sigma2 / theta[-1]
        inverse = np.linalg.inv(weights.T @ response.T)
        cov = inverse @ information @ inverse.T
        theta = theta + np.linalg.solve(information, weights.T @ z)
    return theta, cov


@pytest.mark.parametrize(("more", "beyond", "rho"), [(0, 0.0, 0.0), (8, 0.02, 0.0), (0, 0.0, 0.02)])
def test_two_moments_are_dense_algebra(uneven, more, beyond, rho):
    """Contaminated, unevenly covered, kernels at the fit: the root of the scoring steps; power beyond; few randoms."""
    sky, field = uneven
    field = replace(field, coverage_noise=rho)
    spectrum = np.append(sky.spectrum, np.linspace(0.5, 0.3, more) * sky.spectrum[-1])
    theta, cov = dense_moments(sky, field, 60, spectrum, beyond)
    fit = two_moment_fit(field, sky.templates, spectrum, beyond=beyond, tolerance=1e-9, steps=50)
    kept = [0, 1, 2, 3, 4, 5, 7]
    scale = np.array([1.0] * 6 + [0.5 / np.sqrt(variance(spectrum) + beyond)])
    assert fit.diagnostics["converged"]
    assert fit.diagnostics["clipped"] == 0
    assert_same_fit(
        np.concatenate([fit.a, fit.b, [fit.sigma**2]]) * scale,
        fit.cov,
        theta[kept] * scale,
        cov[np.ix_(kept, kept)] * np.outer(scale, scale),
    )


def test_loose_tolerance_costs_little(uneven):
    """Errors change as the square of the residual; the fit moves by far less than its errors."""
    sky, field = uneven
    loose = two_moment_fit(field, sky.templates, sky.spectrum, tolerance=1e-3)
    tight = two_moment_fit(field, sky.templates, sky.spectrum, tolerance=1e-8)
    errors = np.sqrt(np.diag(tight.cov))
    np.testing.assert_allclose(np.sqrt(np.diag(loose.cov)), errors, rtol=1e-3)
    moved = np.concatenate([loose.a - tight.a, loose.b - tight.b]) / errors[:6]
    assert np.abs(moved).max() < 0.02


def test_rounding_does_not_move_a_fit(uneven):
    """Block gradients amplify it; the default tolerance keeps what is left far below a printed digit."""
    sky, field = uneven
    rounded = replace(field, delta=field.delta * (1.0 + 1e-15 * np.random.default_rng(0).standard_normal(field.n_pix)))
    one, other = (two_moment_fit(f, sky.templates, sky.spectrum) for f in (field, rounded))
    moved = np.concatenate([one.a - other.a, one.b - other.b]) / np.sqrt(np.diag(one.cov))[:6]
    assert np.abs(moved).max() < 1e-3


def test_without_clustering_it_is_weighted_least_squares(uneven):
    sky, field = uneven
    fit = generalised_least_squares(field, sky.templates, np.zeros(24), a=A, tolerance=1e-9)
    basis = np.vstack([sky.templates.values, np.ones(field.n_pix)])
    weighted = basis * field.expected / (1 + A @ sky.templates.values)
    cov = np.linalg.inv(weighted @ basis.T)
    assert_same_fit(fit.a, fit.cov, (cov @ weighted @ field.delta)[:3], cov[:3, :3])


def test_a_of_a_weak_field_is_that_of_generalised_least_squares():
    """The square of a weak field says nothing about a (kernels at the clean field, as b is still uncertain)."""
    sky = ClusteredSky(nside=8, rms=0.002, nbar=1e7)
    field = sky.field(0)
    linear = generalised_least_squares(field, sky.templates, sky.spectrum)
    both = two_moment_fit(field, sky.templates, sky.spectrum, tolerance=1e-6, steps=1)
    assert_same_fit(both.a, both.cov[:3, :3], linear.a, linear.cov, 0.02)


def normalised_squares(fits, truth):
    """Squares of deviations over predicted variances, shape (n_mocks, n_theta)."""
    return np.array([(np.concatenate(x) - truth) ** 2 / np.diag(cov)[: len(truth)] for *x, cov in fits])


def test_mocks_scatter_as_generalised_least_squares_predicts(sky):
    """60 mocks, 3 amplitudes: the mean square is known to 11 %, ratios of scatters to 8 % or so."""
    fields = [sky.field(seed) for seed in range(60)]
    fits = [generalised_least_squares(field, sky.templates, sky.spectrum, tolerance=1e-4) for field in fields]
    squares = normalised_squares([(fit.a, fit.cov) for fit in fits], np.zeros(3))
    assert squares.mean() == pytest.approx(1.0, abs=3 * 0.11)
    ols = np.std([least_squares(field, sky.templates) for field in fields], axis=0)
    gain = ols / np.std([fit.a for fit in fits], axis=0)
    assert np.all(gain[1:] > 1.2)
    predicted = linear_covariance(fields[0], sky.templates, sky.spectrum).cov
    expected = np.sqrt(np.diag(predicted) / np.diag(fits[0].cov))
    np.testing.assert_allclose(gain, expected, rtol=0.25)


def test_mocks_scatter_as_two_moments_predict(sky):
    """25 mocks, 6 amplitudes: the mean square is known to 12 %, each mean to 1/5 of an error."""
    fits = [two_moment_fit(sky.field(seed, A, B), sky.templates, sky.spectrum) for seed in range(25)]
    assert all(fit.diagnostics["converged"] for fit in fits)
    squares = normalised_squares([(fit.a, fit.b, fit.cov) for fit in fits], np.concatenate([A, B]))
    assert squares.mean() == pytest.approx(1.0, abs=3 * 0.12)
    mean = np.mean([np.concatenate([fit.a, fit.b]) for fit in fits], axis=0)
    error = np.sqrt(np.mean([np.diag(fit.cov)[:6] for fit in fits], axis=0) / 25)
    assert np.all(np.abs(mean - np.concatenate([A, B])) < 4 * error)


FAMILIES = ("white_noise", "exp_quadratic", "power_neg1", "power_neg2")


@pytest.mark.slow
def test_gain_over_least_squares():
    """400 mocks: scatters are known to 3.5 %, their ratio to the least squares ones a little better."""
    sky = ClusteredSky(nside=32, rms=0.4, nbar=60.0, families=FAMILIES)
    fields = [sky.field(seed) for seed in range(400)]
    fits = [generalised_least_squares(field, sky.templates, sky.spectrum, tolerance=1e-4) for field in fields]
    scatter = np.std([fit.a for fit in fits], axis=0)
    errors = np.sqrt(np.diag(fits[0].cov))
    ols = np.std([least_squares(field, sky.templates) for field in fields], axis=0)
    predicted = np.sqrt(np.diag(linear_covariance(fields[0], sky.templates, sky.spectrum).cov)) / errors
    print("scatter / error", scatter / errors, "gain", ols / scatter, "predicted", predicted)
    np.testing.assert_allclose(scatter, errors, rtol=0.1)
    np.testing.assert_allclose(ols / scatter, predicted, rtol=0.1)
    assert np.all((ols / scatter)[2:] > 1.2)


@pytest.mark.slow
@pytest.mark.parametrize(("rms", "nbar"), [(0.57, 20.0), (0.4, 60.0)])
def test_two_moments_on_clean_mocks(rms, nbar):
    """200 mocks: a scatter is known to 5 %, more for a skewed field; the size of the test to 1.5 %."""
    sky = ClusteredSky(nside=32, rms=rms, nbar=nbar, families=FAMILIES)
    fits = [two_moment_fit(sky.field(seed), sky.templates, sky.spectrum) for seed in range(200)]
    scatter = np.std([np.concatenate([fit.a, fit.b]) for fit in fits], axis=0)
    ratio = scatter / np.sqrt(np.mean([np.diag(fit.cov)[:8] for fit in fits], axis=0))
    chi2 = np.array([fit.b @ np.linalg.solve(fit.cov[4:8, 4:8], fit.b) for fit in fits])
    size = np.mean(chi2 > 9.488)  # the 95th percentile with 4 degrees of freedom
    print("scatter / error", ratio, "size", size, "mean", chi2.mean())
    np.testing.assert_allclose(ratio, 1.0, atol=0.1 + 2 * 0.05)
    assert size == pytest.approx(0.05, abs=0.02 + 2 * 0.015)


@pytest.mark.slow
def test_two_moments_find_what_was_put_in():
    """200 mocks: means are known to 7 % of an error."""
    sky = ClusteredSky(nside=32, rms=0.57, nbar=20.0, families=FAMILIES)
    a, b = np.array([0.04, -0.03, 0.03, 0.0]), np.array([0.05, 0.04, 0.0, -0.05])
    fits = [two_moment_fit(sky.field(seed, a, b), sky.templates, sky.spectrum) for seed in range(200)]
    found, truth = np.array([np.concatenate([fit.a, fit.b]) for fit in fits]), np.concatenate([a, b])
    error = found.std(0) / np.sqrt(200)
    print("mean", found.mean(0), "+-", error)
    assert np.all(np.abs(found.mean(0) - truth) < 0.05 * np.abs(truth) + 2.5 * error)


def test_spectrum_without_a_lognormal_field():
    """A sharp cut contradicts a lognormal field: kernels are made positive, and it is said."""
    sky = ClusteredSky(nside=8, rms=0.4, nbar=300.0)
    cut = np.where(np.arange(24) < 12, sky.spectrum, 0.0)
    fit = two_moment_fit(sky.field(0), sky.templates, cut)
    assert fit.diagnostics["clipped"] > 0
    assert fit.diagnostics["converged"]
    assert np.linalg.eigvalsh(fit.cov).min() > 0


def test_efficiency_stays_above_its_floor(uneven, monkeypatch):
    sky, field = uneven
    monkeypatch.setattr(gls, "MIN_EFFICIENCY", 0.9)
    fit = two_moment_fit(field, sky.templates, sky.spectrum)
    assert fit.diagnostics["min_efficiency"] == pytest.approx(0.9, abs=1e-6)
    assert not fit.diagnostics["converged"]
    assert "floor: b is left out of the weights" in fit.diagnostics["status"]
    assert fit.diagnostics["on_floor"]


def test_a_fit_that_still_moves_is_reported(uneven, monkeypatch):
    sky, field = uneven
    assert two_moment_fit(field, sky.templates, sky.spectrum).diagnostics["status"] == "converged"
    monkeypatch.setattr(gls, "_MAX_MOVE", 1e-9)
    fit = two_moment_fit(field, sky.templates, sky.spectrum)
    assert not fit.diagnostics["converged"]
    assert "take more steps" in fit.diagnostics["status"]


def test_unfinished_gradients_are_reported(uneven, monkeypatch):
    """Errors are then those of the weights reached, no smaller than the best ones."""
    sky, field = uneven
    best = generalised_least_squares(field, sky.templates, sky.spectrum)
    monkeypatch.setattr(gls, "solve", partial(pixel_covariance.solve, max_steps=1))
    early = generalised_least_squares(field, sky.templates, sky.spectrum)
    assert best.diagnostics["status"] == "converged"
    assert not early.diagnostics["converged"]
    assert "stopped at a relative residual" in early.diagnostics["status"]
    assert np.all(np.diag(early.cov) > 0.9999 * np.diag(best.cov))


@pytest.mark.parametrize("fit", [generalised_least_squares, two_moment_fit])
def test_errors(uneven, fit):
    sky, field = uneven
    with pytest.raises(DataError, match=r"spectrum has shape \(12,\): give C_l from 0 to 3 nside - 1"):
        fit(field, sky.templates, sky.spectrum[:12])
    with pytest.raises(DataError, match="negative or not finite at 24 multipoles"):
        fit(field, sky.templates, -1 - sky.spectrum)
    with pytest.raises(ParameterError, match="tolerance is 0: give a number between 0 and 1"):
        fit(field, sky.templates, sky.spectrum, tolerance=0)
    other = Field(field.delta[1:], field.expected[1:], Footprint(field.pixels[1:], 8))
    with pytest.raises(DataError, match=r"standardise the templates on field\.pixels"):
        fit(other, sky.templates, sky.spectrum)


def test_errors_of_two_moments(uneven):
    sky, field = uneven
    with pytest.raises(ParameterError, match="steps is 0: give at least 1"):
        two_moment_fit(field, sky.templates, sky.spectrum, steps=0)
    with pytest.raises(DataError, match="spectrum is zero everywhere"):
        two_moment_fit(field, sky.templates, np.zeros(24))
