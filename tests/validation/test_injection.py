"""Contamination put into catalogues comes back: amplitudes, dilution, noise and places."""

import healpy as hp
import numpy as np
import pytest
from astropy.io import fits
from skies import orthonormal_templates

from sysmap_core.errors import DataError, MissingDataError, ParameterError
from sysmap_core.methods.decontamination import decontaminate
from sysmap_core.sky.catalogues import Catalogue
from sysmap_core.sky.field import overdensity
from sysmap_core.sky.pixels import pixel_counts
from sysmap_core.sky.random_points import scatter_galaxies, uniform_randoms
from sysmap_core.sky.regrid import to_nside
from sysmap_core.templates.template_set import from_pixels, standardise
from sysmap_core.validation.injection import RESPONSES, inject, injections, respond

NSIDE = 8

SKY = hp.nside2npix(NSIDE)

PIXELS = np.arange(100, 700)

A, B = np.array([0.10, -0.06, 0.0]), np.array([0.08, 0.05, -0.10])


def make_templates(scale=0.35):
    """Bounded templates, so that floors stay low."""
    values = np.tanh(scale * orthonormal_templates(3, PIXELS.size, 4))
    return from_pixels(values, PIXELS, NSIDE, ["dust", "stars", "seeing"])


TEMPLATES = make_templates()


def clean_catalogue(number=600_000, rms=0.4, seed=1):
    """Galaxies of a lognormal field without correlations, on the pixels of the templates."""
    rng = np.random.default_rng(seed)
    density = np.zeros(SKY)
    density[PIXELS] = np.exp(rms * rng.standard_normal(PIXELS.size) - rms**2 / 2)
    return scatter_galaxies(rng.poisson(number * density / density.sum()), NSIDE, rng)


@pytest.fixture(scope="module")
def galaxies():
    return clean_catalogue()


@pytest.fixture(scope="module")
def randoms():
    mask = np.isin(np.arange(SKY), PIXELS)
    return uniform_randoms(mask, 1_000_000, np.random.default_rng(2))


def field(catalogue, coverage=None):
    coverage = np.ones(SKY) if coverage is None else coverage
    return overdensity(pixel_counts(catalogue.ra, catalogue.dec, NSIDE), coverage, PIXELS)


def linear(delta, templates=TEMPLATES):
    return np.linalg.lstsq(templates.values.T, delta - delta.mean(), rcond=None)[0]


def found(delta, truth, templates=TEMPLATES):
    """Amplitudes and dilution when the true overdensity is known: no chance alignment."""
    t = templates.values
    design = np.vstack([np.ones(truth.size), t, truth, truth * t])
    fit = np.linalg.lstsq(design.T, delta, rcond=None)[0]
    gain = fit[len(t) + 1]
    return fit[1 : len(t) + 1], fit[len(t) + 2 :] / gain, gain


@pytest.mark.parametrize("with_randoms", [False, True])
@pytest.mark.parametrize(("a", "b"), [(A, 0 * A), (A, A), (A, B), (0 * A, B)])
def test_amplitudes_come_back(galaxies, randoms, a, b, with_randoms):
    injection = inject(galaxies, TEMPLATES, (a, b), seed=3, randoms=randoms if with_randoms else None)
    np.testing.assert_allclose(injection.b, b, atol=1e-12)
    coverage = pixel_counts(randoms.ra, randoms.dec, NSIDE) if with_randoms else None
    truth = field(galaxies, coverage).delta
    got_a, got_b, dilution = found(field(injection.catalogue, coverage).delta, truth)
    # the Poisson noise of thinning and interlopers is 0.001 in a and 0.003 in b
    np.testing.assert_allclose(got_a, injection.a, atol=0.003)
    # the counts of the randoms are weights of the mean, and noisy ones
    np.testing.assert_allclose(injection.a, a, atol=1e-12 if coverage is None else 5e-4)
    np.testing.assert_allclose(got_b, b, atol=0.01)
    assert dilution == pytest.approx(injection.dilution, abs=0.008)


def test_amplitudes_are_not_diluted():
    """A large catalogue: within 2 per cent, although positions are jittered over the whole of their pixels."""
    many = clean_catalogue(number=3_000_000, rms=0.1)
    injection = inject(many, TEMPLATES, (A, A), seed=3)
    got_a, _, _ = found(field(injection.catalogue).delta, field(many).delta)
    np.testing.assert_allclose(got_a[:2], A[:2], rtol=0.02)


