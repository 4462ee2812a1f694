from dataclasses import replace

import numpy as np
import pytest
from skies import ClusteredSky

from sysmap_core.diagnostics.decision import contamination_metric, verdict
from sysmap_core.harmonic.spectra import variance
from sysmap_core.methods.decontamination import decontaminate


@pytest.fixture(scope="module")
def sky():
    return ClusteredSky(nside=16, rms=0.3, nbar=40.0)


def test_verdict_on_a_contaminated_field(sky):
    fit = decontaminate(sky.field(0, a=[0.3, 0.0, 0.0]), sky.templates, "OLS", spectrum=sky.spectrum)
    advice = verdict(fit)
    assert advice.correct
    assert (advice.column, advice.model) == ("WEIGHT_SYS", "additive")
    assert advice.detected[0] == "white_noise"
    assert advice.contamination == pytest.approx(0.3, abs=0.06)
    assert advice.sentence.startswith("**Correct** this sample: the contamination is")


def test_verdict_on_clean_fields_is_mostly_not_to_correct(sky):
    advices = [verdict(decontaminate(sky.field(s), sky.templates, "OLS", spectrum=sky.spectrum)) for s in range(40)]
    # correcting a clean field for a chance alignment above the fit error happens, but rarely
    assert np.mean([a.correct for a in advices]) < 0.2
    no = next(a for a in advices if not a.correct)
    assert no.sentence.startswith("**Do not correct** this sample")


def test_to_correct_is_what_is_more_likely_than_not(sky):
    """On fields whose contamination is about that of the error of the fit."""
    fits = (decontaminate(sky.field(s, a=[0, 0, 0.06]), sky.templates, "OLS", spectrum=sky.spectrum) for s in range(40))
    advices = [verdict(fit) for fit in fits]
    assert any(0.5 < a.probability < 0.8 for a in advices)
    assert any(0.2 < a.probability < 0.5 for a in advices)
    for advice in advices:
        assert advice.correct == (advice.probability > 0.5)
        assert (advice.model, advice.column) == (("additive", "WEIGHT_SYS") if advice.correct else ("none", ""))


def test_contamination_is_unbiased(sky):
    a = np.array([0.0, 0.1, 0.0])
    found = []
    for seed in range(40):
        fit = decontaminate(sky.field(seed, a=a), sky.templates, "OLS", spectrum=sky.spectrum)
        power = fit.a @ fit.a  # templates are nearly uncorrelated
        advice = verdict(fit)
        found.append(advice.ratio**2 * advice.fit_error**2)
        assert power > 0
    error = np.std(found) / np.sqrt(len(found))
    # clipped at zero, the mean is biased upwards by a small part of its scatter
    assert np.mean(found) == pytest.approx(0.01, abs=4 * error)


def test_error_of_the_ratio_is_its_scatter(sky):
    found = [
        verdict(decontaminate(sky.field(s, a=[0.2, 0, 0.1]), sky.templates, "OLS", spectrum=sky.spectrum))
        for s in range(100)
    ]
    scatter = np.std([v.ratio for v in found])
    # the scatter of 100 skewed fields is known to some 10 %
    assert np.mean([v.ratio_error for v in found]) == pytest.approx(scatter, rel=0.35)


@pytest.fixture(scope="module")
def both(sky):
    return decontaminate(sky.field(0, a=[0.2, 0, 0], b=[0.2, 0, 0]), sky.templates, "GLS-comb", spectrum=sky.spectrum)


def test_metric_is_the_mean_square_of_a_map(sky, both):
    """Against maps: additive contamination, and field times multiplicative contamination."""
    values, n_pix = sky.templates.values, both.field.n_pix
    a, b = np.array([0.1, -0.2, 0.3]), np.array([0.2, 0.1, -0.1])
    found = np.concatenate([a, b]) @ contamination_metric(both) @ np.concatenate([a, b])
    field = variance(sky.spectrum)
    wanted = [np.sum((amplitudes @ values) ** 2) / n_pix for amplitudes in (a, b)]
    assert found == pytest.approx(wanted[0] + field * wanted[1])
    additive, same = (replace(both, model=model) for model in ("additive", "multiplicative"))
    assert a @ contamination_metric(additive) @ a == pytest.approx(wanted[0])
    assert a @ contamination_metric(same) @ a == pytest.approx((1.0 + field) * wanted[0])


def test_verdict_on_both_kinds(both):
    advice = verdict(both)
    assert (advice.model, advice.correct) == ("combined", True)
    assert advice.probability_b > 0.9
    assert "multiplicative amplitudes help beside the additive ones is more than 99 %" in advice.sentence
    metric = contamination_metric(both)
    theta = np.concatenate([both.a, both.b])
    power = theta @ metric @ theta - np.sum(metric * both.cov)
    assert advice.contamination == pytest.approx(np.sqrt(power))
    assert advice.contamination > verdict(replace(both, model="additive")).contamination


def test_losses_are_ordered_and_in_the_sentence(sky, both):
    """Posterior means lose least, and what is removed follows from them."""
    advice = verdict(both)
    assert set(advice.losses) == {"none", "additive", "combined"}
    assert advice.losses["combined"] < advice.losses["additive"] < advice.losses["none"]
    assert advice.removed == pytest.approx(1 - (advice.losses["combined"] / advice.losses["none"]) ** 2)
    assert f"take {100 * advice.removed:.0f} % of the mean square of the contamination away" in advice.sentence
    raw = decontaminate(sky.field(0), sky.templates, "OLS", spectrum=sky.spectrum, shrinkage="none")
    assert "posterior means" not in verdict(raw).sentence
    assert set(verdict(raw).losses) == {"none", "additive"}
    assert np.isnan(verdict(raw).probability_b)


def test_amplitudes_b_that_are_noise_are_left_out(sky):
    fits = (
        decontaminate(sky.field(s, a=[0.3, 0.1, 0.2]), sky.templates, "GLS-comb", spectrum=sky.spectrum)
        for s in range(12)
    )
    models = [verdict(fit).model for fit in fits]
    assert set(models) <= {"additive", "combined"}
    assert models.count("additive") >= 9


@pytest.mark.slow
def test_loss_that_is_expected_is_the_loss(sky):
    """Mean over skies with amplitudes of one size, of what was expected to be left and what is."""
    rng, expected, left = np.random.default_rng(3), [], []
    for seed in range(60):
        a = 0.1 * rng.standard_normal(3)
        fit = decontaminate(sky.field(seed, a=a), sky.templates, "GLS", spectrum=sky.spectrum)
        metric = contamination_metric(fit)
        expected.append(verdict(fit).losses["additive"] ** 2)
        left.append((fit.a_mean - a) @ metric @ (fit.a_mean - a))
    error = np.std(np.array(left) - expected) / np.sqrt(len(left))
    assert np.mean(left) == pytest.approx(np.mean(expected), abs=3 * error)


def test_error_of_the_ratio_is_that_of_a_quadratic_form(both):
    """Against draws of amplitudes around the fitted ones."""
    metric, fitted = contamination_metric(both), np.concatenate([both.a, both.b])
    draws = np.random.default_rng(0).multivariate_normal(fitted, both.cov, 40_000)
    powers = np.einsum("ki,ij,kj->k", draws, metric, draws)
    advice = verdict(both)
    assert advice.ratio_error == pytest.approx(powers.std() / (2.0 * advice.ratio * advice.fit_error**2), rel=0.03)
