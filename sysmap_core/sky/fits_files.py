"""FITS files opened with care: what is wrong with one is said in a sentence that names it."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from astropy.io import fits

from ..errors import DataError, MissingDataError, SysmapError


@contextmanager
def fits_tables(
    path: str | Path,
    *,
    what: str = "table",
    wrong: str = "cannot be read as a FITS table",
    advice: str = "write or copy it again",
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

    Yields
    ------
    astropy.io.fits.HDUList
        Its parts; what is read of them stays valid.

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
            with path.open("rb") as file, fits.open(file, memmap=False) as hdus:
                yield hdus
    except SysmapError:
        raise
    except (OSError, EOFError, KeyError, IndexError, TypeError, ValueError, Warning) as error:
        reason = str(error).strip().strip("'\"").split("\n")[0].rstrip(".")
        msg = f"{path} {wrong} ({reason}): {advice}"
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
