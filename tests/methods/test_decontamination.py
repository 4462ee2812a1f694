import json
from dataclasses import replace

import healpy as hp
import numpy as np
import pytest
from skies import ClusteredSky, Observed

from sysmap_core.errors import DataError, ParameterError
from sysmap_core.inference.posterior import fit_model
from sysmap_core.methods.decontamination import decontaminate, run_methods
from sysmap_core.methods.results import Decontamination
from sysmap_core.methods.table import METHODS
from sysmap_core.sky.counts import Counts
from sysmap_core.sky.field import overdensity
from sysmap_core.summaries import mean_and_error
from sysmap_core.templates.synthetic import synthetic_maps
from sysmap_core.templates.template_set import standardise


@pytest.fixture(scope="module")
def sky():
    return ClusteredSky(nside=16)


@pytest.mark.parametrize("method", METHODS)
class TestContract:
    """What every method keeps to."""

    def test_clean_field_has_amplitudes_within_errors_of_zero(self, sky, method):
        pulls = []
        for seed in range(12):
            fit = decontaminate(sky.field(seed), sky.templates, method, spectrum=sky.spectrum)
            pulls.append(fit.a / np.sqrt(np.diag(fit.cov_a)))
        # 36 pulls of about unit width; the elastic net shrinks
        assert np.max(np.abs(pulls)) < 4
        assert np.sqrt(np.mean(np.square(pulls))) < 1.4

    def test_contamination_is_found(self, sky, method):
        fit = decontaminate(sky.field(1, a=[0.2, 0.0, 0.0], b=0.0), sky.templates, method, spectrum=sky.spectrum)
        assert fit.a[0] == pytest.approx(0.2, abs=4 * np.sqrt(fit.cov_a[0, 0]))
        assert fit.a[0] / np.sqrt(fit.cov_a[0, 0]) > 10

    def test_permuting_templates_permutes_amplitudes(self, sky, method):
        field, order = sky.field(2, a=0.05), [2, 0, 1]
        names = tuple(sky.templates.names[i] for i in order)
        turned = replace(sky.templates, values=sky.templates.values[order], names=names)
        one, two = (decontaminate(field, t, method, spectrum=sky.spectrum, seed=1) for t in (sky.templates, turned))
        tolerance = 0.05 * np.sqrt(np.diag(one.cov_a_iid)).min()
        np.testing.assert_allclose(two.a, one.a[order], atol=tolerance)
        np.testing.assert_allclose(two.cov_a, one.cov_a[np.ix_(order, order)], rtol=0.02, atol=1e-8)

    def test_scale_of_a_template_does_not_matter(self, sky, method):
        maps = synthetic_maps(16, sky.templates.names, np.random.default_rng(0))
        stretched = standardise(maps * [[3.0], [-1.0], [100.0]], sky.templates.names, sky.pixels)
        field = sky.field(3, a=0.05)
        one, two = (decontaminate(field, t, method, spectrum=sky.spectrum) for t in (sky.templates, stretched))
        np.testing.assert_allclose(two.a, one.a * [1, -1, 1], atol=0.05 * np.sqrt(np.diag(one.cov_a_iid)).min())

    def test_seed_fixes_the_result(self, sky, method):
        field = sky.field(4)
        one, two = (decontaminate(field, sky.templates, method, spectrum=sky.spectrum, seed=5) for _ in range(2))
        np.testing.assert_array_equal(one.a, two.a)
        np.testing.assert_array_equal(one.cov_b, two.cov_b)
        assert one.seed == 5

    def test_pair_of_weights_closes(self, sky, method):
        """Weighted galaxies less weighted randoms are the cleaned field, in every pixel."""
        field = sky.field(5, a=0.1, b=0.1)
        fit = decontaminate(field, sky.templates, method, spectrum=sky.spectrum)
        galaxies = field.expected * (1 + field.delta)
        closed = fit.galaxy_weights * galaxies - fit.random_weights * field.expected
        np.testing.assert_allclose(closed, field.expected * fit.cleaned, atol=1e-9)
        assert fit.clipped == 0

    def test_clustered_errors_are_larger(self, sky, method):
        """Than those of independent pixels; what weights by the clustering beats least squares instead."""
        fit = decontaminate(sky.field(6), sky.templates, method)
        if fit.covariance == "estimator":
            linear = decontaminate(sky.field(6), sky.templates, "OLS", spectrum=fit.spectrum)
            assert np.all(np.diag(fit.cov_a) < np.diag(linear.cov_a))
        else:
            assert np.all(np.diag(fit.cov_a)[1:] > 1.5 * np.diag(fit.cov_a_iid)[1:])

    def test_goes_into_json_and_back(self, sky, method):
        fit = decontaminate(sky.field(7), sky.templates, method, spectrum=sky.spectrum)
        text = json.dumps(fit.to_dict(), allow_nan=False)
        back = Decontamination.from_dict(json.loads(text))
        for name in ("a", "cov_b", "cleaned", "random_weights", "spectrum"):
            np.testing.assert_allclose(getattr(back, name), getattr(fit, name), rtol=1e-12)
        assert (back.method, back.names, back.covariance) == (method, fit.names, fit.covariance)
        assert json.dumps(back.to_dict()) == text
        assert "cleaned" not in fit.to_dict(maps=False)

    def test_arrays_with_pixels_are_a_field(self, sky, method):
        field = sky.field(8, a=0.05)
        common = {"spectrum": sky.spectrum, "seed": 1}
        one = decontaminate(field, sky.templates, method, **common)
        places = {"expected": field.expected, "pixels": field.pixels, "nside": field.nside}
        two = decontaminate(field.delta, 3.0 * sky.templates.values + 1.0, method, **places, **common)
        np.testing.assert_allclose(two.a, one.a, rtol=1e-6, atol=1e-6)
        # elements next to zero are those of variances, relative to which they count
        np.testing.assert_allclose(two.cov_a, one.cov_a, rtol=1e-6, atol=1e-6 * np.diag(one.cov_a).min())
        assert two.covariance == one.covariance != "independent pixels"
        assert two.names == ("template 0", "template 1", "template 2")

    def test_arrays_without_pixels(self, sky, method):
        field = sky.field(8, a=0.05)
        arrays = field.delta, sky.templates.values, method
        if METHODS[method].on_sky:
            with pytest.raises(DataError, match=f"{method} needs to know where the pixels are"):
                decontaminate(*arrays, expected=field.expected)
            return
        fit = decontaminate(*arrays, expected=field.expected)
        np.testing.assert_array_equal(fit.cov_a, fit.cov_a_iid)
        assert fit.covariance == "independent pixels"
        assert fit.spectrum is None
        known = decontaminate(field, sky.templates, method, spectrum=sky.spectrum)
        np.testing.assert_allclose(fit.a, known.a, rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(fit.cov_a_iid, known.cov_a_iid, rtol=1e-6)


def test_combined_method_removes_the_modulation_of_the_variance(sky):
    """Bias over mocks: b comes back for the combined method."""
    b = np.array([0.15, 0.0, 0.0])
    fits = [decontaminate(sky.field(s, 0.05, b), sky.templates, spectrum=sky.spectrum) for s in range(20)]
    found = np.array([fit.b for fit in fits])
    np.testing.assert_allclose(found.mean(0), b, atol=3.5 * found.std(0).max() / np.sqrt(20))


def test_run_methods_shares_the_spectrum(sky):
    results = run_methods(sky.field(8), sky.templates, ["ols", "MCMC-comb"])
    assert list(results) == ["OLS", "MCMC-comb"]
    np.testing.assert_array_equal(results["OLS"].spectrum, results["MCMC-comb"].spectrum)


def test_field_and_templates_on_different_pixels(sky):
    field = sky.field(0)
    fewer = field.restricted(field.pixels[1:])
    with pytest.raises(DataError, match=r"standardise the templates on field\.pixels"):
        decontaminate(fewer, sky.templates)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"pixels": np.arange(5)}, "pixels without nside came: give both"),
        ({"nside": 16}, "nside without pixels came: give both"),
        ({"expected": np.ones(5)}, r"expected has shape \(5,\) and delta"),
        ({"covariance": "analytic"}, "covariance is 'analytic' for plain arrays: give pixels, nside and expected"),
    ],
)
def test_incomplete_arrays(sky, arguments, message):
    with pytest.raises(DataError, match=message):
        decontaminate(sky.field(0).delta, sky.templates.values, "OLS", **arguments)


