"""Tables of weights, a row for every object of a catalogue, from the fits of the parts of a sample."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import healpy as hp
import numpy as np

from ..errors import DataError, ParameterError, unknown_name
from ..sky import Catalogue
from .columns import alone, weight_columns
from .files import WeightTable, position_checksum
from .parts import FittedPart, common_cards, input_weights, labelled, part_table

RESERVED = ("RA", "DEC", "HPXPIXEL", "REGION", "ZBIN", "IN_FIT", "WEIGHT")
"""Columns that are not the catalogue's own."""

MEANINGS: Mapping[str, str] = {
    "REGION": "region of the part, empty for none",
    "ZBIN": "redshift bin of the part, 0 for none",
    "IN_FIT": "F: in no part or off its footprint, weight 1",
    "WEIGHT_ALONE": "1 / (1 + A) for galaxies alone, 1 of randoms",
    "WEIGHT_IN": "product of the weights of the catalogue",
    "WEIGHT": "WEIGHT_IN WEIGHT_ALONE, one for any code",
}
"""What columns beside the weights of methods are."""


def weight_table(
    sample, parts: Sequence[FittedPart], kind: str, *, identifier_column: str | None = None
) -> WeightTable:
    """Weights of all galaxies, or of all randoms, of a sample.

    Parameters
    ----------
    sample : Sample
        The whole sample; one of pixel counts has no catalogues and gets a row per pixel and part.
    parts : sequence of FittedPart
        Its parts, as :func:`~.fitted_parts` gives them.
    kind : {"galaxies", "randoms"}
        Whose weights.
    identifier_column : str, optional
        Column that names the galaxies, which is carried along; and that of the randoms where they have one.

    Returns
    -------
    WeightTable
        One row per object in the order of the catalogue.

    Raises
    ------
    ParameterError
        When there is no such identifier, it has the name of another column, or is neither whole numbers nor text.
    DataError
        When parts do not say which objects are theirs, or share some.
    """
    catalogue = sample.galaxies if kind == "galaxies" else sample.randoms
    of_parts = [weight_columns(p.results, kind) for p in parts]
    values = [{name: one for name, (one, _) in found.items()} for found in of_parts]
    meanings = {name: _common([found[name][1] for found in of_parts]) for name in of_parts[0]}
    if kind == "galaxies":
        single = [{"WEIGHT_ALONE": alone(p.best)} for p in parts]
        values, meanings = [a | b for a, b in zip(single, values, strict=True)], MEANINGS | meanings
    carried = _identifier(sample, kind, identifier_column)
    table = object_table(common_cards(sample, parts), kind, catalogue, parts, values, meanings, carried=carried)
    return _with_products(table, catalogue)


def _with_products(table: WeightTable, catalogue: Catalogue | None) -> WeightTable:
    """The table with WEIGHT_IN, WEIGHT_ALONE and WEIGHT in front of the weights of methods."""
    columns, header = dict(table.columns), dict(table.header)
    given = np.ones(len(table)) if catalogue is None else input_weights(catalogue)
    if "WEIGHT_ALONE" not in columns:
        header["UNITCOLS"] = ", ".join(filter(None, [header["UNITCOLS"], "WEIGHT_ALONE"]))
    single = columns.pop("WEIGHT_ALONE", np.ones(len(table)))
    of_methods = {name: columns.pop(name) for name in table.weights if name in columns}
    columns |= {"WEIGHT_IN": given, "WEIGHT_ALONE": single, "WEIGHT": given * single} | of_methods
    meanings = {name: text for name, text in MEANINGS.items() if name in columns} | table.meanings
    return WeightTable(columns, header, meanings, table.parts)


