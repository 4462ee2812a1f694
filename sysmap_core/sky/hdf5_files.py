"""Tables in HDF5 files: a group of equally long columns, or one data set of records.

The package h5py is needed: ``pip install h5py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from astropy.table import Table

from ..errors import MissingDataError
from .fits_files import native
from .table_heads import TableHead, guarded, stored_units

_ASTROPY_HEADER = ".__table_column_meta__"


def hdf5_heads(path: Path) -> list[TableHead]:
    """List the tables of an HDF5 file, without reading rows.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    list of TableHead
        Every group whose data sets have the same length, and every data set of records.  Units are those of astropy,
        or the attribute ``unit`` or ``units`` of a column.

    Raises
    ------
    MissingDataError
        When h5py is not installed.
    DataError
        When the file cannot be read.
    """
    h5py = _h5py()
    with guarded(path, "HDF5"), h5py.File(path, "r") as file:
        items = [file]
        file.visititems(lambda _, item: items.append(item))
        units = [(item.name, _units(item, h5py)) for item in items]
        return [TableHead(name, name, found) for name, found in units if found]


def hdf5_rows(path: Path, head: TableHead, names: Sequence[str]) -> Table:
    """Read columns of an HDF5 file.

    Parameters
    ----------
    path : Path
        The file.
    head : TableHead
        The table.
    names : sequence of str
        Columns wanted.

    Returns
    -------
    astropy.table.Table
        The columns, text decoded.

    Raises
    ------
    MissingDataError
        When h5py is not installed.
    DataError
        When the file cannot be read.
    """
    h5py = _h5py()
    with guarded(path, "HDF5"), h5py.File(path, "r") as file:
        table = file[head.extension]
        # a column of records comes as an array, one of a group as a data set
        return Table({name: _decoded(table[name][()]) for name in names}, copy=False)


def _h5py():
    try:
        import h5py
    except ImportError:
        msg = "HDF5 files need the package h5py, which is not installed: run `pip install h5py`"
        raise MissingDataError(msg) from None
    return h5py


def _units(item, h5py) -> dict[str, str | None]:
    """Columns with their units; none where it is no table."""
    if isinstance(item, h5py.Dataset):
        return _units_of_records(item) if item.dtype.names and item.ndim == 1 else {}
    inside = {name: item.get(name) for name in item}
    columns = {
        name: data
        for name, data in inside.items()
        if isinstance(data, h5py.Dataset) and data.ndim and not data.dtype.names and not name.endswith(_ASTROPY_HEADER)
    }
    if len({data.shape[0] for data in columns.values()}) != 1:
        return {}
    return {name: _unit(data) for name, data in columns.items()}


def _units_of_records(data) -> dict[str, str | None]:
    header = data.file.get(data.name + _ASTROPY_HEADER)
    known = {} if header is None else stored_units("\n".join(line.decode() for line in header[()]))
    return {name: known.get(name) for name in data.dtype.names}


def _unit(data) -> str | None:
    words = {key.lower(): value for key, value in data.attrs.items()}
    given = words.get("unit", words.get("units"))
    if given is None or not np.size(given):
        return None
    word = np.ravel(given)[0]
    return (word.decode() if isinstance(word, bytes) else str(word)) or None


def _decoded(values: np.ndarray) -> np.ndarray:
    if values.dtype.kind == "S":
        return np.char.decode(values, "utf-8")
    if values.dtype.kind == "O" and all(isinstance(v, bytes) for v in values.flat):
        return np.array([v.decode() for v in values.flat], str).reshape(values.shape)
    return native(values)