def test_estimated_spectra_make_uncertain_errors(sky):
    """Draws of the covariance scatter around it as the estimate of the spectrum does."""
    field = sky.field(0)
    fit = decontaminate(field, sky.templates)
    assert fit.cov_a_draws.shape == (32, 3, 3)
    ratio = np.sqrt(np.diagonal(fit.cov_a_draws, axis1=1, axis2=2) / np.diag(fit.cov_a))
    np.testing.assert_allclose(ratio.mean(0), 1.0, atol=0.1)
    # the smoother the template, the fewer multipoles its error rests on
    assert ratio.std(0)[2] > 2 * ratio.std(0)[0]
    assert decontaminate(field, sky.templates, "OLS", spectrum=sky.spectrum).cov_a_draws is None


def test_uncertain_errors_are_those_of_the_method(sky):
    """Draws of the covariance scatter around that of GLS too, which is smaller than that of the linear fit."""
    fit = decontaminate(sky.field(0), sky.templates, "GLS")
    ratio = np.sqrt(np.diagonal(fit.cov_a_draws, axis1=1, axis2=2) / np.diag(fit.cov_a))
    np.testing.assert_allclose(ratio.mean(0), 1.0, atol=0.1)


@pytest.mark.parametrize("method", METHODS)
def test_copies_of_a_template_are_named(sky, method):
    t = sky.templates
    names = (*t.names, "copy")
    copied = replace(t, values=np.vstack([t.values, t.values[0]]), names=names)
    with pytest.raises(DataError, match="templates white_noise, copy are linear combinations of each other"):
        decontaminate(sky.field(0), copied, method)


