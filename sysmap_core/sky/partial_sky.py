"""Maps of a part of the sky: pixels and values, so that fine resolutions fit into memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import healpy as hp
import numpy as np

from ..errors import DataError, ParameterError, unknown_name
from .pixels import check_nside, parent_pixels, usable
from .regrid import to_nside

AVERAGES: Mapping[str, tuple[Callable, Callable]] = MappingProxyType(
    {
        "linear": (lambda x: x, lambda y: y),
        "magnitude": (lambda mag: mag, lambda y: y),
        "inverse variance": (lambda mag: 10.0 ** (0.8 * mag), lambda y: 1.25 * np.log10(y)),
        "limiting flux": (lambda mag: 10.0 ** (-0.4 * mag), lambda y: -2.5 * np.log10(y)),
    }
)
"""Quantities in which values are averaged: the way to them and back.

The last three are for depths [mag], and the result is a depth [mag] again.  *magnitude* is the
average to take for a template: the density of galaxies near the limit of a survey responds to
the magnitude of the limit, and the mean of a response that is linear in the magnitude is the response to
the mean magnitude.  *inverse variance* is the depth of images that are added up, and right where
the sub-pixels are exposures of one place; between different places it is ruled by the
deepest.  *limiting flux* is ruled by the shallowest.
"""


@dataclass(frozen=True)
class PartialMap:
    """Map of a part of the sky.

    Parameters
    ----------
    pixels : ndarray of int, shape (n_pix,)
        HEALPix indices, RING, equatorial, ascending.
    values : ndarray, shape (n_pix,)
        Values in the unit of the map, none of them missing.
    nside : int
        Resolution.
    header : dict
        What its file says about it.
    """

    pixels: np.ndarray
    values: np.ndarray
    nside: int
    header: dict[str, object] = field(default_factory=dict)

    @property
    def f_sky(self) -> float:
        """Fraction of the sky that has a value."""
        return len(self.pixels) / hp.nside2npix(self.nside)

    def full_sky(self) -> np.ndarray:
        """Full-sky map, shape (12 nside^2,), RING, UNSEEN where there is no value."""
        full = np.full(hp.nside2npix(self.nside), hp.UNSEEN)
        full[self.pixels] = self.values
        return full

    def at_nside(self, nside: int, kind: str = "mean") -> np.ndarray:
        """Full-sky map of any resolution.

        Parameters
        ----------
        nside : int
            Resolution wanted.
        kind : {"mean", "sum"}
            ``"sum"`` for counts, ``"mean"`` for densities and conditions.

        Returns
        -------
        ndarray, shape (12 nside^2,)
            RING.  Going down, the mean (or sum) of the sub-pixels that have a value, UNSEEN where none has; as pixels
            have equal areas, that is the mean over the usable area.  Going up, as :func:`~.to_nside`.

        Raises
        ------
        ParameterError
            When ``nside`` or ``kind`` is not a known one.
        """
        if check_nside(nside) > self.nside:
            return to_nside(self.full_sky(), nside, kind)
        return self.degraded(nside, kind).full_sky()

    def degraded(
        self, nside: int, kind: str, *, average: str = "linear", weights: np.ndarray | None = None
    ) -> PartialMap:
        """Same map at a lower resolution.

        Parameters
        ----------
        nside : int
            Resolution wanted, at most that of the map.
        kind : {"mean", "sum"}
            ``"sum"`` for counts, ``"mean"`` for densities and conditions.
        average : str
            Quantity in which a mean is taken, a row of :data:`AVERAGES`.
        weights : ndarray, shape (n_pix,), optional
            Weights of a mean, e.g. objects or observed area of the sub-pixels; one each by default.

        Returns
        -------
        PartialMap
            The mean (or sum) of the sub-pixels that have a value.

        Raises
        ------
        ParameterError
            When a name is not known, ``nside`` is finer than the map, or a sum is asked with weights.
        DataError
            When weights do not belong to the pixels, or vanish in a whole pixel.
        """
        if kind not in ("mean", "sum"):
            raise unknown_name("kind", kind, ("mean", "sum"))
        if average not in AVERAGES:
            raise unknown_name("average", average, AVERAGES)
        if kind == "sum" and (weights is not None or average != "linear"):
            msg = "a sum has neither weights nor an average of its own: leave them out, or take kind='mean'"
            raise ParameterError(msg)
        if check_nside(nside) > self.nside:
            msg = f"nside is {nside}, finer than that of the map, {self.nside}: no detail can be added"
            raise ParameterError(msg)
        weights = np.ones(len(self.pixels)) if weights is None else np.asarray(weights, float)
        if weights.shape != self.pixels.shape or np.any(weights < 0):
            msg = f"weights have shape {weights.shape} for {len(self.pixels)} pixels: give one each, none negative"
            raise DataError(msg)
        parents, child = np.unique(parent_pixels(self.pixels, self.nside, nside), return_inverse=True)
        there, back = AVERAGES[average]
        sums = np.bincount(child, weights * there(self.values), len(parents))
        if kind == "mean":
            total = np.bincount(child, weights, len(parents))
            if np.any(total == 0):
                msg = f"weights are zero in {np.sum(total == 0)} pixels at NSIDE {nside}: leave their sub-pixels out"
                raise DataError(msg)
            sums = back(sums / total)
        return PartialMap(parents, sums, nside, dict(self.header))


def partial_map(values: np.ndarray, header: Mapping[str, object] | None = None) -> PartialMap:
    """Part of a full-sky map that has values.

    Parameters
    ----------
    values : ndarray, shape (12 nside^2,)
        Map, RING, equatorial, UNSEEN or NaN where it is missing.
    header : mapping, optional
        What is to be said about it.

    Returns
    -------
    PartialMap
        Its pixels and values.
    """
    pixels = np.flatnonzero(usable(values))
    return PartialMap(pixels, np.asarray(values, float)[pixels], hp.npix2nside(values.size), dict(header or {}))
