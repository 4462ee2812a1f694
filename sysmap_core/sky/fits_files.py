"""FITS files opened with care: what is wrong with one is said in a sentence that names it."""

from __future__ import annotations

import gzip
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.table import Column, MaskedColumn, Table

from ..errors import DataError, MissingDataError, SysmapError
from .table_heads import READ_ERRORS, TableHead, short_reason

_BLOCK = 2880


@contextmanager
def fits_tables(
    path: str | Path,
    *,
    what: str = "table",
    wrong: str = "cannot be read as a FITS table",
    advice: str = "write or copy it again",
    memmap: bool = False,
) -> Iterator[fits.HDUList]:
    """Open a FITS file; what fails inside, while it is read, is an error about the file.

    Parameters
    ----------
    path : str or Path
        File, compressed or not.
    what : str
        What it should be, for the message when it is not there.
    wrong, advice : str
        What is said of a file that is damaged or something else, and what to do.
    memmap : bool
        Read only what is looked at, for large files.

    Yields
    ------
    astropy.io.fits.HDUList
        Its parts; what is read of them stays valid, with ``memmap`` what is copied.

    Raises
    ------
    MissingDataError
        When there is no such file.
    DataError
        When it is no FITS file, is cut short, or lacks what is looked for.
    """
    path = Path(path)
    if not path.is_file():
        msg = f"{what} {str(path)!r} does not exist: check the name and the folder"
        raise MissingDataError(msg)
    try:
        with warnings.catch_warnings():
            # a file that is cut short only gets a warning
            warnings.filterwarnings("error", message=".*truncated")
            with path.open("rb") as file, fits.open(file, memmap=memmap) as hdus:
                yield hdus
    except SysmapError:
        raise
    except READ_ERRORS as error:
        msg = f"{path} {wrong} ({short_reason(error)}): {advice}"
        raise DataError(msg) from None


def first_table(hdus: fits.HDUList, path: str | Path, needed: str) -> fits.BinTableHDU:
    """First table of a FITS file.

    Parameters
    ----------
    hdus : astropy.io.fits.HDUList
        Parts of the file.
    path : str or Path
        The file, for the message.
    needed : str
        What table is wanted, for the message.

    Returns
    -------
    astropy.io.fits.BinTableHDU
        The table.

    Raises
    ------
    DataError
        When there is none.
    """
    for hdu in hdus:
        if isinstance(hdu, fits.BinTableHDU):
            return hdu
    msg = f"{path} holds no table: give {needed}"
    raise DataError(msg)


def native(column: np.ndarray, dtype: type | None = None) -> np.ndarray:
    """Copy of a column in the byte order of this machine, which outlives its file."""
    return np.array(column, column.dtype.newbyteorder("=") if dtype is None else dtype)


def read_columns(path: str | Path) -> dict[str, np.ndarray]:
    """Read all columns of the first table of a FITS file.

    Parameters
    ----------
    path : str or Path
        File.

    Returns
    -------
    dict of str to ndarray
        Columns in their order.

    Raises
    ------
    MissingDataError
        When there is no such file.
    DataError
        When it cannot be read, or holds no table.
    """
    with fits_tables(path) as hdus:
        table = first_table(hdus, path, "a FITS table")
        return {name: native(table.data[name]) for name in table.columns.names}


def fits_heads(path: Path) -> list[TableHead]:
    """List the tables of a FITS file, without reading rows.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    list of TableHead
        Binary tables, without those that only hold the header of an image (LDAC_IMHEAD).

    Raises
    ------
    DataError
        When the file cannot be read, or one of its tables is compressed.
    """
    with fits_tables(path) as hdus:
        with warnings.catch_warnings():
            # what follows the last table is looked at below
            warnings.filterwarnings("ignore", message="Error validating header|Unexpected extra padding")
            tables = [(i, hdu) for i, hdu in enumerate(hdus) if _is_table(hdu)]
        _check_complete(path, hdus)
        if any(hdu.header.get("ZTABLE", False) for _, hdu in tables):
            msg = f"{path} holds a table compressed by fpack: unpack it with funpack"
            raise DataError(msg)
        return [TableHead(i, hdu.name, {c.name: c.unit or None for c in hdu.columns}) for i, hdu in tables]


def fits_rows(path: Path, head: TableHead, names: Sequence[str]) -> Table:
    """Read columns of a table of a FITS file.

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
        Columns with a null value (TNULL) are masked.

    Raises
    ------
    DataError
        When the file cannot be read.
    """
    with fits_tables(path, memmap=True) as hdus:
        return Table({name: _column(hdus[head.extension], name) for name in names}, copy=False)


def _check_complete(path: Path, hdus: fits.HDUList) -> None:
    """Refuse a file that ends within the header of a table, which would be left out without a word."""
    last = hdus[-1].fileinfo()
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    with (gzip.open if packed else open)(path, "rb") as file:
        file.seek(last["datLoc"] + last["datSpan"])
        if file.read(_BLOCK).strip(b"\0 \r\n"):
            msg = "it ends within a header"
            raise OSError(msg)


def _is_table(hdu: object) -> bool:
    image = isinstance(hdu, fits.CompImageHDU)
    return isinstance(hdu, fits.BinTableHDU) and not image and hdu.name != "LDAC_IMHEAD"


def _column(hdu: fits.BinTableHDU, name: str) -> Column:
    values, card = native(hdu.data[name]), hdu.columns[name]
    if card.null in (None, ""):
        return Column(values)
    return MaskedColumn(values, mask=np.isin(values, _nulls(card, values.dtype)))


def _nulls(card: fits.Column, dtype: np.dtype) -> np.ndarray:
    """Null value as it is read: by the standard it is the one before TZERO is added, astropy writes the one after."""
    # a scale of 1.0 would round the TZERO of unsigned numbers
    scale = 1 if card.bscale in (None, "", 1) else card.bscale
    nulls = (card.null, card.null * scale + (card.bzero or 0))
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        nulls = [int(null) for null in nulls if limits.min <= null <= limits.max]
    return np.array(nulls, dtype)
