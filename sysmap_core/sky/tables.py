"""Tables of objects in files: FITS, Parquet, HDF5, CSV and ECSV.

What a file is, is seen from its first bytes, and only where these do not say, from its ending.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.table import Column, MaskedColumn, Table
from astropy.units import Quantity, Unit

from ..errors import DataError, MissingDataError, ParameterError
from .column_names import checked_names, find_positions, has_columns, named_column, shortened
from .fits_files import fits_heads, fits_rows
from .hdf5_files import hdf5_heads, hdf5_rows
from .parquet_files import parquet_heads, parquet_rows
from .table_heads import TableHead, guarded
from .text_files import text_heads, text_rows

_PACKED = (".gz", ".bz2", ".xz", ".fz")


@dataclass(frozen=True)
class _Format:
    start: bytes
    endings: tuple[str, ...]
    heads: Callable[[Path], list[TableHead]]
    rows: Callable[[Path, TableHead, Sequence[str]], Table]


_FORMATS = (
    _Format(b"SIMPLE", (".fits", ".fit", ".fts"), fits_heads, fits_rows),
    _Format(b"PAR1", (".parquet", ".parq", ".pq"), parquet_heads, parquet_rows),
    _Format(b"\x89HDF\r\n", (".hdf5", ".h5", ".hdf"), hdf5_heads, hdf5_rows),
    _Format(b"# %ECSV", (".ecsv", ".csv"), text_heads, text_rows),
)


def read_table(path: str | Path, columns: Sequence[str] | None = None, *, extension: int | str | None = None) -> Table:
    """Read columns of a table.

    Parameters
    ----------
    path : str or Path
        FITS, Parquet, HDF5, CSV or ECSV file; FITS and text may be compressed.
    columns : sequence of str, optional
        Columns wanted, in any case; all by default.
    extension : int or str, optional
        Which table of a file with several: number or name of a FITS extension, path of a group or data set in HDF5.
        By default it is the first table of a FITS file, or the only one of an HDF5 file, that has the columns; where
        none are given, that has positions (:func:`~.find_positions`), and the first or only one where none has.

    Returns
    -------
    astropy.table.Table
        Columns under the names and with the units of the file, in the byte order of this machine.  Missing values are
        masked, NaN stay NaN.

    Raises
    ------
    MissingDataError
        When there is no such file, or the package that reads its format is not installed.
    DataError
        When the file is no such table or is damaged, when it has no table, or several that may be meant.
    ParameterError
        When it has no such column or extension.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Table({"RA": [10.5, 11.5], "Dec": [-30.0, -31.0], "Z": [0.1, 0.2]}).write(f"{folder}/galaxies.csv")
    ...     table = read_table(f"{folder}/galaxies.csv", ["ra", "z"])
    >>> table.colnames, table["Z"].tolist()
    (['RA', 'Z'], [0.1, 0.2])
    """
    wanted = checked_names("columns", columns or ())

    def accepts(names: Sequence[str]) -> bool:
        return has_columns(names, wanted) if wanted else bool(find_positions(names))

    head = table_head(path, accepts, extension=extension)
    names = head.names if columns is None else [named_column(head.names, name, path) for name in wanted]
    return table_rows(path, head, names)


def table_columns(path: str | Path, *, extension: int | str | None = None) -> dict[str, str | None]:
    """Names and units of the columns of a table, without its rows.

    Parameters
    ----------
    path : str or Path
        File, as for :func:`read_table`.
    extension : int or str, optional
        Which table of a file with several; by default as for :func:`read_table` without columns.

    Returns
    -------
    dict of str to str or None
        Unit of every column as it is written in the file, in its order; None where it has none.

    Raises
    ------
    MissingDataError
        When there is no such file, or the package that reads its format is not installed.
    DataError
        When the file is no such table or is damaged, when it has no table, or several that may be meant.
    ParameterError
        When it has no such extension.
    """
    head = table_head(path, lambda names: bool(find_positions(names)), extension=extension)
    return {name: head.units[name] for name in head.names}


def table_head(
    path: str | Path,
    accepts: Callable[[Sequence[str]], bool],
    *,
    extension: int | str | None = None,
    what: str = "table",
) -> TableHead:
    """Find the table of a file.

    Parameters
    ----------
    path : str or Path
        File, as for :func:`read_table`.
    accepts : callable
        Whether the names of columns are those of the table that is looked for.
    extension : int or str, optional
        Which one, accepted or not.
    what : str
        What the file should be, for the message when it is not there.

    Returns
    -------
    TableHead
        The one of that extension; otherwise the first that is accepted, or the first where none is.

    Raises
    ------
    MissingDataError
        When there is no such file, or the package that reads its format is not installed.
    DataError
        When the file is no such table or is damaged, when it has no table, or several that may be meant.
    ParameterError
        When it has no such extension.
    """
    path = Path(path)
    if not path.is_file():
        advice = "is a folder: give a file in it" if path.is_dir() else "does not exist: check the name and the folder"
        msg = f"{what} {str(path)!r} {advice}"
        raise MissingDataError(msg)
    heads = _format(path).heads(path)
    if not heads:
        msg = f"{path} holds no table: give a table with a row per object"
        raise DataError(msg)
    if extension is not None:
        return _extension(heads, extension, path)
    found = [head for head in heads if accepts(head.names)] or heads
    # the tables of a FITS file have an order, unless each is of another detector
    if len(found) > 1 and (isinstance(found[0].extension, str) or found[0].name == found[1].name == "LDAC_OBJECTS"):
        listed = shortened([str(head.extension) for head in found])
        msg = f"{path} holds several tables: choose one with extension, {listed}"
        raise DataError(msg)
    return found[0]


def table_rows(path: str | Path, head: TableHead, names: Sequence[str]) -> Table:
    """Read columns of a table that has been found.

    Parameters
    ----------
    path : str or Path
        The file.
    head : TableHead
        Its table, of :func:`table_head`.
    names : sequence of str
        Columns wanted, as they are written in the file.

    Returns
    -------
    astropy.table.Table
        As of :func:`read_table`.

    Raises
    ------
    MissingDataError
        When the package that reads its format is not installed.
    DataError
        When the file is damaged.
    """
    path, names = Path(path), list(dict.fromkeys(names))
    masks = {name: mask for name in names if (mask := head.mask_of(name))}
    table = _format(path).rows(path, head, [*names, *masks.values()])
    for name, mask in masks.items():
        table[name] = MaskedColumn(table[name], mask=np.asarray(table[mask], bool))
    table.keep_columns(names)
    for name in names:
        if isinstance(table[name], Quantity):
            table[name] = Column(table[name].value)
        if head.units[name]:
            table[name].unit = Unit(head.units[name], parse_strict="silent")
    return table


def _extension(heads: Sequence[TableHead], extension: int | str, path: Path) -> TableHead:
    """The table of that number or name; digits are a number where no table has them as its name."""
    word = str(extension).strip("/").lower()
    named = [head for head in heads if head.extension is not None and head.name.strip("/").lower() == word]
    numbered = [head for head in heads if str(head.extension) == word]
    if isinstance(extension, str) and named:
        return named[0]
    if numbered:
        return numbered[0]
    there = [f"{head.extension} {head.name}".strip() for head in heads if isinstance(head.extension, int)]
    there = there or [head.extension for head in heads if head.extension is not None]
    advice = f"it holds {shortened(there)}" if there else "leave it out, the file holds a single table"
    msg = f"extension is {extension!r}, which is no table of {path}: {advice}"
    raise ParameterError(msg)


def _format(path: Path) -> _Format:
    start = _start(path)
    by_start = [form for form in _FORMATS if start.startswith(form.start)]
    name = path.name.lower()
    for ending in _PACKED:
        name = name.removesuffix(ending)
    by_ending = [form for form in _FORMATS if name.endswith(form.endings)]
    if not (by_start or by_ending):
        msg = f"{path} is not recognised as a table: give a FITS, Parquet, HDF5, CSV or ECSV file with such an ending"
        raise DataError(msg)
    return (by_start or by_ending)[0]


def _start(path: Path) -> bytes:
    """First bytes of a file, unpacked."""
    length = max(len(form.start) for form in _FORMATS)
    with guarded(path, "a table"), path.open("rb") as file:
        start = file.read(length)
        if start.startswith(b"\x1f\x8b"):
            file.seek(0)
            with gzip.open(file) as packed:
                return packed.read(length)
        return start
