"""Tables in Parquet files.

The package pyarrow is needed: ``pip install pyarrow``.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from astropy.table import Column, MaskedColumn, Table

from ..errors import MissingDataError
from .table_heads import TableHead, guarded, stored_units


def parquet_heads(path: Path) -> list[TableHead]:
    """List the columns of a Parquet file, without reading rows.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    list of TableHead
        Its only table.  Units are those of astropy, or those of the metadata of the columns.

    Raises
    ------
    MissingDataError
        When pyarrow is not installed.
    DataError
        When the file cannot be read.
    """
    parquet = _pyarrow_parquet()
    with guarded(path, "Parquet"):
        schema = parquet.read_schema(path)
        known = stored_units((schema.metadata or {}).get(b"table_meta_yaml", b"datatype: []").decode())
        return [TableHead(None, "", {field.name: _unit(field) or known.get(field.name) for field in schema})]


def parquet_rows(path: Path, head: TableHead, names: Sequence[str]) -> Table:
    """Read columns of a Parquet file.

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
        Missing values are masked.

    Raises
    ------
    MissingDataError
        When pyarrow is not installed.
    DataError
        When the file cannot be read.
    """
    parquet = _pyarrow_parquet()
    with guarded(path, "Parquet"), parquet.ParquetFile(path) as file:
        rows = file.read(columns=list(names))
        return Table({name: _column(rows.column(name)) for name in names}, copy=False)


def _pyarrow_parquet():
    try:
        import pyarrow.parquet
    except ImportError:
        msg = "Parquet files need the package pyarrow, which is not installed: run `pip install pyarrow`"
        raise MissingDataError(msg) from None
    return pyarrow.parquet


def _unit(field) -> str | None:
    of_field = field.metadata or {}
    return next((of_field[key].decode() for key in (b"unit", b"units") if of_field.get(key)), None)


def _column(values) -> Column:
    """Values that are masked where they are null, never changed to another type on the way."""
    from pyarrow import types

    if types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    if types.is_decimal(values.type):
        values = values.cast("float64")
    mask = values.is_null().to_numpy() if values.null_count else None
    array = _filled(values, types)
    return Column(array) if mask is None else MaskedColumn(array, mask=mask)


def _filled(values, types) -> np.ndarray:
    kind = values.type
    if types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind):
        return np.array(values.fill_null("").to_pylist(), str)
    if types.is_fixed_size_list(kind) and not values.null_count:
        return values.combine_chunks().flatten().to_numpy().reshape(len(values), kind.list_size)
    if types.is_integer(kind) or types.is_floating(kind):
        return values.fill_null(0).to_numpy()
    return (values.fill_null(False) if types.is_boolean(kind) else values).to_numpy()