def test_template_that_is_the_observed_map(sky):
    field, t = sky.field(0), sky.templates
    delta = (field.delta - field.delta.mean()) / field.delta.std()
    leaked = replace(t, values=np.vstack([t.values, delta]), names=(*t.names, "leak"))
    with pytest.raises(DataError, match="templates reproduce delta"):
        decontaminate(field, leaked, "OLS")


def test_a_field_carries_its_own_pixels(sky):
    with pytest.raises(DataError, match="nside came beside a Field"):
        decontaminate(sky.field(0), sky.templates, "OLS", nside=16)


def test_unknown_covariance(sky):
    with pytest.raises(ParameterError, match="unknown covariance 'jackknife'"):
        decontaminate(sky.field(0), sky.templates, "OLS", covariance="jackknife")


def test_stored_without_maps(sky):
    content = decontaminate(sky.field(0), sky.templates, "OLS", spectrum=sky.spectrum).to_dict(maps=False)
    with pytest.raises(DataError, match=r"lacks field, templates, cov_a_draws, .*: store to_dict\(\) of all of it"):
        Decontamination.from_dict(content)


def test_strong_fields_have_errors_from_realisations():
    """Above an rms of 0.7 the analytic errors of b are too large: they come from mocks, and say so."""
    strong = ClusteredSky(nside=8, rms=0.8, nbar=200.0)
    fit = decontaminate(strong.field(0), strong.templates, spectrum=strong.spectrum)
    assert fit.covariance == "realisations"
    analytic = decontaminate(strong.field(0), strong.templates, spectrum=strong.spectrum, covariance="analytic")
    assert analytic.covariance == "analytic"
    ratio = np.sqrt(np.diag(analytic.cov_b) / np.diag(fit.cov_b))
    assert np.all((ratio > 0.7) & (ratio < 3.0))
    linear = decontaminate(strong.field(0), strong.templates, "OLS", spectrum=strong.spectrum)
    assert linear.covariance == "analytic"


def test_weights_correct_a_density(sky):
    """The density that a fit expects, and what both weights make of a density."""
    field = sky.field(1, a=0.1, b=0.1)
    fit = decontaminate(field, sky.templates, "GLS-comb", spectrum=sky.spectrum)
    np.testing.assert_allclose(fit.density, 1 + fit.a_mean @ sky.templates.values)
    scale = np.mean(1 + field.delta)
    np.testing.assert_allclose(fit.corrected((1 + field.delta) * 7) * scale, _weighted(fit, field, scale))


@pytest.mark.parametrize("method", METHODS)
def test_weights_without_shrinkage_are_those_of_the_fit(sky, method):
    field = sky.field(2, a=0.1, b=0.05)
    how = {"spectrum": sky.spectrum, "seed": 1}
    fit = decontaminate(field, sky.templates, method, shrinkage="none", **how)
    shrunk = decontaminate(field, sky.templates, method, **how)
    np.testing.assert_array_equal(fit.a_mean, fit.a)
    np.testing.assert_array_equal(fit.b_mean, fit.b)
    np.testing.assert_array_equal(shrunk.a, fit.a)
    np.testing.assert_array_equal(shrunk.cov, fit.cov)
    if method.startswith("ISD"):  # curves are kept as they are
        assert shrunk.shrinkage == "none"
        np.testing.assert_array_equal(shrunk.galaxy_weights, fit.galaxy_weights)
        return
    mean = np.split(shrunk.posterior().mean, 2 if fit.model == "combined" else 1)
    np.testing.assert_allclose(shrunk.a_mean, mean[0])
    np.testing.assert_allclose(shrunk.b_mean, {"additive": 0.0 * fit.b}.get(fit.model, mean[-1]))
    assert np.linalg.norm(shrunk.a_mean / fit.a) < np.sqrt(3)


def test_unknown_shrinkage(sky):
    with pytest.raises(ParameterError, match="unknown shrinkage 'full'"):
        decontaminate(sky.field(0), sky.templates, "OLS", shrinkage="full")


def test_clean_maps_are_left_alone(sky):
    """Twelve clean fields: what the weights do to the map is a third of what the fits would do, or less."""
    done = []
    for seed in range(12):
        fit = decontaminate(sky.field(seed), sky.templates, "GLS", spectrum=sky.spectrum)
        done.append([np.std(fit.a @ sky.templates.values), np.std(fit.a_mean @ sky.templates.values)])
    fitted, used = np.sqrt(np.mean(np.square(done), axis=0))
    assert used < fitted / 2


