"""Whether posteriors are calibrated: ranks of the truth, and how often intervals hold it.

When data are drawn from the model that is fitted, the truth falls below a share ``u`` of its
posterior with probability ``u``: its rank is uniform between zero and one, and a central
interval holds it as often as it says (Talts et al. 2018, arXiv:1804.06788).
"""

from __future__ import annotations

import numpy as np
from scipy import stats

from ..errors import DataError, ParameterError
from ..inference import MIN_DENSITY, find_likelihood


def orthonormal_templates(n_sys: int, n_pix: int, rng: np.random.Generator) -> np.ndarray:
    """Draw white templates that are exactly uncorrelated, with zero mean and unit rms.

    Parameters
    ----------
    n_sys, n_pix : int
        Numbers of templates and of pixels.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    ndarray, shape (n_sys, n_pix)
        Templates [1].

    Raises
    ------
    ParameterError
        When there are not more pixels than templates.
    """
    if n_pix <= n_sys:
        msg = f"n_pix is {n_pix} for {n_sys} templates: give more pixels than templates"
        raise ParameterError(msg)
    columns = np.column_stack([np.ones(n_pix), rng.standard_normal((n_pix, n_sys))])
    return np.linalg.qr(columns)[0].T[1:] * np.sqrt(n_pix)


def likelihood_pixels(
    likelihood: str,
    templates: np.ndarray,
    a: np.ndarray,
    b: np.ndarray,
    sigma: float,
    rng: np.random.Generator,
    *,
    expected: np.ndarray | None = None,
    gamma: float = 0.0,
) -> np.ndarray:
    """Draw the overdensity of pixels from a likelihood itself.

    Parameters
    ----------
    likelihood : {"gaussian", "skew-normal", "shot-noise"}
        Row of the table of likelihoods.
    templates : ndarray, shape (n_sys, n_pix)
        Standardised templates [1].
    a, b : ndarray, shape (n_sys,)
        Additive and multiplicative amplitudes, per rms of the template.
    sigma : float
        Width of the field [1].
    rng : numpy.random.Generator
        Source of randomness.
    expected : ndarray, shape (n_pix,), optional
        Expected galaxies per pixel; needed by ``"shot-noise"``.
    gamma : float
        Skewness of the field, for ``"skew-normal"``.

    Returns
    -------
    ndarray, shape (n_pix,)
        Observed overdensity [1].

    Raises
    ------
    ParameterError
        When there is no likelihood of that name.
    DataError
        When ``expected`` is needed and missing.

    Notes
    -----
    Eqs. 17 and 18 of Berlfein et al. (2024), and the shot-noise-aware likelihood.
    """
    row = find_likelihood(likelihood)
    additive, efficiency = np.asarray(a) @ templates, 1.0 + np.asarray(b) @ templates
    if row.needs_noise:
        if expected is None:
            msg = f"expected is missing: the {row.name} likelihood needs the expected galaxies per pixel"
            raise DataError(msg)
        variance = (sigma * efficiency) ** 2 + np.maximum(1.0 + additive, MIN_DENSITY) / expected
        return additive + np.sqrt(variance) * rng.standard_normal(len(additive))
    shape = gamma if row.skewed else 0.0
    field = sigma * stats.skewnorm.rvs(shape, size=len(additive), random_state=rng)
    return additive + efficiency * (field - sigma * stats.skewnorm.mean(shape))


def weighted_rank(draws: np.ndarray, weights: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Share of a posterior that lies below the truth.

    Parameters
    ----------
    draws : ndarray, shape (n_draws, n_params)
        Draws of the posterior.
    weights : ndarray, shape (n_draws,)
        Their weights, with any sum.
    truth : ndarray, shape (n_params,)
        True values.

    Returns
    -------
    ndarray, shape (n_params,)
        Ranks between zero and one; a draw that equals the truth counts half.

    Raises
    ------
    DataError
        When shapes do not match, or weights are negative or all zero.
    """
    draws, weights, truth = (np.asarray(x, float) for x in (draws, weights, truth))
    if draws.shape != (len(weights), len(truth)):
        msg = (
            f"draws have shape {draws.shape} for {len(weights)} weights and {len(truth)} true values: "
            "give one row per weight and one column per value"
        )
        raise DataError(msg)
    if np.any(weights < 0) or not weights.sum() > 0:
        msg = "weights of the draws are negative or all zero: give those of the posterior"
        raise DataError(msg)
    below = 0.5 * (draws < truth) + 0.5 * (draws <= truth)
    return np.clip(weights @ below / weights.sum(), 0.0, 1.0)


def coverage(ranks: np.ndarray, level: float) -> tuple[float, float]:
    """How often the truth lies inside the central interval of its posterior.

    Parameters
    ----------
    ranks : ndarray
        Ranks of the truth, of any shape.
    level : float
        Probability of the interval, between zero and one.

    Returns
    -------
    fraction : float
        Share of ranks inside the interval.
    error : float
        Binomial standard deviation of that share, if the interval is right and ranks are independent.

    Raises
    ------
    DataError
        When there are no ranks, or they are not between zero and one.
    ParameterError
        When the level is not between zero and one.
    """
    ranks = _checked_ranks(ranks)
    _check_level(level)
    inside = np.abs(ranks - 0.5) <= 0.5 * level
    return float(inside.mean()), float(np.sqrt(level * (1.0 - level) / ranks.size))


def uniform_band(n: int, bins: int, level: float) -> tuple[int, int]:
    """Range of the counts in one bin of a histogram of uniform ranks.

    Parameters
    ----------
    n : int
        Number of ranks.
    bins : int
        Number of bins of equal width.
    level : float
        Probability that the count of a bin is in the range, at least.

    Returns
    -------
    low, high : int
        Smallest and largest count, from the binomial distribution.

    Raises
    ------
    ParameterError
        When a number is not positive, or the level is not between zero and one.
    """
    if n < 1 or bins < 1:
        msg = f"n is {n} and bins is {bins}: give positive numbers of ranks and bins"
        raise ParameterError(msg)
    _check_level(level)
    low, high = stats.binom.interval(level, n, 1.0 / bins)
    return int(low), int(high)


def _checked_ranks(ranks: np.ndarray) -> np.ndarray:
    ranks = np.asarray(ranks, float)
    if not ranks.size or not np.all((ranks >= 0.0) & (ranks <= 1.0)):
        msg = f"ranks ({ranks.size} of them) are missing or outside 0 to 1: give those of weighted_rank"
        raise DataError(msg)
    return ranks


def _check_level(level: float) -> None:
    if not 0.0 < level < 1.0:
        msg = f"level is {level!r}: give a probability between 0 and 1, such as 0.68"
        raise ParameterError(msg)
