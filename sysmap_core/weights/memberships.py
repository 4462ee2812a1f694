"""What can be wrong with the objects of a file of weights: their parts, names and products, and their partners.

Checks answer with a sentence for everything that is wrong, as those of :mod:`~sysmap_core.weights.checks`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from ..sky import Catalogue
from .files import WeightTable

OWN_CARDS = ("WEIGHTOF", "UNITCOLS", "NOUTSIDE", "NNOPART", "CATSUM", "IDCOL")
"""Cards that depend on the rows, and differ between galaxies and randoms."""


def in_fit(table: WeightTable, name: str) -> np.ndarray:
    """Rows whose weight of a column comes from a fit, shape (n_rows,)."""
    start, _, end = name.rpartition("_Z")
    flag = f"IN_FIT_Z{end}" if start else "IN_FIT"
    if flag in table.columns:
        return np.asarray(table.columns[flag], bool)
    flags = [values for key, values in table.columns.items() if key.startswith("IN_FIT")]
    return np.any(flags, axis=0) if flags else np.ones(len(table), bool)


def in_clean_part(table: WeightTable) -> np.ndarray:
    """Rows of parts whose fit found no contamination at all, so that weights of one are right, shape (n_rows,)."""
    clean = np.zeros(len(table), bool)
    places = [name for name in ("REGION", "ZBIN") if name in table.columns]
    if places and {"A_SYS", "B_SYS", *places} <= table.parts.keys():
        size = np.abs(table.parts["A_SYS"]) + np.abs(table.parts["B_SYS"])
        for part in np.unique(table.parts["PART"]):
            rows = np.flatnonzero(table.parts["PART"] == part)
            own = np.all([table.columns[name] == table.parts[name][rows[0]] for name in places], axis=0)
            clean |= own & (size[rows].sum() == 0.0)
    return clean


def _parts(table: WeightTable, _) -> list[str]:
    wrong = []
    for name, nothing in (("REGION", ""), ("ZBIN", 0)):
        if name not in table.columns:
            continue
        values = table.columns[name]
        known = set(np.asarray(table.parts.get(name, [])).tolist()) | {nothing}
        strange = sorted(set(np.unique(values).tolist()) - known)
        if strange:
            wrong.append(f"{name} has the values {', '.join(map(str, strange))}, which PARTS lacks.")
        flags = [flag for key, flag in table.columns.items() if key.startswith("IN_FIT")]
        if flags and (n := int(np.sum((values == nothing) & np.any(flags, axis=0)))):
            wrong.append(f"{name} names no part in {n} rows that are IN_FIT.")
    if (table.header.get("NPARTS") or 1) != len(set(np.asarray(table.parts.get("PART", [1])).tolist())):
        wrong.append(f"The header promises {table.header['NPARTS']} parts (NPARTS), and PARTS has others.")
    return wrong


def _product(table: WeightTable, _) -> list[str]:
    if not {"WEIGHT", "WEIGHT_IN", "WEIGHT_ALONE"} <= table.columns.keys():
        return []
    product = table.columns["WEIGHT_IN"] * table.columns["WEIGHT_ALONE"]
    n = int(np.sum(table.columns["WEIGHT"] != product))
    return [f"WEIGHT is not the product of WEIGHT_IN and WEIGHT_ALONE in {n} of {len(table)} rows."] if n else []


def _identifiers(table: WeightTable, catalogue: Catalogue | None) -> list[str]:
    name = table.header.get("IDCOL")
    if not name:
        return []
    if name not in table.columns:
        return [f"The header names the objects by {name} (IDCOL), which is no column."]
    values, wrong = table.columns[name], []
    if n := len(values) - len(np.unique(values)):
        wrong.append(f"{name} repeats in {n} of {len(values)} rows.")
    if catalogue is not None and name in catalogue.columns and len(catalogue) == len(values):
        given = np.asarray(catalogue.columns[name])
        given = np.char.decode(given) if given.dtype.kind == "S" else given
        given = given.astype(str) if given.dtype.kind == "O" else given
        if n := int(np.sum(given != values)):
            wrong.append(f"{name} is not that of the catalogue in {n} of {len(values)} rows.")
    return wrong


MEMBERSHIP: Mapping[str, Callable[[WeightTable, Catalogue | None], list[str]]] = {
    "parts": _parts,
    "product": _product,
    "identifiers": _identifiers,
}
"""Checks of the objects, by name."""


def check_pair(galaxies: WeightTable, randoms: WeightTable) -> list[str]:
    """Look for what is wrong between the weights of galaxies and those of randoms.

    Parameters
    ----------
    galaxies, randoms : WeightTable
        Weights as they were read.

    Returns
    -------
    list of str
        One sentence each; empty when they belong together.
    """
    wrong = []
    for table, kind in ((galaxies, "galaxies"), (randoms, "randoms")):
        if table.header.get("WEIGHTOF") != kind:
            wrong.append(f"The weights of {kind} are of {table.header.get('WEIGHTOF')} (WEIGHTOF).")
    keys = (galaxies.header.keys() | randoms.header.keys()) - set(OWN_CARDS)
    other = sorted(key for key in keys if galaxies.header.get(key) != randoms.header.get(key))
    if other:
        wrong.append(f"Galaxies and randoms are of different runs: {', '.join(other)} differ.")
    partners = _partners(galaxies, randoms)
    if lacking := [name for name in partners if name not in randoms.columns]:
        wrong.append(f"The randoms lack {', '.join(lacking)}, partners of columns of the galaxies.")
    own = {randoms.header.get("IDCOL"), *partners}
    if alone := [name for name in randoms.columns if name not in own]:
        wrong.append(f"The galaxies lack partners of {', '.join(alone)} of the randoms.")
    return wrong


def _partners(galaxies: WeightTable, randoms: WeightTable) -> list[str]:
    """Columns of the randoms that belong to those of the galaxies; one for each bin in redshift of a weight."""
    by_pixel = "HPXPIXEL" in randoms.columns  # a row for every pixel and part, so that each has one bin
    bins = [] if by_pixel else sorted({int(z_bin) for z_bin in galaxies.parts.get("ZBIN", []) if z_bin})
    partners = ["HPXPIXEL"] if by_pixel else ["RA", "DEC"]
    leave = {"RA", "DEC", "HPXPIXEL", galaxies.header.get("IDCOL"), "" if by_pixel else "ZBIN"}
    for name in galaxies.columns.keys() - leave:
        binned = bins and name.startswith(("IN_FIT", "WEIGHT_")) and name not in ("WEIGHT_IN", "WEIGHT_ALONE")
        partners += [f"{name}_Z{z_bin}" for z_bin in bins] if binned else [name]
    return sorted(partners)