def test_selection_alone_needs_no_interlopers(galaxies, randoms):
    injection = inject(galaxies, TEMPLATES, (A, A), seed=3)
    assert not injection.interloper.any()
    assert not inject(galaxies, TEMPLATES, (A, A), seed=3, randoms=randoms).interloper.any()
    assert injection.dilution == pytest.approx(1.0, abs=1e-12)
    np.testing.assert_array_equal(injection.catalogue.ra, galaxies.ra[injection.source])
    kept = len(injection.catalogue) / len(galaxies)
    truth = field(galaxies)
    efficiency = (1 + A @ TEMPLATES.values) / np.max(1 + A @ TEMPLATES.values)
    assert kept == pytest.approx(np.mean(efficiency * (1 + truth.delta)), abs=0.002)


def test_floor_is_the_smallest_one(galaxies):
    injection = inject(galaxies, TEMPLATES, (A, 0 * A), seed=3)
    additive = A @ TEMPLATES.values
    assert injection.dilution == pytest.approx(1 + additive.min(), rel=1e-6)
    assert injection.interloper.mean() == pytest.approx(1 - injection.dilution, abs=0.002)


def test_thinning_instead_of_a_floor(galaxies):
    injection = inject(galaxies, TEMPLATES, (A, 0 * A), seed=3, deficit="thin")
    additive = A @ TEMPLATES.values
    np.testing.assert_allclose(injection.multiplicative, np.minimum(additive, 0), atol=1e-12)
    np.testing.assert_allclose(injection.a, A, atol=1e-12)
    delta, truth = field(injection.catalogue).delta, field(galaxies).delta
    expected = additive + (1 + injection.multiplicative) * truth
    residual = delta - (expected - expected.mean())
    assert np.std(residual) < 1.2 * np.sqrt(PIXELS.size / len(injection.catalogue))
    assert injection.dilution == pytest.approx(1 + np.minimum(additive, 0).mean(), rel=1e-9)


def test_counts_stay_poisson():
    """Without clustering, the counts of galaxies and interlopers scatter as Poisson numbers with the expected mean."""
    scatter = []
    for seed in range(12):
        clean = clean_catalogue(number=60_000, rms=0.0, seed=100 + seed)
        injection = inject(clean, TEMPLATES, (A, B), seed=seed)
        counts = pixel_counts(injection.catalogue.ra, injection.catalogue.dec, NSIDE)[PIXELS]
        model = len(injection.catalogue) / PIXELS.size * (1 + A @ TEMPLATES.values)
        scatter.append(np.mean((counts - model) ** 2 / model))
    assert np.mean(scatter) == pytest.approx(1.0, abs=4 * np.sqrt(2 / (12 * PIXELS.size)))


def test_interlopers_follow_the_template(galaxies):
    injection = inject(galaxies, TEMPLATES, (A, B), seed=3)
    added = injection.interloper
    counts = pixel_counts(injection.catalogue.ra[added], injection.catalogue.dec[added], NSIDE)
    assert counts.sum() == counts[PIXELS].sum()
    density = 1 + A @ TEMPLATES.values
    efficiency = 1 + B @ TEMPLATES.values
    wanted = np.max(efficiency / density) * density - efficiency
    wanted *= counts.sum() / wanted.sum()
    assert np.mean((counts[PIXELS] - wanted) ** 2 / np.maximum(wanted, 1)) == pytest.approx(1.0, abs=0.25)


def test_interlopers_fill_their_pixels_evenly(galaxies):
    injection = inject(galaxies, TEMPLATES, (A, B), seed=3)
    added = injection.interloper
    fine = pixel_counts(injection.catalogue.ra[added], injection.catalogue.dec[added], 2 * NSIDE)
    coarse = pixel_counts(injection.catalogue.ra[added], injection.catalogue.dec[added], NSIDE)
    expected = to_nside(coarse, 2 * NSIDE, "sum")
    chi2, dof = np.sum((fine - expected) ** 2 / np.maximum(expected, 1)), 3 * PIXELS.size
    assert abs(chi2 - dof) < 5 * np.sqrt(2 * dof)


def test_interlopers_take_places_of_randoms_once(galaxies, randoms):
    injection = inject(galaxies, TEMPLATES, (A, B), seed=3, randoms=randoms)
    places = injection.catalogue.ra[injection.interloper]
    assert np.unique(places).size == places.size > 1000
    assert np.isin(places, randoms.ra).all()


