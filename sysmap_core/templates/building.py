"""Template maps from tables of objects: pixel means over randoms, counts and fluxes of stars.

One pass over the rows fills sums and numbers per pixel at the finest resolution.  Sums and numbers of coarser
pixels are sums over their sub-pixels, exactly, so that every resolution holds what a pass of its own would have
given: a coarse mean is that of its rows, not the mean of finer means.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import healpy as hp
import numpy as np

from ..errors import DataError, ParameterError, unknown_name
from ..files import checksum
from ..sky import AVERAGES, check_nside, to_nside, usable
from .built_maps import SURVEYS, TemplateMaps
from .quantities import Quantity
from .tables import ROWS, Progress, row_blocks

_NSIDE_SLOT = 32

_DEGRADE = {
    "mean": "mean of all rows",
    "sum": "sum",
    "count": "sum",
    "density": "sum, by the area",
}


def build_maps(
    table: str | Path | Mapping[str, np.ndarray] | Iterable[Mapping[str, np.ndarray]],
    quantities: Sequence[Quantity],
    nsides: Sequence[int],
    *,
    survey: str,
    footprint: np.ndarray | None = None,
    min_objects: int = 1,
    rows: int = ROWS,
    progress: Progress | None = None,
    sources: Mapping[str, str] | None = None,
    simulated: bool = False,
) -> TemplateMaps:
    """Build template maps for several resolutions in one pass over a table.

    Parameters
    ----------
    table : path, mapping or iterable of mappings
        Randoms or stars, see :func:`~.row_blocks`; never held as a whole.
    quantities : sequence of Quantity
        What to build, e.g. :func:`~.random_quantities`.
    nsides : sequence of int
        Resolutions.
    survey : {"GAIA", "LS10"}
        Survey of the maps, the first part of the names of their files.
    footprint : ndarray, shape (12 nside_f^2,), optional
        Observed fraction of every pixel, or a mask, RING, equatorial, of any resolution.  Rows off the footprint are
        left out, densities refer to the observed area, and counts are zero, not missing, where the footprint has
        no row.
    min_objects : int
        Smallest number of values behind a mean; a pixel with fewer is UNSEEN.
    rows : int
        Rows of a block of a file.
    progress : callable, optional
        Called after every block with rows done, rows in all and seconds left.
    sources : mapping of str to str, optional
        Where the rows come from: checksum by name.  That of the file by default.
    simulated : bool
        Whether the rows are simulated, which the headers then say.

    Returns
    -------
    TemplateMaps
        Maps of all quantities and resolutions.  Pixels without a row are UNSEEN, means always, counts and sums
        unless a footprint says that they were observed.

    Raises
    ------
    ParameterError
        When a resolution, survey or quantity is not a known one.
    DataError
        When the table cannot be used (see :func:`~.row_blocks`), no row is on the
        footprint, a quantity has no usable value, or its values are not in the unit stated, or no pixel has
        ``min_objects`` of them.
    MissingDataError
        When there is no such file.
    """
    nsides = _checked_nsides(nsides)
    _check_quantities(quantities, survey, min_objects)
    sky = None if footprint is None else _checked_footprint(footprint)
    sums, tally = _Sums(len(quantities), nsides[-1]), _Tally(quantities)
    for block in row_blocks(table, [q.column for q in quantities], rows=rows, progress=progress):
        pixels, inside = _places(block, nsides[-1], sky)
        tally.rows += len(inside)
        tally.outside += int((~inside).sum())
        kept = [tally.contribution(q, block[q.column][inside]) for q in quantities]
        sums.add(pixels, kept)
    tally.check(min_objects)
    pixels, values, objects = {}, {}, {}
    rules = [(q, min_objects) for q in quantities]
    finest = sums.seen()
    for nside in nsides:  # ascending: the finest sums are used up last
        fraction = None if sky is None else to_nside(sky, nside)
        pixels[nside], values[nside], objects[nside] = _maps(
            _coarser(*finest, nsides[-1], nside), nside, rules, fraction
        )
    if sources is None:
        sources = {Path(table).name: checksum(table)} if isinstance(table, (str, Path)) else {}
    headers = tally.headers(min_objects, sky is not None, simulated)
    return TemplateMaps(survey, tuple(quantities), pixels, values, objects, headers, dict(sources), simulated)


def _checked_nsides(nsides: Sequence[int]) -> list[int]:
    found = sorted({check_nside(n) for n in ([nsides] if isinstance(nsides, (int, np.integer)) else nsides)})
    if not found:
        msg = "nsides is empty: give one resolution or more, e.g. [64, 128]"
        raise ParameterError(msg)
    return found


def _check_quantities(quantities: Sequence[Quantity], survey: str, min_objects: int) -> None:
    if survey not in SURVEYS:
        raise unknown_name("survey", survey, SURVEYS)
    if not isinstance(min_objects, (int, np.integer)) or min_objects < 1:
        msg = f"min_objects is {min_objects!r}: give a whole number, one or more"
        raise ParameterError(msg)
    names = [q.name for q in quantities]
    if not names or len(set(names)) < len(names):
        msg = f"quantities are {', '.join(names) or 'none'}: give one or more, each once"
        raise ParameterError(msg)


def _checked_footprint(footprint: np.ndarray) -> np.ndarray:
    footprint = np.asarray(footprint, float)
    if footprint.ndim != 1 or not hp.isnpixok(footprint.size):
        msg = f"footprint has shape {footprint.shape}: give a full-sky HEALPix map, RING, equatorial"
        raise DataError(msg)
    sky = np.where(usable(footprint), footprint, 0.0)
    if sky.min() < 0 or sky.max() > 1 or not sky.any():
        msg = (
            f"footprint reaches from {sky.min():.3g} to {sky.max():.3g}: give observed fractions, 0 to 1, not all zero"
        )
        raise DataError(msg)
    return sky


def _places(block: Mapping[str, np.ndarray], nside: int, sky: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """NESTED pixel of every row on the footprint, and which rows these are."""
    ra, dec = block["RA"], block["DEC"]
    inside = np.ones(len(ra), bool)
    if sky is not None:
        inside = sky[hp.ang2pix(hp.npix2nside(sky.size), ra, dec, lonlat=True)] > 0
    return hp.ang2pix(nside, ra[inside], dec[inside], nest=True, lonlat=True), inside


class _Sums:
    """Sums and numbers per pixel, NESTED, stored for the coarse pixels that have rows."""

    def __init__(self, n_quantities: int, nside: int):
        coarse = min(_NSIDE_SLOT, nside)
        self.per_slot = (nside // coarse) ** 2
        self.slots = np.full(hp.nside2npix(coarse), -1)
        self.rows = np.zeros(0, np.int32)
        self.sums = [np.zeros(0) for _ in range(n_quantities)]
        self.numbers = [np.zeros(0, np.int32) for _ in range(n_quantities)]

    def add(self, pixels: np.ndarray, kept: Sequence[tuple[np.ndarray, np.ndarray]]) -> None:
        """Add rows: values and which of them count, of every quantity."""
        touched, row = np.unique(pixels, return_inverse=True)
        place = self._place(touched)
        rows = np.bincount(row, minlength=len(touched))
        self.rows[place] += rows
        for sums, numbers, (values, good) in zip(self.sums, self.numbers, kept, strict=True):
            sums[place] += np.bincount(row, np.where(good, values, 0.0), len(touched))
            numbers[place] += rows if good.all() else np.bincount(row[good], minlength=len(touched))

    def seen(self) -> tuple[np.ndarray, np.ndarray, list[np.ndarray], list[np.ndarray]]:
        """Pixels that have rows, NESTED and ascending, their rows, sums and numbers; storage is given back."""
        coarse = np.flatnonzero(self.slots >= 0)
        order = (self.slots[coarse, None] * self.per_slot + np.arange(self.per_slot)).ravel()
        pixels = (coarse[:, None] * self.per_slot + np.arange(self.per_slot)).ravel()
        has_rows = self.rows[order] > 0
        order, pixels = order[has_rows], pixels[has_rows]
        sums = [self.sums.pop(0)[order] for _ in range(len(self.sums))]
        numbers = [self.numbers.pop(0)[order] for _ in range(len(self.numbers))]
        return pixels, self.rows[order], sums, numbers

    def _place(self, touched: np.ndarray) -> np.ndarray:
        coarse, within = np.divmod(touched, self.per_slot)
        new = np.unique(coarse[self.slots[coarse] < 0])
        if new.size:
            used = int(self.slots.max()) + 1
            self.slots[new] = used + np.arange(new.size)
            self._grow((used + new.size) * self.per_slot)
        return self.slots[coarse] * self.per_slot + within

    def _grow(self, needed: int) -> None:
        if needed <= self.rows.size:
            return
        # somewhat more than needed, and one array after the other, so that few bytes exist twice
        size = min(needed + needed // 4, self.slots.size * self.per_slot)
        self.rows = _longer(self.rows, size)
        for arrays in (self.sums, self.numbers):
            for i, array in enumerate(arrays):
                arrays[i] = _longer(array, size)


def _longer(array: np.ndarray, size: int) -> np.ndarray:
    longer = np.zeros(size, array.dtype)
    longer[: array.size] = array
    return longer


def _coarser(pixels, rows, sums, numbers, nside: int, nside_out: int):
    """Sums over the sub-pixels of a lower resolution."""
    if nside_out == nside:
        return pixels, rows, sums, numbers
    parents = pixels // (nside // nside_out) ** 2
    # children of a NESTED pixel follow each other
    starts = np.flatnonzero(np.diff(parents, prepend=-1))
    totals = [[np.add.reduceat(a, starts) for a in arrays] for arrays in ([rows], sums, numbers)]
    return parents[starts], totals[0][0], totals[1], totals[2]


def _maps(totals, nside: int, rules: Sequence[tuple[Quantity, int]], fraction: np.ndarray | None):
    """Pixels (RING, ascending), values of all quantities and rows, at one resolution; uses the sums up."""
    nested, rows, sums, numbers = totals
    ring = hp.nest2ring(nside, nested)
    order = np.argsort(ring)
    ring, rows = ring[order], rows[order]
    pixels = ring if fraction is None else np.flatnonzero(fraction > 0)
    there = np.searchsorted(pixels, ring)
    area = hp.nside2pixarea(nside, degrees=True) * (1.0 if fraction is None else fraction[pixels])
    values = np.empty((len(rules), len(pixels)))
    for row, (quantity, least) in zip(values, rules, strict=True):
        # given back one after the other: at fine resolutions sums and values would not fit side by side
        total, number = sums.pop(0)[order], numbers.pop(0)[order]
        if quantity.aggregation == "mean":
            row[:] = hp.UNSEEN
            enough = number >= least
            if not enough.any():
                msg = (
                    f"{quantity.name} has at most {number.max()} objects in a pixel at NSIDE {nside}, and min_objects "
                    f"is {least}: lower it, or leave this resolution out"
                )
                raise DataError(msg)
            back = AVERAGES[quantity.average][1]
            row[there[enough]] = back(total[enough] / number[enough])
        else:
            row[:] = 0.0
            row[there] = total if quantity.aggregation == "sum" else number
            row /= area if quantity.aggregation == "density" else 1.0
    objects = np.zeros(len(pixels), np.int64)
    objects[there] = rows
    return pixels, values, objects


@dataclass
class _Tally:
    """What happened to the values of all quantities."""

    quantities: Sequence[Quantity]
    rows: int = 0
    outside: int = 0

    def __post_init__(self):
        self.used, self.missing, self.sentinels, self.measured = (
            {q.name: 0 for q in self.quantities} for _ in range(4)
        )

    def contribution(self, quantity: Quantity, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Values in the quantity that is averaged, and which of them count."""
        name = quantity.name
        present = np.isfinite(values) & (values > 0.99 * hp.UNSEEN)
        sentinel = present & np.isin(values, quantity.sentinels)
        good = present & ~sentinel
        values, good = quantity.converted(values, good)
        self.sentinels[name] += int(sentinel.sum())
        self.missing[name] += int((~good & ~sentinel).sum())
        self.measured[name] += int(good.sum())
        self._check_range(quantity, values[good])
        if quantity.limits is not None:
            good = good & (values >= quantity.limits[0]) & (values < quantity.limits[1])
        self.used[name] += int(good.sum())
        return AVERAGES[quantity.average][0](np.where(good, values, 1.0)), good

    @staticmethod
    def _check_range(quantity: Quantity, values: np.ndarray) -> None:
        if quantity.plausible is None or not values.size:
            return
        low, high = quantity.plausible
        if values.min() < low or values.max() > high:
            msg = (
                f"{quantity.column} holds values from {values.min():.6g} to {values.max():.6g}, and {quantity.name} "
                f"[{quantity.unit}] can be {low:g} to {high:g}: check the unit of the column, and its sentinels"
            )
            raise DataError(msg)

    def check(self, least: int) -> None:
        """Refuse quantities without a value."""
        if self.outside == self.rows:
            msg = f"none of {self.rows} rows lies on the footprint: check that both are equatorial, and overlap"
            raise DataError(msg)
        for q in self.quantities:
            if not self.measured[q.name]:
                msg = (
                    f"{q.column} has no usable value in {self.rows - self.outside} rows ({self.sentinels[q.name]} "
                    f"sentinels, {self.missing[q.name]} missing): leave {q.name} out, or check its sentinels"
                )
                raise DataError(msg)

    def headers(self, min_objects: int, footprint: bool, simulated: bool) -> dict[str, dict[str, object]]:
        """Header cards of every quantity, see :data:`~sysmap_core.templates.built_maps.CARDS`."""
        return {
            q.name: q.cards()
            | {
                "DEGRADE": _DEGRADE[q.aggregation],
                "NSRC": self.rows,
                "NOUTSIDE": self.outside,
                "NUSED": self.used[q.name],
                "NSENTIN": self.sentinels[q.name],
                "NMISSING": self.missing[q.name],
                "NMIN": int(min_objects) if q.aggregation == "mean" else 1,
                "FOOTPRNT": footprint,
                "SIMULATD": simulated,
            }
            for q in self.quantities
        }
