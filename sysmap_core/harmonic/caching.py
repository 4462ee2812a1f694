"""Arrays as keys of caches, compared by their content."""

from __future__ import annotations

import numpy as np

_DIGITS = 12


class Content:
    """Arrays as a key of a cache: equal where their values are.

    Parameters
    ----------
    *arrays : ndarray
        Arrays.
    """

    def __init__(self, *arrays: np.ndarray):
        self.arrays = arrays

    def __hash__(self):
        return hash(tuple(array.tobytes() for array in self.arrays))

    def __eq__(self, other):
        return all(np.array_equal(one, two) for one, two in zip(self.arrays, other.arrays, strict=True))


def coverage_pattern(expected: np.ndarray) -> np.ndarray:
    """Expected counts relative to their mean.

    Parameters
    ----------
    expected : ndarray, shape (n_pix,)
        Expected counts.

    Returns
    -------
    ndarray, shape (n_pix,)
        The same for all realisations of a sample, down to the last digit: rounding is cut off.
    """
    return np.round(expected / np.mean(expected), _DIGITS)
