"""Numbers with their errors: the errors are those of a repetition."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

from sysmap_core.errors import DataError
from sysmap_core.summaries import (
    Measured,
    errors_of,
    fraction_and_error,
    mean_and_error,
    pulls,
    span_text,
    spread_and_error,
)

RNG = np.random.default_rng(1)


def test_text_of_a_number():
    assert Measured(0.5, 0.25).text() == "0.50 ± 0.25"
    assert Measured(0.5, 0.25).text("+.1f", " %") == "+0.5 ± 0.2 %"
    assert Measured(-0.5, 0.25).percent.text(".2g") == "-50 ± 25"
    assert Measured(np.array(0.5), np.array(0.25)).text(".1f") == "0.5 ± 0.2"


def test_text_of_an_array():
    pair = np.array([1.0, 2.0]), np.array([0.1, 0.2])
    assert Measured(*pair).text("+.1f") == ["+1.0 ± 0.1", "+2.0 ± 0.2"]
    assert Measured(*map(pd.Series, pair)).text(".0f") == ["1 ± 0", "2 ± 0"]
    with pytest.raises(ValueError, match="shorter"):
        Measured(np.zeros(2), np.zeros(1)).text()


def test_a_measured_number_unpacks():
    value, error = Measured(1.0, 0.1).percent
    assert (value, error) == (100.0, 10.0)


def test_error_of_the_mean_is_the_scatter_of_means():
    values = RNG.normal(3.0, 2.0, (25, 4000))
    mean, error = mean_and_error(values)
    assert mean.shape == error.shape == (4000,)
    assert np.sqrt(np.mean(error**2)) == pytest.approx(2.0 / 5.0, rel=0.02)
    assert np.std(mean) == pytest.approx(2.0 / 5.0, rel=0.05)


def test_series_are_arrays():
    assert mean_and_error(pd.Series([1.0, 3.0], index=[7, 9])) == mean_and_error([1.0, 3.0]) == (2.0, 1.0)


@pytest.mark.parametrize("about", [None, 1.0])
@pytest.mark.parametrize("normal", [True, False])
def test_error_of_the_scatter_is_the_scatter_of_scatters(about, normal):
    # uniform numbers have a kurtosis of 1.8, normal ones of 3
    values = RNG.normal(1.0, 2.0, (400, 3000)) if normal else RNG.uniform(1 - 12**0.5, 1 + 12**0.5, (400, 3000))
    spread, error = spread_and_error(values, about, normal=normal)
    assert spread.mean() == pytest.approx(2.0, rel=0.005)
    assert error.mean() == pytest.approx(spread.std(), rel=0.05)


def test_scatter_about_the_mean_is_the_standard_deviation():
    values = RNG.random((9, 3))
    np.testing.assert_allclose(spread_and_error(values).value, values.std(0, ddof=1), rtol=1e-14)
    np.testing.assert_allclose(spread_and_error(values, values.mean(0)).value, values.std(0), rtol=1e-14)


def test_share_of_trials():
    share, error = fraction_and_error([True, True, False, False])
    assert share == 0.5
    assert error == pytest.approx(0.25)


@pytest.mark.parametrize("n", [4, 20, 100])
def test_none_and_all_have_an_error(n):
    """About that of the share at which such a result has the probability of one sigma, 32 %."""
    limit = 1.0 - 0.32 ** (1.0 / n)
    assert binom.pmf(0, n, limit) == pytest.approx(0.32)
    for hits in (np.zeros(n, bool), np.ones(n, bool)):
        assert fraction_and_error(hits).error == pytest.approx(limit, rel=0.3)
        # what a floor of 1 / 4n for p (1 - p) would give
        assert 0.5 / n < 0.6 * limit


def test_outcomes_of_one_trial_are_one_trial():
    hits = np.array([[True, False], [False, False], [False, False]])
    share, error = fraction_and_error(hits)
    assert share == pytest.approx(1 / 6)
    assert error == pytest.approx(np.sqrt(0.25 * 0.75 / 3))


def test_span_of_numbers():
    assert span_text([[1.0, -0.25], [3.0, 2.0]]) == "-0.25 to 3.00"
    assert span_text(pd.Series([1.0]), ".0f", " %") == "1 to 1 %"


def test_errors_and_pulls():
    cov = np.array([[4.0, 1.0], [1.0, 9.0]])
    np.testing.assert_array_equal(errors_of(cov), [2, 3])
    np.testing.assert_array_equal(pulls(np.array([2.0, 6.0]), cov), [1, 2])
    np.testing.assert_array_equal(pulls(np.array([2.0, 6.0]), cov, np.array([0.0, 9.0])), [1, -1])


@pytest.mark.parametrize("function", [mean_and_error, spread_and_error])
@pytest.mark.parametrize("values", [[1.0], 1.0, np.zeros((1, 5))])
def test_one_realisation_has_no_scatter(function, values):
    with pytest.raises(DataError, match=r"values have shape .*: give two realisations or more"):
        function(values)


def test_no_trial():
    with pytest.raises(DataError, match="hits are empty: give the outcome of one trial or more"):
        fraction_and_error([])