def test_uneven_coverage_changes_the_mean():
    """A template that follows the coverage has a mean there, and amplitudes refer to that mean."""
    rng = np.random.default_rng(8)
    coverage = np.zeros(SKY)
    coverage[PIXELS] = np.clip(1 + 0.5 * TEMPLATES.values[0], 0.2, None)
    galaxies = scatter_galaxies(rng.poisson(800 * coverage), NSIDE, rng)
    randoms = scatter_galaxies(rng.poisson(1600 * coverage), NSIDE, rng)
    injection = inject(galaxies, TEMPLATES, (2 * A, 2 * A), seed=3, randoms=randoms)
    mean = np.average(1 + 2 * A @ TEMPLATES.values, weights=coverage[PIXELS])
    np.testing.assert_allclose(injection.a, 2 * A / mean, atol=1e-3)
    assert injection.dilution == pytest.approx(1 / mean, rel=2e-3)
    random_counts = pixel_counts(randoms.ra, randoms.dec, NSIDE)
    np.testing.assert_allclose(linear(field(injection.catalogue, random_counts).delta), injection.a, atol=0.005)


def test_weights_and_columns_travel(galaxies):
    weighted = Catalogue(galaxies.ra, galaxies.dec, 1.0 + np.arange(len(galaxies)) % 3)
    injection = inject(weighted, TEMPLATES, (A, B), seed=3)
    np.testing.assert_array_equal(injection.catalogue.weights, weighted.weights[injection.source])
    added = injection.catalogue.weights[injection.interloper]
    assert added.mean() == pytest.approx(2.0, abs=5 * np.sqrt(2 / 3 / added.size))


def test_seed_fixes_the_catalogue_and_arrays_will_do(galaxies):
    first, same, other = (inject(galaxies, TEMPLATES, (A, B), seed=s) for s in (1, 1, 2))
    np.testing.assert_array_equal(first.catalogue.ra, same.catalogue.ra)
    assert len(first.catalogue) != len(other.catalogue)
    arrays = inject((galaxies.ra, galaxies.dec), TEMPLATES, (list(A), list(B)), seed=1)
    np.testing.assert_array_equal(arrays.catalogue.dec, first.catalogue.dec)


def test_files_will_do(tmp_path, galaxies):
    columns = [fits.Column(n, "D", array=v) for n, v in (("RA", galaxies.ra), ("DEC", galaxies.dec))]
    fits.BinTableHDU.from_columns(columns).writeto(tmp_path / "mock.fits")
    from_file = inject(tmp_path / "mock.fits", TEMPLATES, (A, B), seed=3)
    # files come back with right ascensions from 0 to 360
    in_memory = inject(galaxies, TEMPLATES, (A, B), seed=3).catalogue
    np.testing.assert_array_equal(from_file.catalogue.ra % 360, in_memory.ra % 360)
    with pytest.raises(MissingDataError, match=r"catalogue '.*none\.fits' does not exist"):
        inject(tmp_path / "none.fits", TEMPLATES, (A, B), seed=3)


@pytest.mark.parametrize("name", RESPONSES)
def test_responses_have_equal_rms(name):
    curves = respond(TEMPLATES.values, name)
    np.testing.assert_allclose(curves.mean(1), 0, atol=1e-12)
    np.testing.assert_allclose(curves.std(1), 1, rtol=1e-12)
    order = np.argsort(TEMPLATES.values[0])
    monotonic = np.all(np.diff(curves[0][order]) >= -1e-12)
    assert monotonic == (name != "quadratic")


def test_linear_response_is_the_template():
    np.testing.assert_allclose(respond(TEMPLATES.values, "linear"), TEMPLATES.values, atol=1e-12)
    mixed = respond(TEMPLATES.values, ["linear", "cubic", "tanh"])
    np.testing.assert_array_equal(mixed[1], respond(TEMPLATES.values, "cubic")[1])


def test_linear_fit_finds_the_projection_of_a_response(galaxies):
    injection = inject(galaxies, TEMPLATES, (A, A), seed=3, response="exponential")
    projection = linear(A @ respond(TEMPLATES.values, "exponential"))
    np.testing.assert_allclose(injection.a, projection, atol=1e-12)
    difference = field(injection.catalogue).delta - (1 + injection.multiplicative) * field(galaxies).delta
    np.testing.assert_allclose(linear(difference), projection, atol=0.004)


