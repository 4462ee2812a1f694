from dataclasses import replace

import healpy as hp
import numpy as np
import pytest
from skies import ClusteredSky

from sysmap_core.correction.amplitude_products import posterior_products
from sysmap_core.correction.corrected import Amplitudes, corrected_correlation
from sysmap_core.correction.observed_covariance import observed_with_removed
from sysmap_core.correction.template_correlations import from_harmonics
from sysmap_core.covariance.sandwich import linear_covariance
from sysmap_core.errors import DataError, ParameterError
from sysmap_core.methods.decontamination import decontaminate
from sysmap_core.methods.linear import least_squares
from sysmap_core.sky.field import Field
from sysmap_core.sky.footprints import Footprint
from sysmap_core.templates.template_set import from_pixels
from sysmap_core.two_point.estimators import pixel_correlation
from sysmap_core.two_point.harmonic_pairs import bin_integrals

EDGES = np.geomspace(300.0, 1500.0, 6)

A, B = np.array([0.1, 0.05, 0.0]), np.array([0.2, 0.0, 0.1])

NONE = np.zeros((3, 3))


@pytest.fixture(scope="module")
def sky():
    return ClusteredSky(nside=16, rms=0.3, nbar=40.0)


@pytest.fixture(scope="module")
def xi(sky):
    return from_harmonics(sky.templates, edges_arcmin=EDGES)


@pytest.fixture(scope="module")
def cov():
    return 1e-3 * np.array([[2.0, 0.5, 0.1], [0.5, 1.0, -0.3], [0.1, -0.3, 1.5]])


def corrected_with(observed, xi, *, a, cov_a, b=None, cov_b=None, cov_ab=None, cov_a_draws=None, **how):
    return corrected_correlation(observed, xi, Amplitudes(a, cov_a, b, cov_b, cov_ab, cov_a_draws), **how)


def measure(sky, delta):
    return pixel_correlation(delta, sky.pixels, sky.nside, edges_arcmin=EDGES, engine="harmonic")


@pytest.fixture(scope="module")
def observed(sky):
    return measure(sky, sky.field(0, a=A).delta)


def test_known_amplitudes_take_all_contamination(sky, xi):
    """Contamination alone, with true amplitudes without error: nothing is left."""
    seen = measure(sky, A @ sky.templates.values)
    left = corrected_with(seen, xi, a=A, cov_a=NONE, b=B, cov_b=NONE)
    np.testing.assert_allclose(left.w, 0.0, atol=1e-12)
    np.testing.assert_allclose(left.removed, seen.w, atol=1e-12)
    np.testing.assert_array_equal(left.observed, seen.w)


def test_gain_of_the_multiplicative_part(observed, xi):
    corrected = corrected_with(observed, xi, a=0 * A, cov_a=NONE, b=B, cov_b=NONE)
    np.testing.assert_allclose(corrected.w * (1 + B @ xi.xi.transpose(2, 0, 1) @ B), observed.w)


def test_debiasing_gives_back_what_noise_takes(observed, xi, cov):
    corrected = corrected_with(observed, xi, a=0 * A, cov_a=cov)
    np.testing.assert_allclose(corrected.w - observed.w, xi.contract(cov), rtol=1e-9)
    biased = corrected_with(observed, xi, a=0 * A, cov_a=cov, debias=False)
    np.testing.assert_allclose(biased.w, observed.w)
    assert corrected.debiased
    assert "noise-debiased" in corrected.estimator
    assert not biased.debiased
    assert "noise-debiased" not in biased.estimator


def test_covariance_of_a_large_amplitude_is_linear(observed, xi):
    """Errors far below the amplitudes: the covariance is that of the derivative."""
    small = 1e-8 * np.array([[2.0, 0.5, 0.1], [0.5, 1.0, -0.3], [0.1, -0.3, 1.5]])
    found = corrected_with(observed, xi, a=A, cov_a=small, n_draws=4000)
    slope = 2 * np.einsum("i,ijk->kj", A, xi.xi)
    expected = slope @ small @ slope.T
    np.testing.assert_allclose(np.diag(found.cov_amplitudes), np.diag(expected), rtol=0.12)
    np.testing.assert_allclose(found.cov, found.cov_amplitudes)


