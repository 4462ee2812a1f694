"""Cuts by the values of templates, and masks in files.

A cut is taken on the footprint that the templates are given on, its quantiles as well, so that several cuts keep the
same pixels in any order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from ..errors import DataError, ParameterError, unknown_name
from ..sky import Footprint, PartialMap, write_healsparse, write_map
from .template_set import TemplateSet

ENDINGS = {".fits": "HEALPix", ".fits.gz": "HEALPix", ".fit": "HEALPix", ".hsp": "HealSparse", ".hs": "HealSparse"}
"""Endings of the files of a mask, and their format."""

_SLACK = 1e-9  # of the rms, for limits that are values of the map themselves


class Cut(Protocol):
    """What chooses pixels by the values of templates; as text, it says what it keeps."""

    def keeps(self, templates: TemplateSet) -> np.ndarray:
        """Whether each pixel of the templates is kept, bool, shape (n_pix,)."""


@dataclass(frozen=True)
class TemplateCut:
    """Range of values of one template that is kept.

    Parameters
    ----------
    name : str
        Template.
    low, high : float, optional
        Smallest and largest value kept, in the unit of the map.
    quantiles : tuple of float, optional
        The same as shares of the pixels, between 0 and 1, in place of values.

    Raises
    ------
    ParameterError
        When there is no limit, or limits are of both kinds, not finite or not increasing.

    Examples
    --------
    >>> print(TemplateCut("stars", high=1500.0))
    stars <= 1500
    >>> print(TemplateCut("seeing", quantiles=(0.0, 0.98)))
    seeing between its quantiles 0 and 0.98
    """

    name: str
    low: float | None = None
    high: float | None = None
    quantiles: tuple[float, float] | None = None

    def __post_init__(self):
        limits = [x for x in (self.low, self.high) if x is not None]
        if bool(limits) == (self.quantiles is not None):
            came = "both values and quantiles" if limits else "no limit"
            msg = f"the cut of {self.name} has {came}: give low or high in the unit of the map, or quantiles"
            raise ParameterError(msg)
        if not np.all(np.isfinite(limits)) or (len(limits) == 2 and not self.low < self.high):
            msg = f"the cut of {self.name} goes from {self.low} to {self.high}: give finite values, the smaller one low"
            raise ParameterError(msg)
        if self.quantiles is None:
            return
        if len(self.quantiles) != 2 or not 0.0 <= self.quantiles[0] < self.quantiles[1] <= 1.0:
            msg = f"quantiles of {self.name} are {self.quantiles}: give two increasing shares between 0 and 1"
            raise ParameterError(msg)

    def limits(self, templates: TemplateSet) -> tuple[float, float]:
        """Smallest and largest value kept.

        Parameters
        ----------
        templates : TemplateSet
            With this one among them.

        Returns
        -------
        tuple of float
            In the unit of the map; infinite where there is no limit.

        Raises
        ------
        ParameterError
            When no template has the name.
        """
        if self.quantiles is not None:
            low, high = np.quantile(_in_unit(templates, self.name), self.quantiles)
            return float(low), float(high)
        return (-np.inf if self.low is None else self.low), (np.inf if self.high is None else self.high)

    def keeps(self, templates: TemplateSet) -> np.ndarray:
        """Whether each pixel is kept.

        Parameters
        ----------
        templates : TemplateSet
            With this one among them.

        Returns
        -------
        ndarray of bool, shape (n_pix,)
            True between the limits, these included.

        Raises
        ------
        ParameterError
            When no template has the name.
        """
        values, (low, high) = _in_unit(templates, self.name), self.limits(templates)
        slack = _SLACK * templates.rms[templates.names.index(self.name)]
        return (values >= low - slack) & (values <= high + slack)

    def __str__(self):
        if self.quantiles is not None:
            return f"{self.name} between its quantiles {self.quantiles[0]:g} and {self.quantiles[1]:g}"
        low, high = ("" if x is None else f"{x:g}" for x in (self.low, self.high))
        return f"{low} <= {self.name} <= {high}".removeprefix(" <= ").removesuffix(" <= ")


def kept_pixels(templates: TemplateSet, cuts: Sequence[Cut]) -> np.ndarray:
    """Pixels that all cuts keep.

    Parameters
    ----------
    templates : TemplateSet
        Templates on the footprint before any cut.
    cuts : sequence of Cut
        Such as :class:`TemplateCut`; without any, all pixels are kept.

    Returns
    -------
    ndarray of int, shape (n_kept,)
        HEALPix indices, in the order of the templates.

    Raises
    ------
    ParameterError
        When a cut names no template.
    DataError
        When a cut, or all of them together, keep no pixel.

    Examples
    --------
    >>> import numpy as np
    >>> from sysmap_core.templates import from_pixels
    >>> stars = from_pixels(np.array([[10.0, 20.0, 30.0, 400.0]]), np.arange(4), 1, ["stars"])
    >>> kept_pixels(stars, [TemplateCut("stars", high=30.0)])
    array([0, 1, 2])
    """
    kept = np.ones(len(templates.pixels), bool)
    for cut in cuts:
        alone = cut.keeps(templates)
        if not alone.any():
            msg = f"no pixel of {kept.size} has {cut}: check the limits and the unit of the map{_range(templates, cut)}"
            raise DataError(msg)
        kept &= alone
    if not kept.any():
        msg = f"no pixel of {kept.size} is left by {', '.join(map(str, cuts))} together: make the cuts wider"
        raise DataError(msg)
    return templates.pixels[kept]


def write_mask(path: str | Path, footprint: Footprint, *, cuts: Sequence[Cut] = (), survey: str = "") -> Path:
    """Write a footprint as a mask, in HEALPix or HealSparse format as the ending of the file says.

    Parameters
    ----------
    path : str or Path
        File to write or replace, with one of the :data:`ENDINGS`.
    footprint : Footprint
        Pixels that are kept.
    cuts : sequence of Cut, optional
        Cuts that made it; its header lists them (CUT001, ...).
    survey : str
        Survey that the mask is of (SURVEY).

    Returns
    -------
    Path
        The file: one on the footprint; zero elsewhere in HEALPix (RING, equatorial), nothing in HealSparse.

    Raises
    ------
    ParameterError
        For another ending.
    DataError
        When the place of the pixels is not known.
    MissingDataError
        For HealSparse when the package healsparse is not installed.
    """
    kind = next((kind for ending, kind in ENDINGS.items() if str(path).lower().endswith(ending)), None)
    if kind is None:
        msg = f"the mask {path} has an ending that is not known: give one of {', '.join(ENDINGS)}"
        raise ParameterError(msg)
    if footprint.nside is None:
        msg = "the place of the pixels of the mask is not known (nside is None): give HEALPix indices with an nside"
        raise DataError(msg)
    cards = {f"CUT{i:03d}": str(cut) for i, cut in enumerate(cuts, 1)}
    what = {"quantity": "MASK", "survey": survey, "cards": cards}
    if kind == "HEALPix":
        return write_map(path, footprint.full_sky(1.0, 0.0), **what)
    mask = PartialMap(np.sort(footprint.pixels), np.ones(footprint.n_pix), footprint.nside)
    return write_healsparse(path, mask, **what)


def _in_unit(templates: TemplateSet, name: str) -> np.ndarray:
    """Values of a template in the unit of its map, shape (n_pix,)."""
    if name not in templates.names:
        raise unknown_name("template", name, templates.names)
    i = templates.names.index(name)
    return templates.mean[i] + templates.rms[i] * templates.values[i]


def _range(templates: TemplateSet, cut: Cut) -> str:
    """Range of the values of the map of a cut, where it has one."""
    if not isinstance(cut, TemplateCut):
        return ""
    values = _in_unit(templates, cut.name)
    return f", which goes from {values.min():.6g} to {values.max():.6g}"
