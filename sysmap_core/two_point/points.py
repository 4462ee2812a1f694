"""Positions on the sky and bins of their separations, checked once.

Positions are RA and Dec in degrees, separations are arcminutes on the sphere.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import treecorr

from ..errors import DataError


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