def test_covariance_adds_that_of_the_observed_curve(observed, xi, cov):
    noisy = replace(observed, cov=1e-6 * (np.eye(5) + 0.5))
    with_both = corrected_with(noisy, xi, a=A, cov_a=cov, b=B, cov_b=NONE)
    gain = 1 + B @ xi.xi.transpose(2, 0, 1) @ B
    np.testing.assert_allclose(with_both.cov - with_both.cov_amplitudes, noisy.cov / np.outer(gain, gain), rtol=1e-9)
    np.testing.assert_array_equal(with_both.error, np.sqrt(np.diag(with_both.cov)))


def test_covariance_knows_that_a_and_b_are_correlated(observed, xi):
    """The noise of what is subtracted and of what is divided by goes together, or against each other."""
    # so bright that both parts change w about equally
    curve = replace(observed, w=np.ones(5))
    amplitude, small = np.array([0.3, 0.2, 0.1]), 1e-6 * np.eye(3)
    options = {"a": amplitude, "cov_a": small, "b": amplitude, "cov_b": small, "n_draws": 4000}
    alone, same, against = (
        np.diag(corrected_with(curve, xi, **options, cov_ab=sign * small).cov_amplitudes) for sign in (0, 1, -1)
    )
    np.testing.assert_allclose(0.5 * (same + against), alone, rtol=0.1)
    assert np.all(same > 1.7 * alone)
    assert np.all(against < 0.3 * alone)


def test_uncertain_errors_widen_the_covariance(observed, xi, cov):
    """Fits whose own errors are uncertain: draws of the covariance of a enter."""
    options = {"a": 0 * A, "cov_a": cov, "n_draws": 3000}
    sharp = corrected_with(observed, xi, **options)
    same = corrected_with(observed, xi, **options, cov_a_draws=cov[None])
    uncertain = corrected_with(observed, xi, **options, cov_a_draws=np.array([0.3 * cov, 1.7 * cov]))
    np.testing.assert_allclose(same.cov, sharp.cov, rtol=1e-6, atol=1e-15)
    assert np.all(np.diag(uncertain.cov) > 1.2 * np.diag(sharp.cov))


def test_sampling_of_pairs_enters_the_covariance(observed, xi):
    noisy = replace(xi, error=np.full_like(xi.xi, 0.01))
    found = corrected_with(observed, noisy, a=A, cov_a=NONE, n_draws=2)
    np.testing.assert_allclose(np.diag(found.cov), (0.01 * np.abs(np.outer(A, A)).sum()) ** 2)


def test_bins_that_turn_negative_are_flagged(observed, xi):
    corrected = corrected_with(observed, xi, a=20 * A, cov_a=NONE)
    np.testing.assert_array_equal(corrected.flagged, (corrected.w < 0) & (observed.w > 0))
    assert corrected.flagged.any()
    assert not corrected_with(observed, xi, a=0 * A, cov_a=NONE).flagged.any()
    assert corrected.metadata["flagged_bins"] == [i for i, flag in enumerate(corrected.flagged) if flag]
    assert corrected.metadata["engine"] == observed.metadata["engine"]


def test_no_draws_no_covariance(observed, xi, cov):
    assert corrected_with(observed, xi, a=A, cov_a=cov, n_draws=0).cov is None


