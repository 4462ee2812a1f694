"""Numbers with their errors: means, scatters and fractions of realisations, and how they are written.

Realisations are independent and come first: ``values[i]`` belongs to realisation ``i``.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .errors import DataError


class Measured(NamedTuple):
    """A number with its error, or an array of them.

    Parameters
    ----------
    value, error : float or ndarray
        Of equal shape and unit.
    """

    value: float | np.ndarray
    error: float | np.ndarray

    @property
    def percent(self) -> Measured:
        """The same in per cent."""
        return Measured(100.0 * self.value, 100.0 * self.error)

    def text(self, spec: str = ".2f", unit: str = "") -> str | list[str]:
        """Value and error as they stand in a table.

        Parameters
        ----------
        spec : str
            Format of the value; the error has the same without a sign.
        unit : str
            What stands behind both.

        Returns
        -------
        str, or list of str
            One text, or one for each element of an array.

        Examples
        --------
        >>> from sysmap_core.summaries import Measured
        >>> Measured(0.0312, 0.0104).text("+.3f")
        '+0.031 ± 0.010'
        >>> Measured(0.0312, 0.0104).percent.text(".1f", " %")
        '3.1 ± 1.0 %'
        """
        if np.ndim(self.value):
            return [Measured(*pair).text(spec, unit) for pair in zip(self.value, self.error, strict=True)]
        return f"{float(self.value):{spec}} ± {float(self.error):{spec.removeprefix('+')}}{unit}"


def mean_and_error(values: np.ndarray) -> Measured:
    """Mean of realisations, and its error.

    Parameters
    ----------
    values : ndarray, shape (n, ...)
        Independent realisations, in any unit.

    Returns
    -------
    Measured
        Of shape (...); the error is their standard deviation (with n - 1) over the root of n.

    Raises
    ------
    DataError
        When there are fewer than two.

    Examples
    --------
    >>> from sysmap_core.summaries import mean_and_error
    >>> mean_and_error([1.0, 2.0, 3.0]).text()
    '2.00 ± 0.58'
    """
    values = _realisations(values)
    return Measured(values.mean(0), values.std(0, ddof=1) / np.sqrt(len(values)))


def spread_and_error(values: np.ndarray, about: float | np.ndarray | None = None, *, normal: bool = True) -> Measured:
    r"""Scatter of realisations, and its error.

    Parameters
    ----------
    values : ndarray, shape (n, ...)
        Independent realisations, in any unit.
    about : float or ndarray, shape (...), optional
        Known centre, so that the scatter is an rms about it; by default the mean of the values, with n - 1.
    normal : bool
        Whether the values are normal; otherwise their own fourth moment sets the error.

    Returns
    -------
    Measured
        Of shape (...).

    Raises
    ------
    DataError
        When there are fewer than two.

    Notes
    -----
    The error of a scatter :math:`s` is :math:`s \sqrt{(\kappa - 1) / 4n}`, with :math:`\kappa` the fourth central
    moment over the squared second one: :math:`s / \sqrt{2n}` for normal values, where it is three.
    """
    values = _realisations(values)
    squares = (values - (values.mean(0) if about is None else about)) ** 2
    spread = np.sqrt(squares.sum(0) / (len(values) - (about is None)))
    kurtosis = 3.0 if normal else np.mean(squares**2, axis=0) / np.mean(squares, axis=0) ** 2
    return Measured(spread, spread * np.sqrt((kurtosis - 1.0) / (4.0 * len(values))))


def fraction_and_error(hits: np.ndarray) -> Measured:
    r"""Share of trials that hit, and its binomial error.

    Parameters
    ----------
    hits : ndarray of bool, shape (n,) or (n, m)
        Independent trials.  The m outcomes of one trial (templates of one field) need not be independent, and count
        as one in the error.

    Returns
    -------
    Measured
        Share between zero and one [1].

    Raises
    ------
    DataError
        When there is no trial.

    Notes
    -----
    The error is :math:`\sqrt{s (1 - s) / n}` with :math:`s = (k + 1) / (n + 2)` for k of n: one hit and one miss more
    than were seen, the mean of the posterior of a uniform prior.  With the share k / n itself, none of n would have
    no error.  A floor of :math:`1 / 4n` for the share times its complement gives none of n an error of
    :math:`1 / 2n`, but a share of :math:`1.1 / n` would still show none with the 32 % of a one-sigma deviation; here
    the error is about :math:`1 / n`.  Near zero and one, and for few trials, it is on the safe side.

    Examples
    --------
    >>> from sysmap_core.summaries import fraction_and_error
    >>> fraction_and_error([True] * 8).percent.text(".0f")
    '100 ± 11'
    """
    hits = np.asarray(hits, bool)
    if not hits.size:
        msg = "hits are empty: give the outcome of one trial or more"
        raise DataError(msg)
    smooth = (hits.sum() + 1.0) / (hits.size + 2.0)
    return Measured(float(hits.mean()), float(np.sqrt(smooth * (1.0 - smooth) / len(hits))))


def span_text(values: np.ndarray, spec: str = ".2f", unit: str = "") -> str:
    """Smallest and largest value as they stand in a sentence.

    Parameters
    ----------
    values : ndarray
        Numbers of any shape.
    spec : str
        Format of both.
    unit : str
        What stands behind them.

    Returns
    -------
    str
        Such as ``0.90 to 1.10``.
    """
    return f"{np.min(values):{spec}} to {np.max(values):{spec}}{unit}"


def errors_of(cov: np.ndarray) -> np.ndarray:
    """Errors of the single amplitudes, from their covariance.

    Parameters
    ----------
    cov : ndarray, shape (n, n)
        Covariance.

    Returns
    -------
    ndarray, shape (n,)
        Roots of its diagonal.
    """
    return np.sqrt(np.diag(cov))


def pulls(values: np.ndarray, cov: np.ndarray, truth: float | np.ndarray = 0.0) -> np.ndarray:
    """Deviations in units of their errors.

    Parameters
    ----------
    values : ndarray, shape (n,)
        What was found, e.g. amplitudes.
    cov : ndarray, shape (n, n)
        Its covariance.
    truth : float or ndarray, shape (n,)
        What should have been found.

    Returns
    -------
    ndarray, shape (n,)
        (values - truth) / error [1].
    """
    return (values - truth) / errors_of(cov)


def _realisations(values) -> np.ndarray:
    values = np.asarray(values, float)
    if not values.ndim or len(values) < 2:
        msg = f"values have shape {values.shape}: give two realisations or more, one per row"
        raise DataError(msg)
    return values
