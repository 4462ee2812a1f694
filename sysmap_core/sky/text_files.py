"""Tables in text files: CSV, and ECSV, which has units and types."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from astropy.table import Column, MaskedColumn, Table
from astropy.utils.data import get_readable_fileobj
from astropy.utils.exceptions import AstropyWarning

from ..errors import DataError
from .table_heads import TableHead, guarded

_ENCODING = "utf-8-sig"  # with or without the mark that spreadsheets put first


def text_heads(path: Path) -> list[TableHead]:
    """List the columns of a text file, without reading rows.

    Parameters
    ----------
    path : Path
        CSV with a first row of names, comment lines starting with ``#``; or ECSV.  Compressed or not.

    Returns
    -------
    list of TableHead
        Its only table.

    Raises
    ------
    DataError
        When the file cannot be read, is a page of the web, or has numbers where names are wanted.
    """
    with guarded(path, "a text table"):
        lines = _header_lines(path)
        if lines[-1].lstrip().startswith("<"):
            msg = f"{path} is a page of the web or XML and no text table: download the table itself"
            raise DataError(msg)
        table = Table.read(lines, **_options(lines[0]))
        if all(map(_is_number, table.colnames)):
            msg = f"{path}: the first row holds numbers: put the names of the columns there, without a # before them"
            raise DataError(msg)
        units = {name: getattr(table[name], "unit", None) for name in table.colnames}
        return [TableHead(None, "", {name: None if unit is None else str(unit) for name, unit in units.items()})]


def text_rows(path: Path, head: TableHead, names: Sequence[str]) -> Table:
    """Read columns of a text file.

    Parameters
    ----------
    path : Path
        The file.
    head : TableHead
        Its table.
    names : sequence of str
        Columns wanted.

    Returns
    -------
    astropy.table.Table
        Empty fields are masked; whole numbers stay whole numbers.

    Raises
    ------
    DataError
        When the file cannot be read.
    """
    with guarded(path, "a text table"), warnings.catch_warnings():
        # whole numbers above 2^63 come as text, with a warning
        warnings.simplefilter("ignore", AstropyWarning)
        with get_readable_fileobj(str(path), encoding=_ENCODING) as file:
            text = file.read()
        options = _options(text)
        if options["format"] == "ascii.ecsv":
            # it states its types, and its reader cannot leave out columns that have empty fields
            return Table.read(f"{text}\n", **options)[list(names)]
        table = Table.read(f"{text}\n", **options, include_names=list(names))
        for name in names:
            table[name] = _whole_numbers(table[name])
        return table[list(names)]


def _header_lines(path: Path) -> list[str]:
    """Lines up to the row of names."""
    lines = []
    with get_readable_fileobj(str(path), encoding=_ENCODING) as file:
        for line in file:
            lines.append(line.rstrip("\r\n"))
            if lines[-1].strip() and not lines[-1].startswith("#"):
                return lines
    msg = "it has no row of names"
    raise ValueError(msg)


def _options(text: str) -> dict[str, object]:
    if text.startswith("# %ECSV"):
        return {"format": "ascii.ecsv", "guess": False}
    return {"format": "ascii.csv", "comment": "#", "guess": False}


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _whole_numbers(column: Column) -> Column:
    """Text that is whole numbers without a sign, as them."""
    mask = np.ma.getmaskarray(column)
    if column.dtype.kind != "U" or column.ndim != 1 or mask.all():
        return column
    words = np.where(mask, "0", np.asarray(column))
    if not np.char.isdecimal(words).all():
        return column
    try:
        values = np.array([int(word) for word in words], np.uint64)
    except OverflowError:
        return column
    return MaskedColumn(values, mask=mask) if mask.any() else Column(values)