def test_seed_fixes_the_covariance(observed, xi, cov):
    one, same, other = (corrected_with(observed, xi, a=A, cov_a=cov, seed=s).cov for s in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert np.any(one != other)


def test_noise_of_the_amplitudes_does_not_count_twice(observed, xi, cov):
    """Amplitudes that are noise around zero: on average the scatter is that of the square of this noise."""
    noise = np.random.default_rng(3).multivariate_normal(np.zeros(3), cov, 300)
    fits = [corrected_with(observed, xi, a=a, cov_a=cov, n_draws=200, seed=i) for i, a in enumerate(noise)]
    carried = np.einsum("ijt,jk->ikt", xi.xi, cov)
    quadratic = 2 * np.einsum("ijt,jit->t", carried, carried)
    predicted = np.array([np.diag(fit.cov_amplitudes) for fit in fits])
    assert np.all(predicted.mean(0) < 2.2 * quadratic)  # around the fitted amplitudes it would be three times as much
    assert np.all(predicted.mean(0) > quadratic)


def test_common_covariance_is_that_of_dense_matrices():
    """Variances of quadratic forms of a Gaussian field, from its pixel covariance."""
    nside, lmax, rng = 4, 11, np.random.default_rng(4)
    centres = np.array(hp.pix2vec(nside, np.arange(hp.nside2npix(nside))))
    pixels = np.flatnonzero(centres[2] > -0.4)
    legendre = np.polynomial.legendre.legvander(np.clip(centres.T @ centres, -1, 1), lmax)[np.ix_(pixels, pixels)]
    templates = from_pixels(rng.standard_normal((2, pixels.size)), pixels, nside)
    field = Field(np.zeros(pixels.size), rng.uniform(20.0, 60.0, pixels.size), Footprint(pixels, nside))
    edges = np.array([1500.0, 2500.0, 3500.0])
    xi, cl = from_harmonics(templates, edges_arcmin=edges), np.arange(1.0, lmax + 2) ** -1.5
    a, cov_a = np.array([0.5, -0.3]), np.array([[0.02, 0.01], [0.01, 0.03]])

    integrals, _ = bin_integrals(tuple(edges), lmax)
    forms = np.einsum("pql,tl->tpq", legendre, (2 * np.arange(lmax + 1) + 1) / 4 * integrals)
    forms -= np.einsum("tpp,pq->tpq", forms, np.eye(pixels.size))
    forms /= forms.sum((1, 2))[:, None, None]
    relative = np.eye(pixels.size) - np.outer(np.ones(pixels.size), field.expected / field.expected.sum())
    matrix = legendre @ ((2 * np.arange(lmax + 1) + 1) / (4 * np.pi) * cl) + np.diag(1 / field.expected)
    fit = np.linalg.solve(templates.values @ templates.values.T, templates.values)
    carried = fit @ matrix @ relative.T
    products = np.outer(a, a) - cov_a
    expected = [
        [
            4 * np.trace(products @ templates.values @ form @ carried.T @ xi.xi[..., u])
            + 2 * np.trace(carried @ form @ carried.T @ xi.xi[..., u])
            for u in range(2)
        ]
        for form in forms
    ]
    found = observed_with_removed(field, templates, xi, cl, a=a, cov_a=cov_a)
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_common_covariance_is_taken_off_as_far_as_it_can_be(observed, xi, cov):
    seen = replace(observed, cov=1e-8 * np.eye(5))
    alone = corrected_with(seen, xi, a=A, cov_a=cov, b=B, cov_b=NONE)
    scale = np.outer(alone.gain, alone.gain)
    roots = [np.linalg.cholesky(m) for m in (seen.cov, alone.cov_amplitudes * scale)]
    for share in (0.3, 3.0):
        crossed = share * roots[0] @ roots[1].T
        whole = corrected_with(seen, xi, a=A, cov_a=cov, b=B, cov_b=NONE, cov_observed_removed=crossed)
        if share < 1:
            np.testing.assert_allclose(whole.cov, alone.cov - (crossed + crossed.T) / scale, rtol=1e-6, atol=1e-14)
        assert np.linalg.eigvalsh(whole.cov).min() > -1e-12 * np.trace(alone.cov)
        np.testing.assert_array_equal(whole.cov_amplitudes, alone.cov_amplitudes)


@pytest.mark.parametrize("size", [0.0, 0.06])
def test_predicted_covariance_is_the_scatter_of_mocks(size):
    """Of what is removed, of that with the observed curve, and of the corrected one."""
    sky = ClusteredSky(nside=16, rms=0.3, nbar=40.0, families=("power_neg1",) * 12)
    xi, a = from_harmonics(sky.templates, edges_arcmin=EDGES), size * np.tile([1.0, -1.0], 6)
    curves, predicted = [], []
    for seed in range(400):
        field = sky.field(seed, a=a)
        observed, fit = measure(sky, field.delta), least_squares(field, sky.templates)
        amplitudes = {"a": fit, "cov_a": linear_covariance(field, sky.templates, sky.spectrum, fit).cov}
        corrected = corrected_with(observed, xi, **amplitudes, n_draws=0)
        curves.append([observed.w, corrected.removed, corrected.w])
        if seed < 40:
            common = observed_with_removed(field, sky.templates, xi, sky.spectrum, **amplitudes)
            independent = corrected_with(observed, xi, **amplitudes, n_draws=400)
            predicted.append([np.diag(independent.cov_amplitudes), np.diag(common)])
    seen, removed, corrected = np.array(curves).swapaxes(0, 1)
    of_removed, common = np.mean(predicted, axis=0)
    products = (seen - seen.mean(0)) * (removed - removed.mean(0))
    error = products.std(0) / np.sqrt(len(products))
    # a tenth for what is not Gaussian in a lognormal field
    assert np.all(np.abs(common - products.mean(0)) < 3 * error + 0.1 * common)
    assert np.all(common > 3 * error)
    total = seen.var(0) + of_removed - 2 * common
    assert np.all(np.abs(np.sqrt(total / corrected.var(0)) - 1) < 0.02)
    if size > 0:
        assert np.sqrt((seen.var(0) + of_removed) / corrected.var(0))[0] > 1.05


def test_closed_loop_on_clustered_skies():
    """Least squares with calibrated errors: w of contaminated fields is that of the same fields without."""
    sky = ClusteredSky(nside=16, rms=0.3, nbar=40.0, families=("power_neg1",) * 12)
    xi, a = from_harmonics(sky.templates, edges_arcmin=EDGES), 0.06 * np.tile([1.0, -1.0], 6)
    rows = []
    for seed in range(60):
        field, clean = sky.field(seed, a=a), measure(sky, sky.field(seed).delta)
        observed, fit = measure(sky, field.delta), least_squares(field, sky.templates)
        cov = linear_covariance(field, sky.templates, sky.spectrum, fit).cov
        corrected = corrected_with(observed, xi, a=fit, cov_a=cov, n_draws=0)
        rows.append(np.array([observed.w, corrected.w]) - clean.w)
    rows = np.array(rows)
    contaminated, left = rows.mean(0) / (rows.std(0, ddof=1) / np.sqrt(len(rows)))
    assert np.all(contaminated[:3] > 6)
    assert np.all(np.abs(left) < 3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"a": np.ones(2)}, r"a has shape \(2,\) or is not finite: give \(3,\)"),
        ({"cov_a": np.eye(2)}, r"cov_a has shape \(2, 2\) or is not finite: give \(3, 3\)"),
        ({"cov_a": np.full((3, 3), np.nan)}, "cov_a has shape .* or is not finite"),
        ({"cov_a": np.triu(np.ones((3, 3)))}, "cov_a is not symmetric, or a variance is negative"),
        ({"cov_a": -np.eye(3)}, "cov_a is not symmetric, or a variance is negative"),
        ({"b": B}, "b came without cov_b"),
        ({"b": B, "cov_b": 50 * np.eye(3)}, "b scales w by -"),
        ({"cov_a_draws": np.ones((4, 2, 2))}, r"cov_a_draws has shape \(4, 2, 2\)"),
        ({"cov_observed_removed": np.ones(5)}, r"has shape \(5,\), and observed no covariance: give \(5, 5\), beside"),
    ],
)
def test_bad_amplitudes(observed, xi, cov, change, message):
    with pytest.raises(DataError, match=message):
        corrected_with(observed, xi, **({"a": A, "cov_a": cov} | change))


