import copy
from dataclasses import replace

import numpy as np
import pytest
from skies import ClusteredSky

from sysmap_core.errors import DataError, ParameterError
from sysmap_core.methods.density_curves import Polynomials, bin_starts, binned_density, populated_range
from sysmap_core.methods.isd import MAX_WEIGHT, Nulls, binned_regression, iterative_regression, null_delta_chi2
from sysmap_core.sky.field import Field
from sysmap_core.sky.footprints import Footprint
from sysmap_core.templates.template_set import standardise

A = np.array([0.1, -0.05, 0.05])


@pytest.fixture(scope="module")
def sky():
    return ClusteredSky(nside=16)


@pytest.fixture(scope="module")
def nulls(sky):
    return null_delta_chi2(sky.field(0), sky.templates, sky.spectrum, 200, np.random.default_rng(0))


FITS = {
    "joint": lambda field, templates, order, nulls: iterative_regression(field, templates, order=order),
    "binned": lambda field, templates, order, nulls: binned_regression(field, templates, order=order, nulls=nulls),
}


def responding(sky, seed, response):
    """A field whose selection is one plus any function of the templates, and that selection."""
    centred = response - response.mean(1, keepdims=True)
    other = copy.copy(sky)
    other.templates = replace(sky.templates, values=centred)
    return other.field(seed, a=1.0, b=1.0), 1.0 + centred.sum(0)


@pytest.mark.parametrize("family", FITS)
@pytest.mark.parametrize("order", [1, 3])
class TestBothFamilies:
    def test_linear_contamination_comes_back(self, sky, nulls, family, order):
        fits = [FITS[family](sky.field(s, A, A), sky.templates, order, nulls) for s in range(30)]
        found = np.array([fit.a for fit in fits])
        # the binned form leaves alone what it does not see, and flattens its curves at both ends
        bias = 0.15 * np.abs(A) if family == "binned" else 0.02 * np.abs(A)
        assert np.all(np.abs(found.mean(0) - A) < bias + 3 * found.std(0) / np.sqrt(30))
        assert {fit.status for fit in fits} == {"converged"}

    def test_errors_are_those_of_least_squares(self, sky, nulls, family, order):
        """Nothing is gained or lost on the template that is well above its noise."""
        fields = [sky.field(s, A, A) for s in range(30)]
        t = sky.templates.values
        plain = np.array([np.linalg.solve(t @ t.T, t @ field.delta)[0] for field in fields])
        found = np.array([FITS[family](field, sky.templates, order, nulls).a[0] for field in fields])
        # ratio of two scatters that share their fields
        assert found.std() / plain.std() == pytest.approx(1.0, abs=0.25)

    def test_permuting_templates_permutes_amplitudes(self, sky, nulls, family, order):
        field, turn = sky.field(2, A, A), [2, 0, 1]
        names = tuple(sky.templates.names[i] for i in turn)
        turned = replace(sky.templates, values=sky.templates.values[turn], names=names)
        turned_nulls = replace(nulls, delta_chi2={k: v[:, turn] for k, v in nulls.delta_chi2.items()}, names=names)
        one = FITS[family](field, sky.templates, order, nulls)
        two = FITS[family](field, turned, order, turned_nulls)
        np.testing.assert_allclose(two.a, one.a[turn], atol=1e-5)
        np.testing.assert_allclose(two.curve, one.curve, atol=1e-5)

    def test_sign_of_a_template_turns_its_curve(self, sky, nulls, family, order):
        field = sky.field(3, A, A)
        turned = replace(sky.templates, values=-sky.templates.values)
        one, two = (FITS[family](field, t, order, nulls) for t in (sky.templates, turned))
        np.testing.assert_allclose(two.a, -one.a, atol=2e-3)
        np.testing.assert_allclose(two.at(0, [-1.0, 1.0]), one.at(0, [1.0, -1.0]), atol=5e-3)

    def test_one_wild_pixel_does_not_make_wild_weights(self, sky, nulls, family, order):
        at = 700
        maps = np.zeros((3, sky.coverage.size))
        maps[:, sky.pixels] = sky.templates.values
        maps[1, sky.pixels[at]] = 45.0
        wild, field = standardise(maps, sky.templates.names, sky.pixels), sky.field(4, [0, 0.15, 0], [0, 0.15, 0])
        assert wild.values[1].max() > 26
        keep = np.delete(np.arange(field.n_pix), at)
        rest = Field(field.delta[keep], field.expected[keep], Footprint(field.pixels[keep], field.nside))
        with_it = FITS[family](field, wild, order, nulls)
        without = FITS[family](rest, standardise(maps, sky.templates.names, rest.pixels), order, nulls)
        assert with_it.weights.max() < 2
        np.testing.assert_allclose(with_it.curve[keep], without.curve, atol=0.03)

    def test_curves_on_their_grid_are_those_of_the_pixels(self, sky, nulls, family, order):
        fit = FITS[family](sky.field(5, A, A), sky.templates, order, nulls)
        parts = np.array([fit.at(i, t) for i, t in enumerate(sky.templates.values)])
        together = parts.prod(0) if family == "binned" else 1 + (parts - 1).sum(0)
        np.testing.assert_allclose(together, fit.curve, atol=1e-3)
        np.testing.assert_allclose(np.mean(parts * sky.templates.values, axis=1), fit.a, atol=1e-3)

    def test_curves_are_constant_where_there_are_few_pixels(self, sky, nulls, family, order):
        fit = FITS[family](sky.field(6, A, A), sky.templates, order, nulls)
        t = sky.templates.values[0]
        for side in (t <= fit.grid[0, 0], t >= fit.grid[0, -1]):
            assert side.sum() >= 20
            assert np.ptp(fit.at(0, t[side])) == 0

    def test_cap_is_reported(self, sky, nulls, family, order):
        response = np.zeros_like(sky.templates.values)
        # an eighth of the sky is all but empty
        response[0] = -0.9 * np.clip(sky.templates.values[0], -1.1, 1.1)
        field, _ = responding(sky, 0, response)
        fit = FITS[family](field, sky.templates, order, nulls)
        assert fit.weights.max() <= MAX_WEIGHT * (1 + 1e-12)
        assert fit.n_capped == np.sum(fit.curve == 1 / MAX_WEIGHT)
        assert fit.n_capped > 0

    def test_clean_field_caps_nothing(self, sky, nulls, family, order):
        assert FITS[family](sky.field(7), sky.templates, order, nulls).n_capped == 0


