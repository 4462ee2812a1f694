r"""What contamination does to cosmology: bias of the clustering amplitude against its error.

A correlation function :math:`w_x` is fitted by an amplitude times the true one; the amplitude is one where
nothing is wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..errors import DataError


@dataclass(frozen=True)
class Impact:
    """Bias of the clustering amplitude of a set of correlation functions.

    Parameters
    ----------
    bias, bias_error : float
        Delta A, and its Monte Carlo error [1].
    sigma, sigma_error : float
        Error of the amplitude of one survey, sigma_A, and its Monte Carlo error [1].
    ratio, ratio_error : float
        Delta A / sigma_A, and its Monte Carlo error.
    amplitudes : ndarray, shape (n_realisations,)
        Amplitude of every realisation.
    n_bins : int
        Bins that were used.
    """

    bias: float
    bias_error: float
    sigma: float
    sigma_error: float
    ratio: float
    ratio_error: float
    amplitudes: np.ndarray
    n_bins: int


def hartlap_factor(n_realisations: int, n_bins: int) -> float:
    r"""Factor that makes the inverse of a sample covariance unbiased.

    Parameters
    ----------
    n_realisations : int
        Realisations behind the covariance.
    n_bins : int
        Bins.

    Returns
    -------
    float
        :math:`(n - p - 2) / (n - 1)`.

    Raises
    ------
    DataError
        When there are too few realisations for an inverse.

    Notes
    -----
    Hartlap, Simon & Schneider (2007, A&A 464, 399), Eq. 17.
    """
    if n_realisations <= n_bins + 2:
        msg = f"{n_realisations} realisations for {n_bins} bins: give more than {n_bins + 2}, or take fewer bins"
        raise DataError(msg)
    return (n_realisations - n_bins - 2) / (n_realisations - 1)


def precision_matrix(curves: np.ndarray) -> np.ndarray:
    """Inverse covariance of correlation functions over realisations.

    Parameters
    ----------
    curves : ndarray, shape (n_realisations, n_theta)
        Correlation functions.

    Returns
    -------
    ndarray, shape (n_theta, n_theta)
        With the factor of :func:`hartlap_factor`.

    Raises
    ------
    DataError
        When there are too few realisations or bins without a value.
    """
    curves = _checked("curves", curves)
    return hartlap_factor(*curves.shape) * np.linalg.inv(np.atleast_2d(np.cov(curves, rowvar=False)))


def fitted_amplitude(curves: np.ndarray, truth: np.ndarray, precision: np.ndarray) -> np.ndarray:
    r"""Amplitude of the true correlation function that fits a measured one best.

    Parameters
    ----------
    curves : ndarray, shape (..., n_theta)
        Measured correlation functions :math:`w_x`.
    truth : ndarray, shape (n_theta,)
        True correlation function w.
    precision : ndarray, shape (n_theta, n_theta)
        Inverse covariance.

    Returns
    -------
    ndarray, shape (...)
        :math:`\hat A = w^t K^{-1} w_x / w^t K^{-1} w`, Berlfein et al. (2024), Eq. 24.
    """
    weights = precision @ truth
    return curves @ weights / (truth @ weights)


def amplitude_error(truth: np.ndarray, precision: np.ndarray) -> float:
    r"""Error of the amplitude of one survey.

    Parameters
    ----------
    truth : ndarray, shape (n_theta,)
        True correlation function w.
    precision : ndarray, shape (n_theta, n_theta)
        Inverse covariance.

    Returns
    -------
    float
        :math:`\sigma_A = (w^t K^{-1} w)^{-1/2}`, Berlfein et al. (2024), Eq. 25.
    """
    return float((truth @ precision @ truth) ** -0.5)


def impact(curves: np.ndarray, clean: np.ndarray, bins: np.ndarray | None = None) -> Impact:
    r"""Bias of the amplitude, against correlation functions of the same realisations without contamination.

    Parameters
    ----------
    curves : ndarray, shape (n_realisations, n_theta)
        Correlation functions to judge: contaminated, or corrected.
    clean : ndarray, shape (n_realisations, n_theta)
        Those of the same fields without contamination.  Their mean is the truth w, their covariance K.
    bins : ndarray of bool, shape (n_theta,), optional
        Bins to use; all by default.

    Returns
    -------
    Impact
        Delta A, sigma_A and their ratio.

    Raises
    ------
    DataError
        When shapes differ, values are missing, or the realisations are too few for the bins.

    Notes
    -----
    :math:`\Delta A = \langle \hat A \rangle - 1`, Berlfein et al. (2024), Eqs. 24-26, with the inverse of K
    corrected by :func:`hartlap_factor`.  Both sets hold the same fields, so their own scatter cancels in Delta A.
    The Monte Carlo errors are those of the delete-one jackknife over realisations, covariance and truth included.
    """
    curves, clean = (_checked(name, values) for name, values in (("curves", curves), ("clean", clean)))
    if curves.shape != clean.shape:
        msg = f"curves have shape {curves.shape} and clean {clean.shape}: give the same realisations and bins"
        raise DataError(msg)
    if bins is not None:
        curves, clean = curves[:, bins], clean[:, bins]
    n = len(clean)
    hartlap_factor(n - 1, clean.shape[1])  # the jackknife has one less

    def estimate(kept):
        truth, precision = clean[kept].mean(0), precision_matrix(clean[kept])
        bias = float(fitted_amplitude(curves[kept].mean(0), truth, precision)) - 1.0
        sigma = amplitude_error(truth, precision)
        return np.array([bias, sigma, bias / sigma])

    bias, sigma, ratio = estimate(np.arange(n))
    bias_error, sigma_error, ratio_error = _jackknife(estimate, n)
    amplitudes = fitted_amplitude(curves, clean.mean(0), precision_matrix(clean))
    return Impact(bias, bias_error, sigma, sigma_error, ratio, ratio_error, amplitudes, clean.shape[1])


def _jackknife(estimate: Callable[[np.ndarray], np.ndarray], n: int) -> np.ndarray:
    """Standard errors of an estimate from n realisations, each left out once."""
    values = np.array([estimate(np.delete(np.arange(n), i)) for i in range(n)])
    return np.sqrt((n - 1) * values.var(0))


def _checked(name: str, curves) -> np.ndarray:
    curves = np.asarray(curves, float)
    if curves.ndim != 2 or not np.isfinite(curves).all():
        lost = int(np.sum(~np.isfinite(curves)))
        msg = f"{name} have shape {curves.shape} and {lost} values missing: give (n_realisations, n_theta), all finite"
        raise DataError(msg)
    return curves
