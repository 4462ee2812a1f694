"""Do templates follow the structure that they should not know? Rank correlations with a tracer from another survey."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import healpy as hp
import numpy as np
from scipy.stats import rankdata, t

from ..covariance import estimate_spectrum
from ..errors import DataError, ParameterError
from ..mocks import null_realisations
from ..sky import Field, usable
from .p_values import exceedance

CELL = 4
"""Pixels on a side of the cells whose means are removed to see small scales."""

SCALES = ("all scales", "small scales")
"""Columns of :class:`RankCorrelations`."""

MIN_PIXELS = 50
"""Fewest pixels that a template and a tracer have to share."""

MIN_REALISATIONS = 20

ROUNDING = 1e-12
"""Differences from the mean of a cell below this share of the largest value of a map are none."""


@dataclass(frozen=True)
class RankCorrelations:
    """Spearman's correlations of templates with a tracer of structure, columns as in :data:`SCALES`.

    Parameters
    ----------
    names : tuple of str, length n_sys
        Templates.
    n_pix : ndarray of int, shape (n_sys,)
        Pixels that a template shares with the tracer.
    values, errors : ndarray, shape (n_sys, 2)
        Correlations, and their scatter for a tracer that has nothing to do with the template.
    p, p_iid : ndarray, shape (n_sys, 2)
        Probability of a larger absolute value by chance: from realisations, and for independent pixels.
    family_p : ndarray, shape (n_sys, 2)
        The same for the largest of all templates and scales.
    floor : float
        Smallest p that the realisations can give.
    """

    names: tuple[str, ...]
    n_pix: np.ndarray
    values: np.ndarray
    errors: np.ndarray
    p: np.ndarray
    p_iid: np.ndarray
    family_p: np.ndarray
    floor: float


def rank_correlations(
    tracer: Field, maps: np.ndarray, names: Sequence[str], *, n_realisations: int = 200, seed: int = 0
) -> RankCorrelations:
    """Rank correlations of templates with a tracer of structure, with probabilities on a clustered sky.

    Parameters
    ----------
    tracer : Field
        Overdensity of galaxies of another survey, on the pixels that it covers.
    maps : ndarray, shape (n_sys, 12 nside^2)
        Template maps, RING, equatorial, NaN or UNSEEN where they are not to be compared.
    names : sequence of str, length n_sys
        Their names.
    n_realisations, seed : int
        Realisations of the tracer, and what fixes them.

    Returns
    -------
    RankCorrelations
        On all scales, and without the means of cells of 4 x 4 pixels: a map of the Galaxy that holds a
        little structure shows it there.

    Raises
    ------
    DataError
        When resolutions differ, or a template does not vary on enough pixels of the tracer.
    ParameterError
        When there are too few realisations.

    Notes
    -----
    Structure is correlated over the sky and aligns with smooth templates by chance, which the p of independent
    pixels takes for a connection.  The null here has lognormal realisations of the tracer's own spectrum on its own
    pixels, with Poisson counts, so it holds for any template.
    """
    parts = _parts(tracer, maps, names)
    if n_realisations < MIN_REALISATIONS:
        msg = f"n_realisations is {n_realisations}: give at least {MIN_REALISATIONS}, some hundreds for a small p"
        raise ParameterError(msg)

    def compare(delta):
        out = np.empty((len(names), len(SCALES)))
        for part in parts:
            out[part.members] = part.compare(delta)
        return out

    values = compare(tracer.delta)
    drawn = null_realisations(tracer, estimate_spectrum(tracer), n_realisations, seed=seed)
    null = np.abs([compare(field.delta) for field in drawn])
    errors = np.sqrt(np.mean(null**2, axis=0))
    # nothing is compared where a template does not vary within cells
    scale = np.where(errors > 0, errors, np.inf)
    largest = (null / scale).max((1, 2))
    p, family_p = np.empty((2, *values.shape))
    for at in np.ndindex(values.shape):
        p[at] = exceedance(abs(values[at]), null[(..., *at)])
        family_p[at] = exceedance(abs(values[at]) / scale[at], largest)
    freedom = np.empty(values.shape)
    for part in parts:
        freedom[part.members] = part.freedom
    score = np.abs(values) * np.sqrt(freedom / np.maximum(1.0 - values**2, np.finfo(float).tiny))
    n_pix = usable(maps[:, tracer.pixels]).sum(1)
    floor = exceedance(np.inf, largest)
    return RankCorrelations(tuple(names), n_pix, values, errors, p, 2.0 * t.sf(score, freedom), family_p, floor)


def checked_maps(maps: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """Maps, if they are full-sky maps with a name each.

    Parameters
    ----------
    maps : ndarray, shape (n_sys, 12 nside^2)
        Template maps.
    names : sequence of str, length n_sys
        Their names.

    Returns
    -------
    ndarray of float
        The maps.

    Raises
    ------
    DataError
        When they are not.
    """
    maps = np.asarray(maps, float)
    if maps.ndim != 2 or len(maps) != len(names) or not hp.isnpixok(maps.shape[1]):
        msg = (
            f"maps have shape {maps.shape} for {len(names)} names: give (n_sys, 12 nside^2), one full-sky map per name"
        )
        raise DataError(msg)
    return maps


def comparable(tracer: Field, maps: np.ndarray) -> np.ndarray:
    """Whether templates vary on enough pixels of a tracer.

    Parameters
    ----------
    tracer, maps
        As in :func:`rank_correlations`.

    Returns
    -------
    ndarray of bool, shape (n_sys,)
        True where there are at least :data:`MIN_PIXELS`.

    Raises
    ------
    DataError
        When resolutions differ.
    """
    if tracer.nside != hp.npix2nside(maps.shape[1]):
        msg = f"the tracer has NSIDE {tracer.nside} and the maps {hp.npix2nside(maps.shape[1])}: bring both to one"
        raise DataError(msg)
    rows = (row[usable(row)] for row in maps[:, tracer.pixels])
    return np.array([len(row) >= MIN_PIXELS and np.ptp(row) > 0 for row in rows])


class _Part:
    """Templates that share the same pixels with the tracer, in ranks."""

    def __init__(self, members, values, where, tracer: Field):
        self.members, self.where = members, where
        parents = _parents(tracer.pixels[where], tracer.nside)
        cells, self.cell = np.unique(parents, return_inverse=True)
        self.size = np.bincount(self.cell)
        self.ranks = [_unit_ranks(values), _unit_ranks(self._small(values))]
        # a mean is removed from all, and from every cell of more than one pixel, which leaves nothing of the others
        self.freedom = np.array([len(where) - 2.0, max(len(where) - len(cells) - 1.0, 1.0)])

    def compare(self, delta):
        own = delta[None, self.where]
        pairs = zip(self.ranks, (own, self._small(own)), strict=True)
        return np.column_stack([ranks @ _unit_ranks(map_)[0] for ranks, map_ in pairs])

    def _small(self, values):
        means = np.array([np.bincount(self.cell, row) for row in values]) / self.size
        left = values - means[:, self.cell]
        # ranks would make structure of rounding errors
        left[np.abs(left) < ROUNDING * np.abs(values).max(1, keepdims=True)] = 0.0
        return left


def _parts(tracer: Field, maps, names) -> list[_Part]:
    maps = checked_maps(maps, names)
    able = comparable(tracer, maps)
    values = maps[:, tracer.pixels]
    shared = usable(values)
    for name, where, one in zip(names, shared, able, strict=True):
        if not one:
            msg = (
                f"template {name} and the tracer share {where.sum()} pixels, or it does not vary there: at least "
                f"{MIN_PIXELS} are needed, leave it out or give a tracer that covers it"
            )
            raise DataError(msg)
    masks, part = np.unique(shared, axis=0, return_inverse=True)
    groups = [np.flatnonzero(part.ravel() == i) for i in range(len(masks))]
    return [
        _Part(members, values[np.ix_(members, np.flatnonzero(mask))], np.flatnonzero(mask), tracer)
        for mask, members in zip(masks, groups, strict=True)
    ]


def _parents(pixels, nside: int):
    """Cell of every pixel."""
    return hp.ring2nest(nside, pixels) // CELL**2


def _unit_ranks(values):
    """Ranks without their mean, of unit length: products are Spearman's coefficients."""
    ranks = rankdata(values, axis=1)
    ranks -= ranks.mean(1, keepdims=True)
    norms = np.sqrt(np.sum(ranks**2, axis=1, keepdims=True))
    return np.divide(ranks, norms, out=np.zeros_like(ranks), where=norms > 0)