@pytest.mark.parametrize("family", FITS)
@pytest.mark.parametrize(
    "response",
    [lambda t: 0.3 * np.tanh(2 * t), lambda t: 0.04 * np.clip(t, -3, 3) ** 3, lambda t: 0.15 * np.minimum(t, 2.5) ** 2],
)
def test_cubics_follow_a_bent_response_better_than_lines(sky, nulls, family, response):
    maps = np.zeros_like(sky.templates.values)
    maps[0] = response(sky.templates.values[0])
    left = {1: [], 3: []}
    for seed in range(6):
        field, truth = responding(sky, seed, maps)
        for order, rms in left.items():
            rms.append(np.std(FITS[family](field, sky.templates, order, nulls).curve - truth))
    assert np.mean(left[3]) < 0.9 * np.mean(left[1])


def test_clean_fields_are_corrected_rarely_when_calibrated_and_mostly_when_not(sky):
    """100 fields, one smooth template: the standard error of a share is 0.04 to 0.05."""
    smooth = replace(sky.templates, values=sky.templates.values[2:], names=sky.templates.names[2:])
    null = null_delta_chi2(sky.field(0), smooth, sky.spectrum, 300, np.random.default_rng(1))
    fields = [sky.field(1000 + s) for s in range(100)]
    calibrated = [binned_regression(field, smooth, nulls=null) for field in fields]
    naive = [binned_regression(field, smooth, calibrated=False) for field in fields]
    # chance of a Gaussian amplitude: 0.16, and the level itself is known to a tenth
    assert np.mean([bool(fit.corrected) for fit in calibrated]) == pytest.approx(0.16, abs=0.13)
    assert np.mean([bool(fit.corrected) for fit in naive]) > 0.5
    assert calibrated[0].calibrated
    assert not naive[0].calibrated