def object_table(
    header: Mapping[str, object],
    kind: str,
    catalogue: Catalogue | None,
    parts: Sequence[FittedPart],
    values: Sequence[Mapping[str, np.ndarray]],
    meanings: Mapping[str, str],
    *,
    carried: Mapping[str, np.ndarray] | None = None,
) -> WeightTable:
    """Values of the pixels of every part, at the objects of a catalogue.

    Parameters
    ----------
    header : mapping
        Cards of the sample and its fits.
    kind : {"galaxies", "randoms"}
        What the objects are; randoms belong to all bins in redshift, and have columns for each.
    catalogue : Catalogue or None
        Objects; None for a row per pixel and part.
    parts : sequence of FittedPart
        Parts of the sample.
    values : sequence of mapping of str to ndarray, shape (n_pix,)
        Columns of weights of every part, by the same names.
    meanings : mapping of str to str
        What these columns are.
    carried : mapping of str to ndarray, shape (n_obj,), optional
        Identifier of the objects, by its name.

    Returns
    -------
    WeightTable
        With the place of the objects, their part, IN_FIT, and one for the weights of those in no fit.

    Raises
    ------
    DataError
        When parts do not say which objects are theirs, or share some.
    """
    carried = dict(carried or {})
    columns, n_no_part = (
        _pixel_rows(parts, values) if catalogue is None else _object_rows(kind, catalogue, parts, values, carried)
    )
    in_fit = np.all([v for name, v in columns.items() if name.startswith("IN_FIT")], axis=0)
    cards = {"WEIGHTOF": kind, "UNITCOLS": ", ".join(_unit_columns(values, [_suffix(p, kind) for p in parts]))}
    cards |= {"NOUTSIDE": int(np.sum(~in_fit)) - n_no_part, "NNOPART": n_no_part}
    cards |= {"CATSUM": position_checksum(columns)} | ({"IDCOL": ", ".join(carried)} if carried else {})
    known = MEANINGS | dict(meanings)
    texts = {name: text for name in columns if (text := known.get(name) or known.get(_base(name)))}
    return WeightTable(columns, {**header, **cards}, texts, part_table(parts) if labelled(parts) else {})


def _object_rows(kind, catalogue, parts, values, carried) -> tuple[dict[str, np.ndarray], int]:
    own = [_own_rows(p, kind, len(catalogue)) for p in parts]
    suffixes = [_suffix(p, kind) for p in parts]
    columns = {"RA": catalogue.ra, "DEC": catalogue.dec} | carried | _membership(parts, own, suffixes)
    order = dict.fromkeys(suffixes)
    columns |= {f"IN_FIT{suffix}": np.zeros(len(catalogue), bool) for suffix in order}
    columns |= {name + suffix: np.ones(len(catalogue)) for name in values[0] for suffix in order}
    place = hp.ang2pix(parts[0].best.footprint.nside, catalogue.ra, catalogue.dec, lonlat=True)
    for fitted, rows, suffix, found in zip(parts, own, suffixes, values, strict=True):
        footprint = fitted.best.footprint
        inside = np.flatnonzero(rows & (footprint.full_sky(1.0, fill=0.0)[place] == 1.0))
        columns[f"IN_FIT{suffix}"][inside] = True
        for name, pixels in found.items():
            columns[name + suffix][inside] = footprint.full_sky(pixels)[place[inside]]
    return columns, int(np.sum(~np.any(own, axis=0)))


def _pixel_rows(parts, values) -> tuple[dict[str, np.ndarray], int]:
    numbers = [p.best.footprint.n_pix for p in parts]
    columns = {"HPXPIXEL": np.concatenate([p.best.footprint.pixels for p in parts])}
    if any(p.part.region for p in parts):
        columns["REGION"] = np.repeat([p.part.region for p in parts], numbers)
    if any(p.part.z_bin for p in parts):
        columns["ZBIN"] = np.repeat([p.part.z_bin for p in parts], numbers)
    columns["IN_FIT"] = np.ones(sum(numbers), bool)
    return columns | {name: np.concatenate([found[name] for found in values]) for name in values[0]}, 0


