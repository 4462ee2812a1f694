"""What can be wrong with a file of weights: ``python -m sysmap_core.weights check FILE``.

Every check looks at the table that :func:`~.read_weights` gives, and at
the catalogue where there is one, and answers with a sentence for everything that is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import healpy as hp
import numpy as np

from ..sky import Catalogue
from .files import WeightTable, position_checksum
from .header import CARDS, OF_A_PART
from .memberships import MEMBERSHIP, in_clean_part, in_fit

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
    n_sys, several = _number(table, "NSYS") or 0, (_number(table, "NPARTS") or 1) > 1
    numbered = [f"{key}{i:03d}" for key in ALWAYS_NUMBERED for i in range(1, int(n_sys) + 1)]
    needed = [key for key in CARDS if key not in OF_A_PART] if several else [*CARDS, *numbered]
    missing = [key for key in needed if key not in table.header]
    return [f"The header lacks {', '.join(missing)}."] if missing else []


def _columns(table: WeightTable, _) -> list[str]:
    wrong = []
    if not table.weights:
        wrong.append(f"There is no column of weights among {', '.join(table.columns)}.")
    elif not any(name.startswith("WEIGHT_SYS") for name in table.weights):
        wrong.append(f"There is no column WEIGHT_SYS among {', '.join(table.weights)}.")
    needed = ["IN_FIT" if not any(name.startswith("IN_FIT") for name in table.columns) else ""]
    if "NDRAWS" not in table.header:
        needed += [name for name in ("WEIGHT_IN", "WEIGHT_ALONE", "WEIGHT") if name not in table.columns]
    if any(needed):
        wrong.append(f"There is no column {', '.join(filter(None, needed))}: write the file again.")
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
    if _comparable(table, catalogue) and not _same(_sorted(*_places(table)), _sorted(*_turned(catalogue))):
        away = np.sum(np.any(np.array(_places(table)) != np.array(_turned(catalogue)), axis=0))
        wrong.append(f"The positions are not those of the catalogue: {away} of {len(table)} rows differ.")
    return wrong


def _order(table: WeightTable, catalogue: Catalogue | None) -> list[str]:
    if not _comparable(table, catalogue) or _same(_places(table), _turned(catalogue)):
        return []
    if not _same(_sorted(*_places(table)), _sorted(*_turned(catalogue))):
        return []  # other objects, not another order
    return ["The rows are those of the catalogue in another order."]


def _finite(table: WeightTable, _) -> list[str]:
    numbers = {name: values for name, values in table.columns.items() if values.dtype.kind == "f"}
    counts = {name: int(np.sum(~np.isfinite(values))) for name, values in numbers.items()}
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
    fitted = {name: values[in_fit(table, name)] for name, values in table.weights.items()}
    means = {name: values.mean() for name, values in fitted.items() if len(values)}
    return [
        f"{name} has the mean {mean:.3f}, further than {MAX_MEAN_OFFSET} from one."
        for name, mean in means.items()
        if abs(mean - 1.0) > MAX_MEAN_OFFSET
    ]


def _pixels(table: WeightTable, _) -> list[str]:
    """Objects of one pixel and part have one weight: rows that were shuffled apart from their positions have not."""
    nside = _number(table, "NSIDE")
    places = _places(table) if _has_positions(table) else ()
    if not len(table) or not places or not hp.isnsideok(nside or 0, nest=True) or not np.all(np.isfinite(places)):
        return []
    if np.any(np.abs(places[1]) > 90):
        return ["DEC is beyond 90 degrees: positions have to be equatorial degrees."]
    pixels = hp.ang2pix(int(nside), *places, lonlat=True)
    flags = [v for name, v in table.columns.items() if name in ("REGION", "ZBIN") or name.startswith("IN_FIT")]
    keys = [pixels, *(np.unique(values, return_inverse=True)[1] for values in flags)]
    order = np.lexsort(keys[::-1])
    starts = np.flatnonzero(np.any([np.diff(key[order], prepend=-1) != 0 for key in keys], axis=0))
    wrong = []
    finite = {name: values for name, values in table.weights.items() if np.all(np.isfinite(values))}
    for name, values in finite.items():
        low, high = (extreme.reduceat(values[order], starts) for extreme in (np.minimum, np.maximum))
        if n := int(np.sum(low != high)):
            wrong.append(f"{name} differs between objects of one pixel in {n} of {len(starts)} pixels.")
    return wrong


def _footprint(table: WeightTable, _) -> list[str]:
    wrong = []
    outside, no_part = _number(table, "NOUTSIDE"), _number(table, "NNOPART") or 0
    if outside is not None and outside > MAX_OUTSIDE * len(table):
        wrong.append(f"{outside:.0f} of {len(table)} rows are off the footprint, more than {MAX_OUTSIDE:.0%}.")
    flags = [values for name, values in table.columns.items() if name.startswith("IN_FIT")]
    if flags and outside is not None and (n := int(np.sum(~np.all(flags, axis=0)))) != outside + no_part:
        wrong.append(f"{n} rows are not IN_FIT, and the header has {outside + no_part:.0f} in no part or off it.")
    for name, values in table.weights.items():
        if n := int(np.sum(values[~in_fit(table, name)] != 1.0)):
            wrong.append(f"{name} is not one in {n} rows that are not IN_FIT.")
    fitted = [name for name in table.weights if not _unit(table, name)]
    ones = np.all([(table.columns[name] == 1.0) & in_fit(table, name) for name in fitted], axis=0) if fitted else False
    if n := int(np.sum(ones & ~in_clean_part(table))):
        wrong.append(f"{n} rows are IN_FIT and have weight one throughout.")
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
} | MEMBERSHIP
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
    return _turned(Catalogue(table.columns["RA"], table.columns["DEC"]))


def _turned(catalogue: Catalogue) -> tuple[np.ndarray, np.ndarray]:
    # catalogues are read with right ascensions from 0 to 360, and need not be written so
    with np.errstate(invalid="ignore"):
        return np.mod(catalogue.ra, 360.0), catalogue.dec


def _comparable(table: WeightTable, catalogue: Catalogue | None) -> bool:
    return catalogue is not None and _has_positions(table) and len(catalogue) == len(table)


def _sorted(ra: np.ndarray, dec: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    order = np.lexsort((dec, ra))
    return ra[order], dec[order]


def _same(first: tuple[np.ndarray, np.ndarray], second: tuple[np.ndarray, np.ndarray]) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
