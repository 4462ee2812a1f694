"""Files of template maps: what is declared of each, which of its columns are templates, and at which resolution."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np

from ..errors import DataError, ParameterError, unknown_name
from ..sky import MapFile, is_position, open_maps

KINDS: Mapping[str, tuple[str, ...]] = MappingProxyType({"mean": ("mean", "density"), "sum": ("sum", "count")})
"""How maps change their resolution, with the words of the AGGR card that say so."""

NO_TEMPLATES = ("FRACAREA", "NSIDE", "HPXNSIDE", "HPXNEST", "NGAL", "NRAND", "NRAN")
"""Starts of the names of columns that are no templates unless they are asked for: areas, and counts of objects."""


@dataclass(frozen=True)
class Declaration:
    """What a user says of one file of maps.

    Parameters
    ----------
    ordering, frame : str, optional
        As in :func:`~.read_map`.
    column : str or sequence of str, optional
        Column or columns that are templates.
    name : str, optional
        Name of the template, of a file that has one.
    kind : {"mean", "sum"}, optional
        ``"sum"`` for counts, which are added up where the map is finer than wanted.
    """

    ordering: str | None = None
    frame: str | None = None
    column: str | Sequence[str] | None = None
    name: str | None = None
    kind: str | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns that are asked for."""
        return (self.column,) if isinstance(self.column, str) and self.column else tuple(self.column or ())


@dataclass(frozen=True)
class FileMaps:
    """Template maps of one file.

    Parameters
    ----------
    path : Path
        The file.
    names : tuple of str, length n_maps
        Names of the templates.
    maps : ndarray, shape (n_maps, 12 nside^2)
        Maps, RING, equatorial, UNSEEN where they are missing.
    nside : int
        Resolution of the file.
    kind : str
        How they were brought to the resolution wanted, one of :data:`KINDS`.
    undeclared : tuple of str
        What the header does not say and was taken as declared, e.g. ``"frame galactic"``.
    left : tuple of str
        Columns that were not taken.
    """

    path: Path
    names: tuple[str, ...]
    maps: np.ndarray
    nside: int
    kind: str
    undeclared: tuple[str, ...]
    left: tuple[str, ...]


def declarations(declared: Mapping[str, Mapping[str, object]] | None, files: Sequence[str]) -> dict[str, Declaration]:
    """What is declared of every file, checked.

    Parameters
    ----------
    declared : mapping of str to mapping, optional
        Entries of :class:`Declaration` by the name of the file.
    files : sequence of str
        Names of the files there are.

    Returns
    -------
    dict of str to Declaration
        One for every file, empty where nothing is declared.

    Raises
    ------
    ParameterError
        For a file that is not there, or an entry or a kind that is not known.
    """
    known = tuple(Declaration.__dataclass_fields__)
    for file, entries in (declared or {}).items():
        if file not in files:
            raise unknown_name("map file", file, files)
        if not isinstance(entries, Mapping):
            msg = f"declaration of {file} is {entries!r}: give a table with entries of {', '.join(known)}"
            raise ParameterError(msg)
        for key in entries:
            if key not in known:
                raise unknown_name(f"entry for {file}", key, known)
        if entries.get("kind") and entries["kind"] not in KINDS:
            raise unknown_name(f"kind of {file}", entries["kind"], KINDS)
    return {file: Declaration(**(declared or {}).get(file, {})) for file in files}


def read_file(
    path: Path,
    nside: int,
    declaration: Declaration,
    *,
    name: str,
    quantity: bool = False,
    ordering: str | None = None,
    frame: str | None = None,
) -> FileMaps:
    """Read the template maps of one file.

    Parameters
    ----------
    path : Path
        HEALPix or HealSparse file.
    nside : int
        Resolution wanted.
    declaration : Declaration
        What is known of the file.
    name : str
        Name of the template where the file holds one.
    quantity : bool
        Whether the name is that of a quantity, which then chooses the column.
    ordering, frame : str, optional
        Ordering and frame where neither the declaration nor, for HealSparse, the format says.

    Returns
    -------
    FileMaps
        Maps at the resolution wanted.

    Raises
    ------
    MissingDataError
        When there is no such file, or it is HealSparse and that package is not installed.
    DataError
        When it is no map, does not say what it is, contradicts its declaration, has no value, or does not say which
        column is meant.
    ParameterError
        When a declared name is not a known one.
    """
    wanted = declaration.columns
    file = open_maps(path, wanted[0] if wanted else name if quantity else None)
    columns = wanted or _columns(file, name if quantity else None)
    kind = _kind(file, declaration.kind)
    # HealSparse keeps its pixels NESTED: there is no ordering to declare for a whole folder
    of_all = None if file.sparse else ordering
    how = {"ordering": declaration.ordering or of_all, "frame": declaration.frame or frame}
    maps = []
    for column in columns:
        one = file.read(column, **how)
        if not one.pixels.size:
            msg = f"{path} has no value in any pixel{f' of {column}' if column else ''}: check what it holds"
            raise DataError(msg)
        maps.append(one.at_nside(nside, kind))
    undeclared = tuple(f"{what} {how[what]}" for what in how if how[what] and getattr(file, what) is None)
    names = _names(file, columns, declaration.name, name, quantity)
    taken = {str(column).lower() for column in columns}
    left = tuple(column for column in file.columns if column.lower() not in taken)
    return FileMaps(path, names, np.array(maps), one.nside, kind, undeclared, left)


def _is_template(column: str) -> bool:
    return not (is_position(column) or column.upper().startswith(NO_TEMPLATES))


def _columns(file: MapFile, quantity: str | None) -> tuple[str | None, ...]:
    """Columns that are templates; that of the quantity, or the only one, where one is wanted."""
    if not file.columns:
        return (None,)
    held = tuple(column for column in file.columns if _is_template(column))
    if quantity is not None:
        named = tuple(column for column in file.columns if column.lower() == quantity.lower())
        if named:
            return named
        if len(held) > 1:
            msg = (
                f"{file.path}: none of the columns {', '.join(held)} is named {quantity}: "
                f"say which one it is, {{'{file.path.name}': {{'column': '{held[0]}'}}}} in the table of templates"
            )
            raise DataError(msg)
    if not held:
        msg = (
            f"{file.path}: none of the columns {', '.join(file.columns)} is taken for a template by its name: "
            f"say which one is, {{'{file.path.name}': {{'column': '{file.columns[0]}'}}}} in the table of templates"
        )
        raise DataError(msg)
    return held


def _names(
    file: MapFile, columns: Sequence[str | None], declared: str | None, name: str, quantity: bool
) -> tuple[str, ...]:
    if declared and len(columns) > 1:
        msg = f"name of {file.path.name} is {declared!r}, and it has maps {', '.join(columns)}: give column as well"
        raise ParameterError(msg)
    if declared:
        return (declared,)
    one = quantity or len([c for c in file.columns if _is_template(c)]) < 2
    return (name,) if one and len(columns) == 1 else tuple(columns)


def _kind(file: MapFile, declared: str | None) -> str:
    """How the map changes its resolution: what its header says, what is declared, or a mean."""
    word = str(file.header.get("AGGR", "")).strip().lower()
    stated = next((kind for kind, words in KINDS.items() if word in words), None)
    if stated and declared and stated != declared:
        msg = (
            f"{file.path}: kind={declared!r} contradicts the header, whose AGGR is {word!r}: "
            "leave kind out, or correct the header if it is wrong"
        )
        raise DataError(msg)
    return stated or declared or "mean"