def test_bad_bins(sky, observed, xi):
    other = from_harmonics(sky.templates, edges_arcmin=EDGES[1:])
    with pytest.raises(DataError, match=r"5 bins of 300 to 1500 arcmin and 4 of .* do not agree"):
        corrected_with(observed, other, a=A, cov_a=NONE)
    with pytest.raises(DataError, match="do not agree: measure both in the same bins"):
        corrected_with(observed, replace(xi, theta_edges=1.01 * EDGES), a=A, cov_a=NONE)


def test_bad_options(observed, xi):
    with pytest.raises(ParameterError, match="unknown form 'matrx': did you mean 'matrix'"):
        corrected_with(observed, xi, a=A, cov_a=NONE, form="matrx")
    with pytest.raises(ParameterError, match="n_draws is -1"):
        corrected_with(observed, xi, a=A, cov_a=NONE, n_draws=-1)
    with pytest.raises(ParameterError, match="form is 'posterior' and amplitudes came without the fit"):
        corrected_with(observed, xi, a=A, cov_a=NONE, form="posterior")


def test_a_fit_brings_all_that_it_knows(sky, xi):
    """Draws of its covariance, and the covariance of what it removes with the curve that was observed."""
    field = sky.field(3, a=A)
    fit = decontaminate(field, sky.templates, "OLS")
    seen = replace(measure(sky, field.delta), cov=np.diag(np.full(len(EDGES) - 1, 1e-6)))
    common = observed_with_removed(field, sky.templates, xi, fit.spectrum, a=fit.a, cov_a=fit.cov_a)
    wanted = corrected_correlation(seen, xi, Amplitudes.of(fit), cov_observed_removed=common)
    np.testing.assert_allclose(corrected_correlation(seen, xi, fit).cov, wanted.cov, rtol=1e-10)
    assert fit.cov_a_draws is not None
    without = corrected_correlation(seen, xi, Amplitudes.of(fit))
    assert not np.allclose(without.cov, wanted.cov, rtol=1e-3)


