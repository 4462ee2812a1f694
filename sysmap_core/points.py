"""Positions on the sky and bins of their separations, checked once.

Positions are RA and Dec in degrees, separations are arcminutes on the sphere.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import treecorr

from .errors import DataError

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


@dataclass(frozen=True)
class Points:
    """Positions that were checked, with weights and patches.

    Parameters
    ----------
    ra, dec : ndarray, shape (n_obj,)
        Equatorial coordinates [deg].
    weights : ndarray, shape (n_obj,), optional
        Weight of every object [1]; one by default.
    patches : ndarray of int, shape (n_obj,), optional
        Patch of every object.
    """

    ra: np.ndarray
    dec: np.ndarray
    weights: np.ndarray | None = None
    patches: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.ra)

    @property
    def sum_weights(self) -> float:
        """Sum of the weights."""
        return float(len(self) if self.weights is None else self.weights.sum())

    def catalogue(self, values: np.ndarray | None = None) -> treecorr.Catalog:
        """The same for TreeCorr, with a value of every object where one is given."""
        units = {"ra_units": "deg", "dec_units": "deg"}
        return treecorr.Catalog(ra=self.ra, dec=self.dec, w=self.weights, patch=self.patches, k=values, **units)


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


def check_points(what: str, positions, weights=None) -> Points:
    """Positions and weights that can be counted.

    Parameters
    ----------
    what : str
        What the objects are, for messages, e.g. ``"galaxies"``.
    positions : tuple of ndarray, shape (n_obj,)
        RA and Dec [deg].
    weights : ndarray, shape (n_obj,), optional
        Weight of every object [1].

    Returns
    -------
    Points
        In float64.

    Raises
    ------
    DataError
        When lengths differ, there is no object, a position is none, or a weight is negative or not finite.
    """
    ra, dec = (np.array(x, float).ravel() for x in positions)
    n_weights = len(ra) if weights is None else np.size(weights)
    if not len(ra) == len(dec) == n_weights or not len(ra):
        msg = f"{what} have {len(ra)} RA, {len(dec)} Dec and {n_weights} weights: give one each per object"
        raise DataError(msg)
    bad = ~(np.isfinite(ra) & np.isfinite(dec)) | (np.abs(dec) > 90)
    if bad.any():
        msg = f"{bad.sum()} of {len(ra)} {what} have no finite position or |Dec| > 90: give RA and Dec in degrees"
        raise DataError(msg)
    if weights is not None:
        weights = np.array(weights, float).ravel()
        check_weights(what, weights)
    return Points(ra, dec, weights)


def check_weights(what: str, weights: np.ndarray) -> None:
    """Refuse weights that no pair count can use.

    Parameters
    ----------
    what : str
        What has the weights, for messages.
    weights : ndarray
        Weights [1].

    Raises
    ------
    DataError
        When one is negative or not finite, or all are zero.
    """
    bad = np.sum(~np.isfinite(weights) | (weights < 0))
    if bad or not weights.sum() > 0:
        came = f"{bad} of {len(weights)} {what} have a negative weight or none, their sum is {weights.sum():g}"
        msg = f"{came}: give positive weights, zero to what does not count"
        raise DataError(msg)
