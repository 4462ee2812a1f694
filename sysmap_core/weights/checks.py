"""What can be wrong with a file of weights: ``python -m sysmap_core.weights check FILE``.

Every check looks at the table that :func:`~.read_weights` gives, and at
the catalogue where there is one, and answers with a sentence for everything that is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import healpy as hp
import numpy as np

from ..sky import Catalogue
from .files import CARDS, WeightTable, position_checksum

ALWAYS_NUMBERED = ("TMPL", "TSUM", "A_SYS", "B_SYS")
"""Cards that every template has."""

MAX_CLIPPED = 0.01
"""Share of rows, or of pixels, on the floor of the weights above which a file is called wrong."""

MAX_OUTSIDE = 0.01
"""Share of rows off the footprint above which a file is called wrong."""

MAX_MEAN_OFFSET = 0.2
"""Distance of the mean weight from one above which a file is called wrong."""

MAX_NAMES = 20
"""Columns that are named one by one; draws have many more."""


def check(table: WeightTable, catalogue: Catalogue | None = None) -> list[str]:
    """Look for everything that is wrong with weights.

    Parameters
    ----------
    table : WeightTable
        Weights as they were read.
    catalogue : Catalogue, optional
        Catalogue that they belong to, in its order.

    Returns
    -------
    list of str
        One sentence each; empty when nothing is wrong.
    """
    return [sentence for function in CHECKS.values() for sentence in function(table, catalogue)]


def _header(table: WeightTable, _) -> list[str]:
    n_sys = _number(table, "NSYS") or 0
    numbered = [f"{key}{i:03d}" for key in ALWAYS_NUMBERED for i in range(1, int(n_sys) + 1)]
    missing = [key for key in (*CARDS, *numbered) if key not in table.header]
    return [f"The header lacks {', '.join(missing)}."] if missing else []


def _columns(table: WeightTable, _) -> list[str]:
    wrong = []
    if not table.weights:
        wrong.append(f"There is no column of weights among {', '.join(table.columns)}.")
    elif not any(name.startswith("WEIGHT_SYS") for name in table.weights):
        wrong.append(f"There is no column WEIGHT_SYS among {', '.join(table.weights)}.")
    if not _has_positions(table) and "HPXPIXEL" not in table.columns:
        wrong.append("There are neither positions, RA and DEC, nor pixels, HPXPIXEL.")
    return wrong


def _rows(table: WeightTable, catalogue: Catalogue | None) -> list[str]:
    wrong = []
    key = "NPIX" if "HPXPIXEL" in table.columns else {"randoms": "NRAND"}.get(table.header.get("WEIGHTOF"), "NGAL")
    promised = _number(table, key)
    if promised is not None and promised != len(table):
        wrong.append(f"The header promises {promised:.0f} rows ({key}), and there are {len(table)}.")
    if catalogue is not None and len(catalogue) != len(table):
        wrong.append(f"The catalogue has {len(catalogue)} rows and the weights have {len(table)}.")
    return wrong


def _positions(table: WeightTable, catalogue: Catalogue | None) -> list[str]:
    wrong = []
    if "HPXPIXEL" in table.columns and catalogue is not None:
        wrong.append("The weights belong to pixels and have no positions to compare with a catalogue.")
    stored = table.header.get("CATSUM")
    known = _has_positions(table) or "HPXPIXEL" in table.columns
    if known and stored is not None and position_checksum(table.columns) != stored:
        wrong.append(f"The positions have the checksum {position_checksum(table.columns)}, and the header {stored}.")
    if _comparable(table, catalogue) and not _same(_sorted(*_places(table)), _sorted(catalogue.ra, catalogue.dec)):
        away = np.sum((table.columns["RA"] != catalogue.ra) | (table.columns["DEC"] != catalogue.dec))
        wrong.append(f"The positions are not those of the catalogue: {away} of {len(table)} rows differ.")
    return wrong


def _order(table: WeightTable, catalogue: Catalogue | None) -> list[str]:
    if not _comparable(table, catalogue) or _same(_places(table), (catalogue.ra, catalogue.dec)):
        return []
    if not _same(_sorted(*_places(table)), _sorted(catalogue.ra, catalogue.dec)):
        return []  # other objects, not another order
    return ["The rows are those of the catalogue in another order."]


def _finite(table: WeightTable, _) -> list[str]:
    counts = {name: int(np.sum(~np.isfinite(values))) for name, values in table.columns.items()}
    return [f"{name} is NaN or infinite in {n} of {len(table)} rows." for name, n in counts.items() if n]


def _positive(table: WeightTable, _) -> list[str]:
    counts = {name: int(np.sum(values <= 0)) for name, values in table.weights.items()}
    return [f"{name} is zero or negative in {n} of {len(table)} rows." for name, n in counts.items() if n]


def _ones(table: WeightTable, _) -> list[str]:
    lost = [name for name, values in table.weights.items() if not _unit(table, name) and np.all(values == 1.0)]
    return [f"{name} is one in all rows, and the fit behind it is not." for name in lost]


def _clipped(table: WeightTable, _) -> list[str]:
    wrong = []
    pixels = _number(table, "CLIPFRAC") or 0.0
    if pixels > MAX_CLIPPED:
        wrong.append(f"WEIGHT_SYS sits on its floor in {pixels:.1%} of the pixels, more than {MAX_CLIPPED:.0%}.")
    floor = _number(table, "WFLOOR") or 0.0
    for name, values in table.weights.items():
        share = np.mean(values * floor > 1.0 - 1e-6) if len(table) else 0.0
        if share > MAX_CLIPPED:
            wrong.append(f"{name} is {1 / floor:.0f}, its largest value, in {share:.1%} of the rows.")
    return wrong


def _mean(table: WeightTable, _) -> list[str]:
    means = {name: values.mean() for name, values in table.weights.items() if len(table)}
    return [
        f"{name} has the mean {mean:.3f}, further than {MAX_MEAN_OFFSET} from one."
        for name, mean in means.items()
        if abs(mean - 1.0) > MAX_MEAN_OFFSET
    ]


def _pixels(table: WeightTable, _) -> list[str]:
    """Objects of one pixel have one weight: rows that were shuffled apart from their positions have not."""
    nside = _number(table, "NSIDE")
    places = _places(table) if _has_positions(table) else ()
    if not len(table) or not places or not hp.isnsideok(nside or 0, nest=True) or not np.all(np.isfinite(places)):
        return []
    if np.any(np.abs(places[1]) > 90):
        return ["DEC is beyond 90 degrees: positions have to be equatorial degrees."]
    pixels = hp.ang2pix(int(nside), *places, lonlat=True)
    order = np.argsort(pixels, kind="stable")
    starts = np.flatnonzero(np.diff(pixels[order], prepend=-1))
    wrong = []
    finite = {name: values for name, values in table.weights.items() if np.all(np.isfinite(values))}
    for name, values in finite.items():
        low, high = (extreme.reduceat(values[order], starts) for extreme in (np.minimum, np.maximum))
        if n := int(np.sum(low != high)):
            wrong.append(f"{name} differs between objects of one pixel in {n} of {len(starts)} pixels.")
    return wrong


def _footprint(table: WeightTable, _) -> list[str]:
    wrong = []
    outside = _number(table, "NOUTSIDE")
    if outside is not None and outside > MAX_OUTSIDE * len(table):
        wrong.append(f"{outside:.0f} of {len(table)} rows are off the footprint, more than {MAX_OUTSIDE:.0%}.")
    fitted = [values for name, values in table.weights.items() if not _unit(table, name)]
    ones = int(np.sum(np.all(np.array(fitted) == 1.0, axis=0))) if fitted else outside
    if outside is not None and ones != outside:
        wrong.append(f"{ones} rows have weight one throughout, and the header has {outside:.0f} off the footprint.")
    return wrong


CHECKS: Mapping[str, Callable[[WeightTable, Catalogue | None], list[str]]] = {
    "header": _header,
    "columns": _columns,
    "rows": _rows,
    "positions": _positions,
    "order": _order,
    "finite": _finite,
    "positive": _positive,
    "ones": _ones,
    "clipped": _clipped,
    "mean": _mean,
    "pixels": _pixels,
    "footprint": _footprint,
}
"""The checks, by name, in their order."""


def _number(table: WeightTable, key: str) -> float | None:
    value = table.header.get(key)
    return value if isinstance(value, (int, float)) else None


def _unit(table: WeightTable, name: str) -> bool:
    """Whether a column is one because of its fit; the draws of a column follow it."""
    known = str(table.header.get("UNITCOLS") or "").split(", ")
    return any(unit and (name == unit or name.startswith(f"{unit}_")) for unit in known)


def _has_positions(table: WeightTable) -> bool:
    return {"RA", "DEC"} <= table.columns.keys()


def _places(table: WeightTable) -> tuple[np.ndarray, np.ndarray]:
    return table.columns["RA"], table.columns["DEC"]


def _comparable(table: WeightTable, catalogue: Catalogue | None) -> bool:
    return catalogue is not None and _has_positions(table) and len(catalogue) == len(table)


def _sorted(ra: np.ndarray, dec: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    order = np.lexsort((dec, ra))
    return ra[order], dec[order]


def _same(first: tuple[np.ndarray, np.ndarray], second: tuple[np.ndarray, np.ndarray]) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