def _membership(parts, own, suffixes) -> dict[str, np.ndarray]:
    """Region and bin of every object, of those that are said."""
    for i, one in enumerate(parts):
        for j in range(i):
            # randoms may share bins of a region, and nothing may share two regions
            apart = suffixes[i] == suffixes[j] or one.part.region != parts[j].part.region
            if apart and (n := int(np.sum(own[i] & own[j]))):
                msg = f"{n} objects are in {parts[j].part.label!r} and in {one.part.label!r}: give each object one part"
                raise DataError(msg)
    columns = {}
    if any(p.part.region for p in parts):
        columns["REGION"] = np.zeros(len(own[0]), f"U{max(len(p.part.region) for p in parts)}")
    if any(p.part.z_bin for p in parts) and not any(suffixes):
        columns["ZBIN"] = np.zeros(len(own[0]), int)
    for fitted, rows in zip(parts, own, strict=True):
        for name, value in (("REGION", fitted.part.region), ("ZBIN", fitted.part.z_bin)):
            if name in columns:
                columns[name][rows] = value
    return columns


def _own_rows(fitted: FittedPart, kind: str, number: int) -> np.ndarray:
    rows = fitted.part.galaxy_rows if kind == "galaxies" else fitted.part.random_rows
    if rows is None or np.shape(rows) != (number,) or np.asarray(rows).dtype != bool:
        came = "no rows" if rows is None else f"rows of shape {np.shape(rows)} and type {np.asarray(rows).dtype}"
        msg = f"part {fitted.part.label!r} has {came} for {number} {kind}: give True or False for each"
        raise DataError(msg)
    return np.asarray(rows)


def _identifier(sample, kind: str, name: str | None) -> dict[str, np.ndarray]:
    if name is None:
        return {}
    if sample.galaxies is None or name not in sample.galaxies.columns:
        raise unknown_name("identifier_column", name, getattr(sample.galaxies, "columns", None) or ["none"])
    if name.upper() in RESERVED or name.upper().startswith(("IN_FIT", "WEIGHT_")):
        msg = f"identifier_column is {name!r}, a name of the file itself: rename the column of the catalogue"
        raise ParameterError(msg)
    catalogue = sample.galaxies if kind == "galaxies" else sample.randoms
    if catalogue is None or name not in catalogue.columns:
        return {}
    values = np.asarray(catalogue.columns[name])
    if values.dtype.kind == "S":
        values = np.char.decode(values)
    if values.dtype.kind == "O" and all(isinstance(value, str) for value in values):
        values = values.astype(str)
    if values.dtype.kind not in "iuU" or values.ndim != 1:
        came = f"type {values.dtype} and shape {values.shape}"
        msg = f"identifier_column {name!r} has {came}: give a whole number or a text for each object"
        raise ParameterError(msg)
    return {name: values}


def _base(name: str) -> str:
    """Name of a column without the bin of its randoms, or the number of its draw."""
    start, _, end = name.rpartition("_")
    return start if end.lstrip("Z").isdigit() and (start.startswith(("IN_FIT", "WEIGHT"))) else name


def _suffix(fitted: FittedPart, kind: str) -> str:
    return f"_Z{fitted.part.z_bin}" if kind == "randoms" and fitted.part.z_bin else ""


def _unit_columns(values: Sequence[Mapping[str, np.ndarray]], suffixes: Sequence[str]) -> list[str]:
    """Columns that are one in all pixels: by one name for all bins, and for all draws, where that can be said."""
    # from the pixels: a catalogue off the footprint has ones as well, and there they are wrong
    ones = {name: [bool(np.all(found[name] == 1.0)) for found in values] for name in values[0]}
    known = {"WEIGHT_SYS" if name.startswith("WEIGHT_SYS") else name for name, unit in ones.items() if all(unit)}
    some = {
        name + suffix
        for name, unit in ones.items()
        for suffix in suffixes
        if suffix and not all(unit) and all(u for u, s in zip(unit, suffixes, strict=True) if s == suffix)
    }
    return sorted(known | some)


def _common(texts: Sequence[str]) -> str:
    return texts[0] if len(set(texts)) == 1 else "pair of the part, see METHOD in PARTS"