def test_corrections_are_listed_by_significance(sky, nulls):
    fit = binned_regression(sky.field(1, A, A), sky.templates, nulls=nulls)
    assert fit.corrected[0].template == sky.templates.names[0]
    assert fit.corrected[0].ratio == pytest.approx(fit.before.max())
    assert fit.corrected[0].delta_chi2 == pytest.approx(fit.before.max() * nulls.level(1)[0])
    assert fit.after.max() < fit.threshold == 2.0
    assert fit.iterations == len(fit.corrected) > 0
    assert (fit.n_bins, fit.order) == (10, 1)


def test_too_few_steps_are_reported(sky, nulls):
    field = sky.field(1, A, A)
    assert "not converged: F still changes" in iterative_regression(field, sky.templates, max_fits=1).status
    status = binned_regression(field, sky.templates, nulls=nulls, max_corrections=0).status
    assert status.startswith("not converged: white_noise has ratio")


def test_spectrum_draws_its_own_null_realisations(sky):
    field = sky.field(2, A, A)
    null = null_delta_chi2(field, sky.templates, sky.spectrum, 10, np.random.default_rng(3))
    one = binned_regression(field, sky.templates, order=3, nulls=null)
    two = binned_regression(field, sky.templates, order=3, spectrum=sky.spectrum, n_mocks=10, seed=3)
    np.testing.assert_array_equal(one.before, two.before)


def test_null_realisations_do_not_depend_on_how_many_there_are(sky):
    few, more = (
        null_delta_chi2(sky.field(0), sky.templates, sky.spectrum, n, np.random.default_rng(4)) for n in (3, 11)
    )
    for order in (1, 3):
        np.testing.assert_allclose(few.delta_chi2[order], more.delta_chi2[order][:3], rtol=1e-10)


def test_independent_pixels_have_the_levels_of_chi2():
    """Without clustering, 200 realisations of four templates: levels to 7 and 4 per cent each."""
    sky = ClusteredSky(nside=16, rms=1e-3, families=("white_noise", "power_neg1", "power_neg2", "exp_linear"))
    null = null_delta_chi2(sky.field(0), sky.templates, sky.spectrum, 200, np.random.default_rng(5))
    assert null.level(1).mean() == pytest.approx(0.989, rel=0.25)
    assert null.level(3).mean() == pytest.approx(3.506, rel=0.15)


def test_uneven_coverage_is_not_contamination():
    """Pixels with few expected galaxies scatter more, and that is all."""
    sky = ClusteredSky(nside=16, nbar=1e5)
    expected = 5.0 + 30.0 / (1.0 + np.exp(-2.0 * sky.templates.values[0]))
    fields = []
    for seed in range(30):
        counts = np.random.default_rng(seed).poisson(expected * (1.0 + sky.field(seed).delta))
        fields.append(Field(counts / expected - 1.0, expected, sky.footprint))
    null = null_delta_chi2(fields[0], sky.templates, sky.spectrum, 100, np.random.default_rng(6))
    for family in FITS:
        found = [FITS[family](field, sky.templates, 1, null).a[0] for field in fields]
        assert abs(np.mean(found)) < 3.5 * np.std(found) / np.sqrt(30) + 1e-12