def test_products_of_the_posterior_do_nothing_on_a_clean_field(sky, xi):
    """Their curve moves less from the observed one than the debiased one, and its error is that of the posterior."""
    moves = {form: [] for form in ("matrix", "posterior")}
    for seed in range(12):
        field = sky.field(seed)
        fit = decontaminate(field, sky.templates, "GLS-comb", spectrum=sky.spectrum)
        for form, moved in moves.items():
            curve = corrected_correlation(measure(sky, field.delta), xi, fit, form=form, n_draws=200)
            moved.append(curve.w - curve.observed)
        of_a, of_b = posterior_products(fit)
        wanted = (curve.observed - xi.contract(of_a)) / (1.0 + xi.contract(of_b))
        np.testing.assert_allclose(curve.w, wanted)
        assert curve.form == "posterior"
        assert curve.estimator.endswith("Eqs. 15-16, products of the posterior")
    rms = {form: np.sqrt(np.mean(np.square(moved))) for form, moved in moves.items()}
    assert rms["posterior"] < 0.8 * rms["matrix"]


def test_error_of_the_posterior_form_is_that_of_its_draws(sky, xi):
    field = sky.field(0, a=A)
    fit = decontaminate(field, sky.templates, "GLS", spectrum=sky.spectrum)
    seen = measure(sky, field.delta)
    found = corrected_correlation(seen, xi, fit, form="posterior", n_draws=2000).cov_amplitudes
    draws = np.array([fit.posterior().draw(np.random.default_rng(i)) for i in range(2000)])
    wanted = np.cov(np.einsum("ki,kj,ijt->kt", draws, draws, xi.xi), rowvar=False)
    np.testing.assert_allclose(np.diag(found), np.diag(wanted), rtol=0.15)
