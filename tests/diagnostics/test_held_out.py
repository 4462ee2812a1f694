import healpy as hp
import numpy as np
import pytest
from scipy import stats
from skies import ClusteredSky
from threadpoolctl import threadpool_limits

from sysmap_core.covariance.sandwich import linear_covariance, sum_covariance
from sysmap_core.diagnostics import p_values
from sysmap_core.diagnostics.held_out import held_out_patches, held_out_templates, squares
from sysmap_core.diagnostics.ranking import footprint_cuts, forward_selection, leverage, rank_templates
from sysmap_core.errors import DataError, ParameterError
from sysmap_core.harmonic.spectra import variance
from sysmap_core.methods.linear import least_squares
from sysmap_core.sky.field import Field
from sysmap_core.sky.footprints import Footprint
from sysmap_core.sky.patches import spatial_patches
from sysmap_core.templates.rotation import dual_maps
from sysmap_core.templates.template_set import TemplateSet

N_FIELDS = 150

NAMES = ("white_noise", "power_neg1", "power_neg2")


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Transforms of small maps take far longer with more threads than there are free cores."""
    with threadpool_limits(1):
        yield


@pytest.fixture(scope="module")
def sky():
    return ClusteredSky(nside=16, rms=0.3, nbar=40.0)


@pytest.fixture(scope="module")
def small():
    """A sky that is quick to draw, for false alarms."""
    return ClusteredSky(nside=8, rms=0.3, nbar=60.0)


@pytest.fixture(scope="module")
def fields(small):
    return [small.field(s) for s in range(N_FIELDS)]


@pytest.fixture
def few_draws(monkeypatch):
    """Fewer draws behind every family-wise probability, where hundreds of fields are tested."""
    monkeypatch.setattr(p_values, "NULL_DRAWS", 4000)


def arrange(templates, order, names=None):
    """Templates in another order, perhaps repeated."""
    names = names or tuple(templates.names[i] for i in order)
    ones = np.ones(len(order))
    return TemplateSet(templates.values[list(order)], names, templates.footprint, 0 * ones, ones)


def plus(field, extra):
    return Field(field.delta + extra, field.expected, field.footprint)


def assert_calibrated(tests):
    """z of unit width for every template, p uniform, and the family as often below 0.05 as it says."""
    z, p, family = (np.array([getattr(t, name).ravel() for t in tests]) for name in ("z", "p", "family_p"))
    n = len(tests)
    # the sums are nearly normal: their fourth moment is within the three and a half errors
    assert np.all(np.abs(z.std(0) - 1.0) < 3.5 / np.sqrt(2 * n)), z.std(0)
    assert np.all(np.abs(z.mean(0)) < 3.5 / np.sqrt(n)), z.mean(0)
    assert min(stats.kstest(column, "uniform").pvalue for column in p.T) > 0.001
    assert abs(np.mean(family.min(1) < 0.05) - 0.05) < 3.5 * np.sqrt(0.05 * 0.95 / n)


def on_clean_fields(test, small, fields):
    return [test(f, small.templates, spectrum=small.spectrum) for f in fields]


@pytest.mark.usefixtures("few_draws")
@pytest.mark.parametrize("test", [held_out_templates, squares, rank_templates])
def test_no_alarm_without_contamination(small, fields, test):
    tests = on_clean_fields(test, small, fields)
    if test is rank_templates:
        tests = [arranged(t, small.templates.names) for t in tests]
    assert_calibrated(tests)


def arranged(test, names):
    order = [test.names.index(name) for name in names]
    return type(test)(tuple(names), *(x[order] for x in (test.values, test.errors, test.p, test.family_p)))


@pytest.mark.usefixtures("few_draws")
def test_no_alarm_of_cuts(small, fields):
    found = [footprint_cuts(f, small.templates, (0.05, 0.2), spectrum=small.spectrum) for f in fields[:100]]
    assert_calibrated([f.shifts for f in found])
    assert_calibrated([f.amplitudes for f in found])
    assert found[0].shifts.values.shape == (3, 2)


def test_no_gain_without_contamination(small, fields):
    tests = [held_out_patches(f, small.templates, spectrum=small.spectrum) for f in fields]
    gains = np.array([t.gain for t in tests])
    assert gains.mean() == pytest.approx(tests[0].expected, abs=3.5 * gains.std() / np.sqrt(N_FIELDS))
    # quadratic forms have heavy tails: the error of their width, from the fields
    spread = (gains - gains.mean()) ** 2
    assert spread.mean() == pytest.approx(tests[0].scatter ** 2, abs=3.5 * spread.std() / np.sqrt(N_FIELDS))
    assert stats.kstest([t.p for t in tests], "uniform").pvalue > 0.001
    assert tests[0].expected < 0.0


def test_gain_of_a_fit_that_is_needed(sky):
    test = held_out_patches(sky.field(0, a=[0.2, 0.0, 0.0]), sky.templates, n_folds=8, spectrum=sky.spectrum)
    assert test.gains.shape == (8,)
    assert test.gain == pytest.approx(0.2**2 / (0.3**2 + 1 / 40), abs=4 * test.error)
    assert test.gain > 5 * test.error
    assert test.z > 5
    assert test.p < 0.001


def test_gain_is_that_of_fits_fold_by_fold(sky):
    """The quadratic form against fits of pixels."""
    field, values = sky.field(1), sky.templates.values
    test = held_out_patches(field, sky.templates, n_folds=6, spectrum=sky.spectrum)
    fold, weights = spatial_patches(field.pixels, 16, 6), 1 / (variance(sky.spectrum) + 1 / field.expected)
    for k in range(6):
        seen, root = fold != k, np.sqrt(weights)
        a = np.linalg.lstsq((root * values)[:, seen].T, (root * field.delta)[seen], rcond=None)[0]
        left = weights * (field.delta**2 - (field.delta - a @ values) ** 2)
        assert test.gains[k] == pytest.approx(left[~seen].sum() / field.n_pix, abs=1e-12)


def test_held_out_template_of_a_linear_fit_is_the_joint_one(sky):
    field = sky.field(0, a=[0.1, 0.0, 0.1])
    test = held_out_templates(field, sky.templates, spectrum=sky.spectrum)
    np.testing.assert_allclose(test.values, least_squares(field, sky.templates), rtol=1e-9)
    errors = np.sqrt(np.diag(linear_covariance(field, sky.templates, sky.spectrum).cov))
    np.testing.assert_allclose(test.errors, errors, rtol=1e-9)


def test_held_out_contamination_is_detected(sky):
    """By a template outside the fit, and not by those that are clean."""
    test = held_out_templates(sky.field(0, a=[0.2, 0.0, 0.0]), sky.templates, spectrum=sky.spectrum)
    assert test.values[0] == pytest.approx(0.2, abs=4 * test.errors[0])
    assert test.z[0] > 10
    assert test.family_p[0] < 0.001
    assert np.all(np.abs(test.z[1:]) < 3.5)


@pytest.mark.usefixtures("few_draws")
def test_clean_template_beside_contaminated_ones(small):
    """The fit of the others is in the error: a clean template stays within it."""
    contaminated = [small.field(s, a=[0.15, 0.1, 0.0]) for s in range(N_FIELDS)]
    z = np.array([t.z for t in on_clean_fields(held_out_templates, small, contaminated)])
    assert abs(z[:, 2].std() - 1.0) < 3.5 / np.sqrt(2 * N_FIELDS)
    assert abs(z[:, 2].mean()) < 3.5 / np.sqrt(N_FIELDS)
    assert np.median(z[:, 0]) > 3.0


def test_held_out_templates_of_the_combined_fit(small):
    """Cleaned by another method, the orthogonal part of a template changes by less than its error."""
    for seed in range(5):
        field = small.field(seed, a=[0.1, 0.0, 0.0], b=[0.15, 0.0, 0.0])
        linear, combined = (
            held_out_templates(field, small.templates, result_method=m, spectrum=small.spectrum)
            for m in ("OLS", "MCMC-comb")
        )
        np.testing.assert_array_equal(combined.errors, linear.errors)
        assert combined.z[0] > 3.0
        assert np.all(np.abs(combined.z - linear.z) < 0.5)
        assert not np.any(combined.values == linear.values)


def test_a_single_template_held_out(sky):
    """Nothing is fitted: the map itself."""
    one, field = arrange(sky.templates, [1]), sky.field(0)
    tests = [held_out_templates(field, one, result_method=m, spectrum=sky.spectrum) for m in ("OLS", "MCMC-comb")]
    assert tests[0].values == tests[1].values == pytest.approx(np.mean(one.values[0] * field.delta))


def test_quadratic_contamination_is_seen_by_squares(sky):
    """The linear fit leaves all of it, and linear contamination does not fake it."""
    values = sky.templates.values
    square = values[1] ** 2 - 1.0
    square -= (square @ values.T) @ dual_maps(sky.templates)
    square /= square.std()
    field = plus(sky.field(0, a=[0.2, 0.0, 0.1]), 0.15 * square)
    cleaned = field.delta - least_squares(field, sky.templates) @ values
    test = squares(field, sky.templates, cleaned, spectrum=sky.spectrum)
    assert test.values[1] == pytest.approx(0.15, abs=3.5 * test.errors[1])
    assert test.z[1] > 5
    assert test.family_p[1] < 0.001
    assert np.all(np.abs(test.z[[0, 2]]) < 3.5)
    np.testing.assert_allclose(squares(field, sky.templates, spectrum=sky.spectrum).values, test.values, atol=1e-12)


def test_squares_of_two_values(sky):
    values = sky.templates.values.copy()
    half = np.where(np.arange(values.shape[1]) % 3 > 0, 1.0, -2.0)
    values[0] = (half - half.mean()) / half.std()
    step = TemplateSet(values, NAMES, Footprint(sky.pixels, 16), np.zeros(3), np.ones(3))
    assert squares(sky.field(0), step, spectrum=sky.spectrum).names == NAMES[1:]
    with pytest.raises(DataError, match="two values only"):
        squares(sky.field(0), arrange(step, [0]), spectrum=sky.spectrum)


def test_ranking_is_by_calibrated_significance(sky):
    """The smooth template has the larger amplitude, the white one the larger significance."""
    a = np.array([0.08, 0.0, 0.12])
    test = rank_templates(sky.field(4, a=a), sky.templates, spectrum=sky.spectrum)
    assert test.names[0] == "white_noise"
    assert np.all(np.diff(np.abs(test.z)) <= 0)
    order = [NAMES.index(n) for n in test.names]
    alone = linear_covariance(sky.field(0), arrange(sky.templates, [order[1]]), sky.spectrum).cov
    assert test.errors[1] == pytest.approx(np.sqrt(alone[0, 0]), rel=1e-3)
    assert test.family_p[0] < 0.001


def test_selection_finds_what_was_injected(sky):
    """A template that only looks contaminated through another one is left out."""
    values = sky.templates.values
    mixed = 0.8 * values[0] + 0.6 * values[1]
    copy = TemplateSet(
        np.vstack([values, mixed / mixed.std()]), (*NAMES, "mixed"), Footprint(sky.pixels, 16), np.zeros(4), np.ones(4)
    )
    field = sky.field(2, a=[0.2, 0.0, 0.15])
    found = forward_selection(field, copy, spectrum=sky.spectrum)
    assert found.chosen.names == ("white_noise", "power_neg2")
    assert np.all(found.chosen.family_p < 0.05)
    assert np.all(found.remaining.family_p > 0.05)
    assert set(found.remaining.names) == {"power_neg1", "mixed"}
    # beside the chosen ones, a remaining template has the amplitude of the joint fit of the three
    joint = arrange(copy, [0, 2, 3])
    wanted = held_out_templates(field, joint, spectrum=sky.spectrum)
    i = found.remaining.names.index("mixed")
    assert found.remaining.values[i] == pytest.approx(wanted.values[2], rel=1e-9)
    assert found.remaining.errors[i] == pytest.approx(wanted.errors[2], rel=1e-6)


@pytest.mark.usefixtures("few_draws")
def test_selection_in_clean_fields_is_rare(small, fields):
    found = [s.chosen.names for s in on_clean_fields(forward_selection, small, fields)]
    rate = np.mean([len(names) > 0 for names in found])
    assert abs(rate - 0.05) < 3.5 * np.sqrt(0.05 * 0.95 / N_FIELDS)


def test_selection_of_copies(sky):
    """A copy of a chosen template holds nothing more and is not tested again."""
    twice = arrange(sky.templates, [0, 0, 1], ("one", "copy", "other"))
    found = forward_selection(sky.field(0, a=[0.2, 0, 0]), twice, spectrum=sky.spectrum)
    assert found.chosen.names == ("one",)
    assert found.remaining.names == ("other",)
    assert found.chosen.z.shape == (1,)


def test_selection_of_nothing(sky):
    found = forward_selection(sky.field(0), sky.templates, spectrum=sky.spectrum, threshold=1e-4)
    assert found.chosen.names == ()
    assert found.chosen.values.shape == (0,)
    assert found.remaining.names == NAMES


def test_cuts_see_what_sits_in_the_extremes(sky):
    extreme = np.where(np.abs(sky.templates.values[0]) > 2.0, 0.3 * np.sign(sky.templates.values[0]), 0.0)
    field = sky.field(0)
    found = footprint_cuts(plus(field, extreme), sky.templates, (0.1,), spectrum=sky.spectrum)
    assert found.shifts.z[0, 0] < -4
    assert found.shifts.family_p[0, 0] < 0.001
    assert np.all(np.abs(found.shifts.z[1:]) < 3.5)


def test_cuts_do_not_shift_linear_contamination(sky):
    """Templates keep their scale, so a strong amplitude stays what it is."""
    field = sky.field(0)
    a = np.array([0.5, -0.3, 0.4])
    clean, strong = (
        footprint_cuts(f, sky.templates, (0.05, 0.2), spectrum=sky.spectrum)
        for f in (field, plus(field, a @ sky.templates.values))
    )
    np.testing.assert_allclose(strong.shifts.values, clean.shifts.values, atol=1e-10)
    np.testing.assert_allclose(strong.amplitudes.values, clean.amplitudes.values + a[:, None], atol=1e-10)


def test_leverage(sky):
    values = sky.templates.values.copy()
    values[2, 7] = 60.0
    values[2] = (values[2] - values[2].mean()) / values[2].std()
    spiked = TemplateSet(values, NAMES, Footprint(sky.pixels, 16), np.zeros(3), np.ones(3))
    found = leverage(spiked, 100.0)
    hat = values.T @ np.linalg.inv(values @ values.T) @ values
    np.testing.assert_allclose(found.values, np.diag(hat), rtol=1e-9)
    assert found.mean == pytest.approx(3 / values.shape[1])
    np.testing.assert_array_equal(np.flatnonzero(found.mask), [7])
    assert not leverage(sky.templates).mask.any()


def test_covariance_of_sums_written_out(small):
    """Over pairs of pixels, of a field that has no mean."""
    field = small.field(0)
    uneven = Field(field.delta, 20.0 * np.exp(0.3 * small.templates.values[0]), Footprint(field.pixels, 8))
    vectors = np.array(hp.pix2vec(8, field.pixels))
    factors = (2 * np.arange(24) + 1) / (4 * np.pi) * small.spectrum
    matrix = np.polynomial.legendre.legval(np.clip(vectors.T @ vectors, -1, 1), factors)
    matrix += np.diag(1 / uneven.expected)
    without_mean = np.eye(field.n_pix) - np.outer(np.ones(field.n_pix), uneven.expected / uneven.expected.sum())
    rows = np.random.default_rng(0).random((2, field.n_pix))
    wanted = rows @ without_mean @ matrix @ without_mean.T @ rows.T
    np.testing.assert_allclose(sum_covariance(rows, uneven, small.spectrum), wanted, rtol=1e-7)


@pytest.mark.parametrize("test", [held_out_templates, squares, rank_templates])
def test_templates_in_another_order(sky, test):
    """The numbers follow the names; family-wise p within the errors of its draws."""
    field = sky.field(3, a=[0.1, 0.0, 0.0])
    one = arranged(test(field, sky.templates, spectrum=sky.spectrum), NAMES)
    other = arranged(test(field, arrange(sky.templates, [2, 0, 1]), spectrum=sky.spectrum), NAMES)
    for column in ("values", "errors", "p"):
        np.testing.assert_allclose(getattr(other, column), getattr(one, column), rtol=1e-6)
    np.testing.assert_allclose(other.family_p, one.family_p, atol=5 * 0.5 / np.sqrt(p_values.NULL_DRAWS))


def test_selection_and_gain_in_another_order(sky):
    field, turned = sky.field(3, a=[0.1, 0.0, 0.1]), arrange(sky.templates, [2, 0, 1])
    chosen = [forward_selection(field, t, spectrum=sky.spectrum).chosen.names for t in (sky.templates, turned)]
    assert chosen[0] == chosen[1] != ()
    gains = [held_out_patches(field, t, spectrum=sky.spectrum).gains for t in (sky.templates, turned)]
    np.testing.assert_allclose(*gains, rtol=1e-8)


def test_spectrum_of_the_field_itself(sky):
    """Estimated when none is given."""
    given, own = (held_out_templates(sky.field(0), sky.templates, spectrum=s) for s in (sky.spectrum, None))
    np.testing.assert_allclose(own.errors, given.errors, rtol=0.4)
    assert not np.any(own.errors == given.errors)


def test_inputs_that_do_not_match(sky):
    field, spectrum = sky.field(0), sky.spectrum
    elsewhere = Field(field.delta, field.expected, Footprint(field.pixels[::-1], 16))
    nowhere = Field(field.delta, field.expected, Footprint(field.pixels))
    for test in (held_out_templates, held_out_patches, squares, rank_templates, forward_selection, footprint_cuts):
        with pytest.raises(DataError, match="in another order: use the same pixels, and standardise the templates"):
            test(elsewhere, sky.templates, spectrum=spectrum)
        with pytest.raises(DataError, match="place of the pixels of the field is not known"):
            test(nowhere, sky.templates, spectrum=spectrum)
        with pytest.raises(DataError, match=r"spectrum has shape \(5,\)"):
            test(field, sky.templates, spectrum=np.zeros(5))
    with pytest.raises(DataError, match=r"cleaned has shape \(3,\) for 1856 pixels"):
        squares(field, sky.templates, np.zeros(3), spectrum=spectrum)


def test_parameters_that_cannot_be(sky):
    field, spectrum = sky.field(0), sky.spectrum
    with pytest.raises(ParameterError, match="did you mean 'OLS'"):
        held_out_templates(field, sky.templates, result_method="OLZ", spectrum=spectrum)
    with pytest.raises(ParameterError, match="n_folds is 1: give at least 2"):
        held_out_patches(field, sky.templates, n_folds=1, spectrum=spectrum)
    with pytest.raises(ParameterError, match=r"fractions are \[0.0, 0.5\]: give numbers between 0 and 1"):
        footprint_cuts(field, sky.templates, (0.0, 0.5), spectrum=spectrum)
    with pytest.raises(ParameterError, match="threshold is 1: give a probability"):
        forward_selection(field, sky.templates, spectrum=spectrum, threshold=1)


def test_degenerate_templates(sky):
    field, copies = sky.field(0), arrange(sky.templates, [0, 0], ("one", "copy"))
    for test in (held_out_templates, squares, footprint_cuts):
        with pytest.raises(DataError, match="templates one, copy are linear combinations"):
            test(field, copies, spectrum=sky.spectrum)
    with pytest.raises(DataError, match="degenerate without one of the folds"):
        held_out_patches(field, copies, spectrum=sky.spectrum)
    with pytest.raises(DataError, match="templates one, copy are linear combinations"):
        leverage(copies)


def test_cut_of_all_that_varies(sky):
    spike = np.zeros((1, len(sky.pixels)))
    spike[0, :20] = 1.0
    spiked = TemplateSet(
        (spike - spike.mean()) / spike.std(), ("spike",), Footprint(sky.pixels, 16), np.zeros(1), np.ones(1)
    )
    with pytest.raises(DataError, match=r"without 0.05 of the pixels templates are constant or degenerate"):
        footprint_cuts(sky.field(0), spiked, (0.05,), spectrum=sky.spectrum)
