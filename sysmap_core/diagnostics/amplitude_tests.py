"""Amplitudes that are zero without contamination, with their errors and probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from .p_values import family_wise_p


@dataclass(frozen=True)
class NullTest:
    """Statistics that are zero without contamination.

    Parameters
    ----------
    names : tuple of str
        Templates.
    values, errors : ndarray, shape (n,)
        Amplitudes per rms of what they belong to, and their errors on the clustered sky; of shape
        (n, n_fractions) for cuts.
    p, family_p : ndarray, shape of ``values``
        Probability that chance gives more: for each, and for the largest of all.
    """

    names: tuple[str, ...]
    values: np.ndarray
    errors: np.ndarray
    p: np.ndarray
    family_p: np.ndarray

    @property
    def z(self) -> np.ndarray:
        """Values over their errors."""
        return self.values / self.errors


def null_test(names: Sequence[str], values: np.ndarray, cov: np.ndarray, seed: int = 0) -> NullTest:
    """Errors and probabilities of amplitudes from their covariance.

    Parameters
    ----------
    names, values : sequence of str, and ndarray, shape (n,) or (n, n_fractions)
        Templates and their amplitudes.
    cov : ndarray, shape (values.size, values.size)
        Their covariance without contamination, in C order of ``values``.
    seed : int
        Fixes the draws behind the family-wise probability.

    Returns
    -------
    NullTest
        With all of these.
    """
    errors, flat = np.sqrt(np.diag(cov)), np.ravel(values)
    # copies of a template are allowed here: the covariance then is singular without the small part
    family = family_wise_p(flat, cov + 1e-9 * np.diag(errors**2), seed) if flat.size else flat
    columns = (flat, errors, 2.0 * norm.sf(np.abs(flat) / errors), family)
    return NullTest(tuple(names), *(column.reshape(np.shape(values)) for column in columns))
