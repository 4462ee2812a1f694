"""Cuts and new fits: errors of differences, and a response that is not linear where it is cut."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from skies import ClusteredSky

from sysmap_core.analysis.mask_steps import LeverageCut
from sysmap_core.analysis.masking import mask_and_refit
from sysmap_core.errors import DataError, ParameterError
from sysmap_core.summaries import spread_and_error
from sysmap_core.templates.cuts import TemplateCut
from sysmap_core.templates.template_set import from_pixels
from sysmap_core.two_point.of_fields import field_correlation

EDGES = np.geomspace(250.0, 2000.0, 4)

TRUE_A = np.array([0.08, -0.05, 0.06])

SMOOTH = 2  # template that is cut

THRESHOLD = 1.3  # rms of it

N_FIELDS = 10


@pytest.fixture(scope="module")
def sky():
    return ClusteredSky(nside=16, rms=0.3, nbar=40.0)


def upper(sky, value=THRESHOLD):
    """Cut of a smooth template in its unit."""
    templates = sky.templates
    return TemplateCut(templates.names[SMOOTH], high=templates.mean[SMOOTH] + value * templates.rms[SMOOTH])


def refit(field, sky, cuts, **options):
    common = {"edges_arcmin": EDGES, "n_realisations": 12, "spectrum": sky.spectrum, "method": "OLS"}
    return mask_and_refit(field, sky.templates, cuts, **common | options)


def over_threshold(sky, seed):
    """Field whose density rises steeply with a template beyond the threshold."""
    field, values = sky.field(seed, a=TRUE_A), sky.templates.values[SMOOTH]
    return replace(field, delta=field.delta + 1.5 * np.maximum(values - THRESHOLD, 0.0))


@pytest.fixture(scope="module")
def beyond(sky):
    """Results for such fields, and the curves of the same fields without contamination."""
    found = [refit(over_threshold(sky, seed), sky, [upper(sky)], seed=seed) for seed in range(N_FIELDS)]
    curves = []
    for seed, result in enumerate(found):
        clean = sky.field(seed)
        parts = clean, clean.restricted(result.steps[1].fit.footprint.pixels)
        curves.append([field_correlation(part, edges_arcmin=EDGES, engine="harmonic").w for part in parts])
    return found, np.array(curves)


def test_a_cut_where_the_response_is_not_linear_restores_the_clustering(beyond, sky):
    """To what a linear response everywhere would have left of the errors."""
    found, true = beyond
    off = np.array([[step.correlation.w for step in result.steps] for result in found]) - true
    mean, error, rms = off.mean(0), off.std(0, ddof=1) / np.sqrt(N_FIELDS), np.sqrt(np.mean(off**2, axis=0))
    assert np.all(np.abs(mean[1]) < 3.5 * error[1])
    assert np.all(rms[0] > 2.0 * rms[1])
    linear = refit(sky.field(0, a=TRUE_A), sky, [upper(sky)], n_realisations=5)
    np.testing.assert_allclose(found[0].steps[1].correlation.w, linear.steps[1].correlation.w)


def test_and_its_difference_is_significant(beyond):
    """By its own error, though it is smaller than that of either curve."""
    found, _ = beyond
    assert np.median([result.change(1).p for result in found]) < 5e-3
    assert np.median([result.amplitude_change(1).p for result in found]) < 1e-3
    for result in found:
        change, alone = result.change(1), result.steps[1].correlation.error
        assert np.all(change.error < 0.7 * alone)


def pulls_and_p(sky, seeds, **options):
    """Differences over their errors and p, of fields whose response is linear everywhere."""
    off, p = [], []
    for seed in seeds:
        result = refit(sky.field(seed, a=TRUE_A), sky, [upper(sky)], seed=seed, **options)
        both = result.change(1), result.amplitude_change(1)
        off.append(np.concatenate([(x.difference - x.expected) / x.error for x in both]))
        p.append([x.p for x in both])
    return np.array(off), np.array(p)


def test_without_a_cause_differences_scatter_as_their_errors_say(sky):
    """Errors of 12 realisations are known to 21 %, which widens the pulls by 11 %."""
    off, p = pulls_and_p(sky, range(12), n_realisations=12)
    spread = spread_and_error(off, about=0.0).value
    assert np.all(np.abs(spread - 1.11) < 3.5 * 1.11 / np.sqrt(2 * len(off)))
    assert np.mean(p < 0.05) < 0.2


@pytest.mark.slow
@pytest.mark.parametrize("method", ["OLS", "GLS"])
def test_differences_scatter_as_their_errors_say_on_estimated_spectra(sky, method):
    """Errors of estimated spectra are up to some 20 % too large, and no more than 5 % too small."""
    off, p = pulls_and_p(sky, range(40), n_realisations=25, spectrum=None, method=method)
    spread = spread_and_error(off, about=0.0)
    assert np.all(spread.value < 1.05 + 3.5 * spread.error)
    assert np.all(spread.value > 0.8 - 3.5 * spread.error)
    assert np.all(np.abs(np.mean(p < 0.05, axis=0) - 0.05) < 3.5 * np.sqrt(0.05 * 0.95 / 40))


@pytest.fixture(scope="module")
def linear(sky):
    """Two cuts on a field whose response is linear, each alone as well."""
    cuts = [upper(sky, 0.5), TemplateCut("white_noise", quantiles=(0.1, 1.0))]
    return refit(sky.field(3, a=TRUE_A), sky, cuts, each_alone=True, n_realisations=20, seed=5)


def test_cuts_are_made_one_after_the_other_and_alone(linear, sky):
    first, second = (str(cut) for cut in (upper(sky, 0.5), TemplateCut("white_noise", quantiles=(0.1, 1.0))))
    assert [step.label for step in linear.steps] == ["no cut", first, f"{first}, {second}", second]
    assert [step.before for step in linear.steps] == [None, 0, 1, 0]
    pixels = [set(step.fit.footprint.pixels) for step in linear.steps]
    assert pixels[2] == pixels[1] & pixels[3]
    templates = sky.templates
    assert pixels[1] == set(templates.pixels[templates.values[SMOOTH] <= 0.5])
    assert len(pixels[3]) == pytest.approx(0.9 * len(pixels[0]), abs=1)


def test_steps_say_what_is_left(linear, sky):
    for step in linear.steps:
        left = np.isin(sky.pixels, step.fit.footprint.pixels)
        field = sky.field(3, a=TRUE_A)
        assert step.n_galaxies == pytest.approx(((1.0 + field.delta) * field.expected)[left].sum())
        assert step.area == pytest.approx(left.sum() * 41252.96 / 3072)
        np.testing.assert_allclose(step.fit.templates.values.std(1), 1.0)
        assert step.decision.p.shape == (3,)
    assert linear.steps[0].fit.footprint.n_pix == len(sky.pixels)


def test_amplitudes_are_in_the_unit_of_the_first_footprint(linear, sky):
    """Of a linear response all steps find the same, where the template varies less as well."""
    step = linear.steps[1]
    scale = sky.templates.rms / step.fit.templates.rms
    assert scale[SMOOTH] > 1.3
    np.testing.assert_allclose(step.a.value, step.fit.a * scale)
    np.testing.assert_allclose(step.a.error, np.sqrt(np.diag(step.fit.cov_a)) * scale)
    change = linear.amplitude_change(2, 0)
    np.testing.assert_allclose(change.difference, linear.steps[2].a.value - linear.steps[0].a.value)
    assert np.all(np.abs(change.difference - change.expected) < 3.5 * change.error)


def test_realisations_have_the_law_of_the_last_cut_everywhere():
    """Amplitudes of all steps are those of its weights, per rms of the first footprint and of its mean density."""
    sky = ClusteredSky(nside=16, rms=0.03, nbar=4000.0)
    found = refit(sky.field(0, a=[0.0, 0.0, 0.3]), sky, [upper(sky, 0.3)], n_realisations=10)
    last = found.steps[1].fit
    slope = last.a_mean / last.templates.rms
    mean = 1.0 + slope @ (sky.templates.mean - last.templates.mean)
    assert mean > 1.1
    for step, scale in ((0, mean), (1, 1.0)):
        drawn = found.amplitudes[:, step, SMOOTH]
        error = drawn.std(ddof=1) / np.sqrt(len(drawn))
        assert error < 0.01
        assert abs(drawn.mean() - slope[SMOOTH] * sky.templates.rms[SMOOTH] / scale) < 4.0 * error + 1e-3
    # the same fields without contamination, whose clustering is that on what is left
    clean = refit(sky.field(0), sky, [upper(sky, 0.3)], n_realisations=10)
    assert found.curves[:, 1, 0].sum() == pytest.approx(clean.curves[:, 1, 0].sum(), rel=0.1)


def test_curves_come_with_the_covariance_of_the_realisations(linear):
    for i, step in enumerate(linear.steps):
        np.testing.assert_allclose(step.correlation.cov, np.cov(linear.curves[:, i], rowvar=False))
        assert step.correlation.estimator.endswith("what the fit took given back")


def test_rows_tell_all_of_it(linear):
    rows = linear.rows()
    assert rows[2]["cuts"] == linear.steps[2].label
    assert rows[2]["compared with"] == linear.steps[1].label
    assert rows[3]["p of w"] == linear.change(3, 0).p
    assert rows[3]["p of amplitudes"] == linear.amplitude_change(3, 0).p
    assert np.isnan(rows[0]["p of w"])
    assert rows[1]["area"] == linear.steps[1].area
    assert rows[1]["ratio"].value == linear.steps[1].decision.ratio


def test_cuts_may_look_at_other_maps(sky):
    stars = from_pixels(np.arange(1.0 * len(sky.pixels))[None], sky.footprint, names=["stars"])
    found = refit(sky.field(0), sky, [TemplateCut("stars", high=800.0)], by=stars, n_realisations=5)
    np.testing.assert_array_equal(found.steps[1].fit.footprint.pixels, sky.pixels[:801])


def test_workers_and_leverage(sky):
    cuts, field = [LeverageCut(2.5)], sky.field(0)
    alone = refit(field, sky, cuts, seed=3, n_realisations=18)
    with ThreadPoolExecutor(2) as pool:
        shared = refit(field, sky, cuts, seed=3, n_realisations=18, executor=pool)
    np.testing.assert_array_equal(alone.curves, shared.curves)
    hat = np.sum(sky.templates.values * np.linalg.pinv(sky.templates.values).T, axis=0)
    assert alone.steps[1].fit.footprint.n_pix == np.sum(hat <= 2.5 * hat.mean())


def test_mistakes(sky):
    field = sky.field(0)
    with pytest.raises(ParameterError, match=r"cuts are empty: give one cut or more, such as TemplateCut"):
        refit(field, sky, [])
    with pytest.raises(ParameterError, match="n_realisations is 4 for 3 bins: give 5 or more"):
        refit(field, sky, [upper(sky)], n_realisations=4)
    part = sky.templates.restricted(sky.pixels[:50])
    with pytest.raises(DataError, match=r"the field has .* pixels at nside 16 and the maps 50 pixels"):
        refit(field, sky, [upper(sky)], by=part)
