"""Bins of angular separation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import DataError

_EVEN = 1e-6


@dataclass(frozen=True)
class Bins:
    """Bins of angular separation, even in the angle or in its logarithm.

    Parameters
    ----------
    edges : ndarray, shape (n_theta + 1,)
        Edges [arcmin].
    kind : {"Linear", "Log"}
        What is even.
    """

    edges: np.ndarray
    kind: str

    @property
    def nominal(self) -> np.ndarray:
        """Centres, in the angle or in its logarithm [arcmin]."""
        low, high = self.edges[:-1], self.edges[1:]
        return 0.5 * (low + high) if self.kind == "Linear" else np.sqrt(low * high)


def angular_bins(edges_arcmin: np.ndarray) -> Bins:
    """Bins of separation from their edges.

    Parameters
    ----------
    edges_arcmin : ndarray, shape (n_theta + 1,)
        Edges, evenly spaced in theta or in its logarithm [arcmin].

    Returns
    -------
    Bins
        The bins.

    Raises
    ------
    DataError
        When they do not increase, are not even, or are no angles.
    """
    edges = np.asarray(edges_arcmin, float)
    if edges.ndim != 1 or len(edges) < 2 or not np.all(np.diff(edges) > 0):
        msg = "edges_arcmin does not increase: give two or more bin edges in arcminutes"
        raise DataError(msg)
    if not (edges[0] >= 0 and edges[-1] <= 180 * 60):
        msg = f"edges_arcmin goes from {edges[0]:g} to {edges[-1]:g}: give arcminutes between 0 and 10800 (180 deg)"
        raise DataError(msg)
    if np.allclose(np.diff(edges), edges[1] - edges[0], rtol=_EVEN):
        return Bins(edges, "Linear")
    if edges[0] > 0 and np.allclose(np.diff(np.log(edges)), np.log(edges[1] / edges[0]), rtol=_EVEN):
        return Bins(edges, "Log")
    msg = "edges_arcmin are even neither in theta nor in ln theta: use numpy.linspace or numpy.geomspace"
    raise DataError(msg)