def test_fitted_result_is_put_in(galaxies):
    contaminated = inject(galaxies, TEMPLATES, (A, A), seed=3)
    fit = decontaminate(field(contaminated.catalogue), TEMPLATES, "ISD-3")
    again = inject(galaxies, fit, seed=4)
    np.testing.assert_allclose(again.additive, fit.random_weights / fit.galaxy_weights - 1, atol=1e-12)
    np.testing.assert_allclose(again.multiplicative, 1 / fit.galaxy_weights - 1, atol=1e-12)
    additive = decontaminate(field(contaminated.catalogue), TEMPLATES, "OLS")
    linear_one = inject(galaxies, additive, seed=4)
    np.testing.assert_allclose(linear_one.a, additive.a_mean, atol=1e-12)
    np.testing.assert_allclose(linear_one.b, 0, atol=1e-12)


def test_draws_scatter_as_the_errors():
    few = clean_catalogue(number=20_000)
    contaminated = inject(few, TEMPLATES, (A, A), seed=3)
    fit = decontaminate(field(contaminated.catalogue), TEMPLATES, "OLS")
    drawn = [one.a for one in injections(few, fit, 100, seed=5)]
    error = np.sqrt(np.diag(fit.cov_a))
    assert (np.abs(np.mean(drawn, axis=0) - fit.a) < 4 * error / 10).all()
    np.testing.assert_allclose(np.std(drawn, axis=0), error, rtol=4 / np.sqrt(200))


def test_galaxies_off_the_templates_are_left_out(galaxies):
    part = standardise(np.arange(SKY, dtype=float)[None] ** 2, ["x"], PIXELS[:300])
    injection = inject(galaxies, part, ([0.1], [0.1]), seed=1)
    counts = pixel_counts(galaxies.ra, galaxies.dec, NSIDE)
    assert injection.n_outside == counts.sum() - counts[PIXELS[:300]].sum()
    left = pixel_counts(injection.catalogue.ra, injection.catalogue.dec, NSIDE)
    assert left.sum() == left[PIXELS[:300]].sum()


def test_few_negative_densities_are_raised_and_reported(galaxies):
    heavy = from_pixels(np.where(np.arange(600) < 6, -30.0, 0.0)[None] + TEMPLATES.values[:1], PIXELS, NSIDE)
    injection = inject(galaxies, heavy, ([0.3], [0.3]), seed=1)
    assert injection.clipped == pytest.approx(0.01)
    assert injection.additive.min() == pytest.approx(-0.95)
    assert 0 < injection.a[0] < 0.3


BAD = {
    r"amplitudes hold 3 arrays: give a tuple \(a, b\)": lambda g: inject(g, TEMPLATES, A, seed=1),
    "a has shape": lambda g: inject(g, TEMPLATES, (A[:2], B), seed=1),
    "b has shape .* or is not finite": lambda g: inject(g, TEMPLATES, (A, B * np.nan), seed=1),
    "unknown deficit 'flor': did you mean 'floor'": lambda g: inject(g, TEMPLATES, (A, B), seed=1, deficit="flor"),
    "unknown response 'cubik'": lambda g: inject(g, TEMPLATES, (A, B), seed=1, response="cubik"),
    "2 responses for 3 templates": lambda g: inject(g, TEMPLATES, (A, B), seed=1, response=["cubic", "tanh"]),
    "below 0.05 in .* of the pixels: lower the amplitudes": lambda g: inject(g, TEMPLATES, (9 * A, B), seed=1),
    "none of 1 galaxies lies on the templates": lambda g: inject(([0.0], [89.9]), TEMPLATES, (A, B), seed=1),
    "have no finite position": lambda g: inject(([0.0], [np.nan]), TEMPLATES, (A, B), seed=1),
    "fewer randoms than interlopers": lambda g: inject(
        g, TEMPLATES, (A, B), seed=1, randoms=Catalogue(g.ra[::50], g.dec[::50])
    ),
    "do not know their pixels": lambda g: inject(g, from_pixels(TEMPLATES.values, PIXELS, None), (A, B), seed=1),
}


@pytest.mark.parametrize("problem", BAD)
def test_bad_input(galaxies, problem):
    with pytest.raises((DataError, ParameterError), match=problem):
        BAD[problem](galaxies)


def test_result_has_its_own_amplitudes_and_curves(galaxies):
    fit = decontaminate(field(galaxies), TEMPLATES, "OLS")
    with pytest.raises(DataError, match="amplitudes came beside a fitted result, which has its own: leave them out"):
        inject(galaxies, fit, (A, B), seed=1)
    with pytest.raises(ParameterError, match="response is 'cubic' beside a fitted result"):
        inject(galaxies, fit, seed=1, response="cubic")
    with pytest.raises(DataError, match="the threshold response to template 0 is constant"):
        respond(np.full((1, 5), 0.3), "threshold")
