"""Surveys for comparisons: contamination and truth as asked, one field for all contaminations."""

import numpy as np
import pytest

from sysmap_core.methods.linear import least_squares
from sysmap_core.validation.tailed_surveys import TailedSurveys

SURVEYS = TailedSurveys.of(16, 0.3, n_sys=2, galaxies_per_pixel=40.0, randoms_per_galaxy=5.0)


@pytest.fixture(scope="module")
def survey():
    return SURVEYS.place(np.random.SeedSequence(3), hidden=1)


def test_contamination_is_put_in(survey):
    """With the same field and galaxies otherwise."""
    clean, truth = survey.observe()
    seen, same = survey.observe(np.array([0.2, -0.1]) @ survey.templates.values)
    np.testing.assert_allclose(truth, same, atol=1e-12)
    change = least_squares(seen, survey.templates) - least_squares(clean, survey.templates)
    np.testing.assert_allclose(change, [0.2, -0.1], atol=0.02)


def test_truth_is_what_is_seen_without_noise(survey):
    field, truth = survey.observe()
    left = field.delta - truth
    # satellites make galaxies noisier than Poisson: two objects come together
    wanted = np.mean(field.noise.variance()) * (1.0 + 2.0 * 0.2 / 1.2)
    assert np.var(left) == pytest.approx(wanted, rel=0.15)
    assert np.average(truth, weights=field.expected) == pytest.approx(0.0, abs=1e-10)


def test_templates_have_tails_and_one_is_hidden(survey):
    values = survey.templates.values
    assert values.shape == (2, len(survey.hidden[0]))
    assert np.max(values[0]) > 4.0
    np.testing.assert_allclose([survey.hidden.mean(), survey.hidden.std()], [0.0, 1.0], atol=1e-12)
    assert SURVEYS.place(np.random.SeedSequence(3)).hidden.shape == (0, values.shape[1])


def test_a_seed_fixes_a_survey():
    one, other = (SURVEYS.place(np.random.SeedSequence(4)).observe()[0] for _ in range(2))
    np.testing.assert_array_equal(one.delta, other.delta)