class TestParts:
    def test_variance_of_a_large_offset_keeps_its_digits(self):
        scatter = np.random.default_rng(0).standard_normal((2, 1000))
        share, starts = np.full(1000, 1 / 250), np.arange(0, 1000, 250)
        mean, variance = binned_density(1e8 + scatter, share, starts)
        expected = scatter.reshape(2, 4, 250)
        np.testing.assert_allclose(variance, expected.var(2, ddof=1) / 250, rtol=1e-6)
        np.testing.assert_allclose(mean - 1e8, expected.mean(2), atol=1e-6)

    def test_bins_weigh_by_expected_counts(self):
        weight = np.array([1.0, 3.0, 2.0, 2.0])
        mean, variance = binned_density(np.array([[0.0, 1.0, 2.0, 4.0]]), weight / 4, np.array([0, 2]))
        np.testing.assert_allclose(mean, [[0.75, 3.0]])
        np.testing.assert_allclose(variance[0, 1], np.var([2.0, 4.0], ddof=1) / 2)

    def test_bins_have_equal_occupancy(self):
        np.testing.assert_array_equal(bin_starts(np.arange(100.0), 10), np.arange(0, 100, 10))

    def test_equal_values_stay_in_one_bin(self):
        t = np.repeat([0.0, 1.0, 2.0], [940, 1, 59])
        starts = bin_starts(t, 10)
        np.testing.assert_array_equal(starts, [0, 940])
        np.testing.assert_array_equal(bin_starts(np.zeros(30), 10), [0])

    def test_polynomials_are_orthonormal_on_the_pixels(self):
        t = np.exp(np.random.default_rng(1).standard_normal(5000))
        low, high = populated_range(t)
        values = Polynomials.on(t, low, high, 3)(t)
        np.testing.assert_allclose(values @ values.T / t.size, np.eye(4), atol=1e-10)
        assert np.sum(t < low) == np.sum(t > high) == 20

    def test_a_template_of_two_values_has_a_line_only(self):
        t = np.repeat([-1.0, 1.0], 50)
        values = Polynomials.on(t, -1.0, 1.0, 3)(t)
        np.testing.assert_allclose(values[1], t, atol=1e-12)
        assert not values[2:].any()


def test_flags_as_templates(sky, nulls):
    """Whether a pixel was observed by one camera or the other."""
    flag = np.zeros((1, sky.coverage.size))
    flag[0, sky.pixels[::2]] = 1.0
    templates = standardise(flag, ("flag",), sky.pixels)
    response = 0.2 * templates.values
    other = replace(sky.templates, values=response)
    flagged = copy.copy(sky)
    flagged.templates = replace(other, names=("flag",))
    field = flagged.field(0, a=1.0, b=1.0)
    for order in (1, 3):
        assert iterative_regression(field, templates, order=order).a[0] == pytest.approx(0.2, abs=0.03)
        binned = binned_regression(field, templates, order=order, calibrated=False)
        assert binned.a[0] == pytest.approx(0.2, abs=0.03)


@pytest.mark.parametrize(
    ("run", "error", "message"),
    [
        (lambda f, t: iterative_regression(f, t, order=2), ParameterError, "order is 2: give 1 .* or 3"),
        (lambda f, t: binned_regression(f, t, order=5), ParameterError, "order is 5: give 1 .* or 3"),
        (lambda f, t: binned_regression(f, t), ParameterError, "give nulls of null_delta_chi2, or the spectrum"),
        (lambda f, t: binned_regression(f, t, order=3, n_bins=3), ParameterError, "n_bins is 3 .* take at least 4"),
        (lambda f, t: binned_regression(f, t, n_bins=5000), DataError, "pixels cannot fill 5000 bins with two each"),
        (lambda f, t: iterative_regression(f, t, max_fits=0), ParameterError, "max_fits is 0: give 1 or more"),
        (
            lambda f, t: binned_regression(f, t, nulls=Nulls({1: np.ones((2, 3))}, t.names, 20)),
            ParameterError,
            "nulls are of 20 bins .* the fit is of 10 bins",
        ),
        (
            lambda f, t: null_delta_chi2(f, t, np.zeros(48), 0, np.random.default_rng(0)),
            ParameterError,
            "n_mocks is 0: give 1 or more",
        ),
    ],
)
def test_refuses(sky, run, error, message):
    with pytest.raises(error, match=message):
        run(sky.field(0), sky.templates)


def test_too_few_pixels_for_the_curves(sky):
    field, few = sky.field(0), slice(0, 70)
    small = Field(field.delta[few], field.expected[few], Footprint(field.pixels[few], field.nside))
    templates = replace(sky.templates, values=sky.templates.values[:, few], footprint=small.footprint)
    with pytest.raises(DataError, match="70 pixels are too few for 3 curves of order 3"):
        iterative_regression(small, templates, order=3)