def _weighted(fit, field, scale):
    return fit.galaxy_weights * (1 + field.delta) - scale * fit.random_weights


@pytest.mark.parametrize("method", ["OLS", "ElasticNet", "ISD-1", "MCMC-add", "MCMC-comb", "GLS", "GLS-comb"])
def test_nothing_depends_on_the_scale_of_weights(method):
    survey = Observed(nside=8, rms=0.3, galaxies_per_pixel=40.0, case="weights")
    one, other = (decontaminate(*survey.draw(0, scales), method, seed=1) for scales in ((1.0, 1.0), (1000.0, 0.03)))
    # the conjugate gradients of GLS-comb stop at 1e-5, and rounding says where
    allowed = 1e-3 if method == "GLS-comb" else 1e-6 if method == "GLS" else 1e-10
    errors = np.sqrt(np.diag(one.cov_a))
    np.testing.assert_allclose((other.a - one.a) / errors, 0.0, atol=allowed)
    np.testing.assert_allclose((other.b - one.b) / errors, 0.0, atol=allowed)
    np.testing.assert_allclose(other.cov_a, one.cov_a, rtol=max(allowed, 1e-8))


@pytest.mark.parametrize("case", ["50 randoms", "5 randoms", "2 randoms", "weights"])
def test_noise_of_counts_is_no_multiplicative_contamination(case):
    """Eight surveys with a = 0.1 of every template; without the noise of their counts, b is found."""
    survey = Observed(nside=32, rms=0.3, galaxies_per_pixel=8.0, case=case, amplitude=0.1)
    fits, blind = [], []
    for seed in range(8):
        field, templates = survey.draw(seed)
        fits.append(fit_model(field, templates, draws=16).maximum.b)
        without = replace(field, object_weight=1.0, coverage_noise=0.0)
        blind.append(fit_model(without, templates, draws=16).maximum.b)
    mean, error = mean_and_error(np.mean(fits, axis=1))
    assert abs(mean) < 3.5 * error
    if case != "50 randoms":
        assert np.mean(blind) > mean + 2 * error


def sub_poisson_counts(kind, rng, npix):
    """Counts that scatter less than Poisson counts of as many galaxies."""
    if kind == "smooth":
        return Counts.known(30.0 * (1.0 + 0.05 * hp.smoothing(rng.normal(size=npix), fwhm=0.3)))
    if kind == "binomial":
        return rng.binomial(40, 0.5, npix).astype(float)
    return Counts(0.2 * (counts := rng.poisson(20.0, npix)), 0.04 * counts)


@pytest.mark.parametrize("kind", ["smooth", "binomial", "FKP"])
@pytest.mark.parametrize("method", ["OLS", "ElasticNet", "ISD-1", "MCMC-add", "MCMC-comb", "GLS", "GLS-comb"])
def test_sub_poisson_fields_get_an_answer_or_a_sentence(kind, method):
    rng, npix, pixels = np.random.default_rng(1), hp.nside2npix(16), np.arange(900)
    templates = standardise(rng.normal(size=(2, npix)), ["a", "b"], pixels)
    field = overdensity(sub_poisson_counts(kind, rng, npix), np.ones(npix), pixels)
    if (kind, method) == ("binomial", "MCMC-comb"):
        with pytest.raises(DataError, match="there is no variance beyond the shot noise or the templates"):
            decontaminate(field, templates, method)
        return
    fit = decontaminate(field, templates, method)
    assert np.all(np.diag(fit.cov_a) > 0)
    assert np.all(np.abs(fit.a) < 5 * np.sqrt(np.diag(fit.cov_a)))


def test_weights_on_the_efficiency_floor_leave_b_out():
    """Of galaxies so sparse that the fit makes whole regions unseen; detections and amplitudes keep b."""
    sky = ClusteredSky(nside=8, rms=0.3, nbar=0.6)
    fits = (decontaminate(sky.field(s), sky.templates, "GLS-comb", spectrum=sky.spectrum) for s in range(8))
    fit = next(one for one in fits if one.on_floor)
    np.testing.assert_array_equal(fit.b_mean, 0.0)
    np.testing.assert_array_equal(fit.galaxy_weights, 1.0)
    assert np.any(fit.b != 0)
    assert np.any(fit.a_mean != 0)
    np.testing.assert_allclose(fit.posterior().mean, np.append(fit.a_mean, fit.b_mean))
    raw = decontaminate(fit.field, sky.templates, "GLS-comb", spectrum=sky.spectrum, shrinkage="none")
    np.testing.assert_array_equal(raw.b_mean, raw.b)
