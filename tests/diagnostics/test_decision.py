import numpy as np
import pytest
from skies import ClusteredSky

from sysmap_core.diagnostics.decision import probability_of_help, verdict
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


def test_probability_is_calibrated():
    """Among truths drawn around zero, corrections with a stated probability help that often."""
    rng = np.random.default_rng(1)
    root = rng.normal(size=(5, 5))
    cov, correlation = root @ root.T / 5 + 0.1 * np.eye(5), np.eye(5) + 0.2
    stated, helped = [], []
    for tau in np.abs(rng.standard_cauchy(4000)) * np.exp(0.5 * np.mean(np.log(np.linalg.eigvalsh(cov)))):
        truth = tau * rng.standard_normal(5)
        fitted = rng.multivariate_normal(truth, cov)
        left = fitted - truth
        stated.append(probability_of_help(fitted, cov, correlation))
        helped.append(left @ correlation @ left < truth @ correlation @ truth)
    stated, helped = np.array(stated), np.array(helped)
    for low, high in ((0.0, 0.2), (0.2, 0.5), (0.5, 0.8), (0.8, 1.0)):
        inside = (stated >= low) & (stated <= high)
        error = np.sqrt(0.25 / inside.sum())
        assert np.mean(helped[inside]) == pytest.approx(np.mean(stated[inside]), abs=3 * error)


def test_certain_cases():
    identity = np.eye(3)
    assert probability_of_help(np.full(3, 30.0), identity, identity) > 0.999
    assert probability_of_help(np.full(3, 0.1), identity, identity) < 0.5
    # the unit of the amplitudes does not matter
    a = np.array([1.0, 2.0, -1.0])
    one, other = (probability_of_help(s * a, s**2 * identity, identity) for s in (1.0, 1e-4))
    assert one == pytest.approx(other, rel=1e-9)
