import numpy as np
import pytest

from sysmap_core.correction.clustering_amplitude import (
    amplitude_error,
    fitted_amplitude,
    hartlap_factor,
    impact,
    precision_matrix,
)
from sysmap_core.errors import DataError

TRUTH = np.array([0.05, 0.03, 0.02, 0.01])

COV = 1e-5 * np.array(
    [[4.0, 1.0, 0.5, 0.2], [1.0, 3.0, 0.8, 0.3], [0.5, 0.8, 2.0, 0.6], [0.2, 0.3, 0.6, 1.5]]
)  # positive


def survey(n, seed=0):
    return np.random.default_rng(seed).multivariate_normal(TRUTH, COV, n)


def test_amplitude_of_a_multiple_of_the_truth():
    precision = np.linalg.inv(COV)
    np.testing.assert_allclose(fitted_amplitude(np.array([TRUTH, 1.3 * TRUTH]), TRUTH, precision), [1.0, 1.3])


def test_amplitude_is_the_generalised_least_squares_fit():
    """Against numpy's solution of the whitened problem."""
    curve = survey(1)[0]
    white = np.linalg.cholesky(np.linalg.inv(COV)).T
    expected = np.linalg.lstsq((white @ TRUTH)[:, None], white @ curve, rcond=None)[0][0]
    assert fitted_amplitude(curve, TRUTH, np.linalg.inv(COV)) == pytest.approx(expected, rel=1e-12)


def test_error_is_the_scatter_of_amplitudes():
    precision = np.linalg.inv(COV)
    scatter = fitted_amplitude(survey(20_000), TRUTH, precision).std()
    assert amplitude_error(TRUTH, precision) == pytest.approx(scatter, rel=0.02)


def test_hartlap_factor_makes_the_precision_unbiased():
    """Mean of inverse sample covariances of few realisations: too large without the factor."""
    found = np.array([precision_matrix(survey(12, seed)) for seed in range(4000)])
    error = found.std(0) / np.sqrt(len(found))
    assert np.all(np.abs(found.mean(0) - np.linalg.inv(COV)) < 4 * error)
    assert hartlap_factor(12, 4) == pytest.approx(6 / 11)


def test_impact_of_a_known_bias():
    clean = survey(400)
    found = impact(clean + 0.1 * TRUTH, clean)
    sigma = amplitude_error(TRUTH, np.linalg.inv(COV))
    assert abs(found.sigma - sigma) < 4 * found.sigma_error
    assert abs(found.ratio - 0.1 / sigma) < 4 * found.ratio_error
    # the same fields: only the truth and the covariance, which are means over them, scatter
    assert found.bias == pytest.approx(0.1, abs=0.005)
    assert found.bias_error < 0.005
    assert found.amplitudes.mean() - 1 == pytest.approx(found.bias)
    assert found.n_bins == 4


def test_clean_fields_have_no_impact():
    clean = survey(50)
    found = impact(clean, clean)
    assert abs(found.bias) < 1e-12
    assert found.bias_error < 1e-12
    assert found.sigma_error > 0


def test_monte_carlo_errors_are_the_scatter_of_sets():
    rows = []
    for seed in range(150):
        clean = survey(60, seed)
        noise = np.random.default_rng([1, seed]).multivariate_normal(0.1 * TRUTH, 0.1 * COV, 60)
        rows.append(impact(clean + noise, clean))
    for name in ("bias", "sigma", "ratio"):
        scatter = np.std([getattr(r, name) for r in rows])
        error = np.sqrt(np.mean([getattr(r, f"{name}_error") ** 2 for r in rows]))
        assert error / scatter == pytest.approx(1.0, abs=0.2)


def test_part_of_the_bins():
    clean = survey(60)
    bins = np.array([True, False, True, True])
    found, alone = impact(1.1 * clean, clean, bins), impact(1.1 * clean[:, bins], clean[:, bins])
    assert found.n_bins == 3
    assert found.ratio == alone.ratio


@pytest.mark.parametrize(
    ("curves", "clean", "message"),
    [
        (survey(20)[:, :3], survey(20), r"curves have shape \(20, 3\) and clean \(20, 4\)"),
        (survey(7), survey(7), "6 realisations for 4 bins: give more than 6, or take fewer bins"),
        (survey(20), np.full((20, 4), np.nan), r"clean have shape \(20, 4\) and 80 values missing"),
        (TRUTH, survey(20), r"curves have shape \(4,\)"),
    ],
)
def test_bad_input(curves, clean, message):
    with pytest.raises(DataError, match=message):
        impact(curves, clean)


def test_too_few_realisations_for_an_inverse():
    with pytest.raises(DataError, match="5 realisations for 4 bins"):
        precision_matrix(survey(5))
