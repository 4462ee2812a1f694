"""Tables of objects, read in blocks of rows: a table may be larger than the memory."""

from __future__ import annotations

import gzip
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.io import fits

from ..errors import DataError, ParameterError
from ..files import replacing
from ..sky import first_table, fits_tables

ROWS = 500_000
"""Rows of a block."""

POSITION = ("RA", "DEC")
"""Columns of the position, in any case [deg]."""

Progress = Callable[[int, int | None, float | None], None]
"""Called after every block with rows done, rows in all and seconds left, the last two None where not known."""

_DEGREES = ("deg", "degree", "degrees")


@dataclass(frozen=True)
class FitsRows:
    """The first table of a FITS file, not yet read.

    Parameters
    ----------
    path : Path
        The file; one that ends in ``.gz`` is unpacked to a temporary file while it is read.
    hdu : int
        Number of its extension.
    n_rows : int
        Rows of the table.
    names : tuple of str
        Names of its columns.
    units : dict of str to str
        Units by column, where the file has them.
    """

    path: Path
    hdu: int
    n_rows: int
    names: tuple[str, ...]
    units: dict[str, str]

    @property
    def in_degrees(self) -> bool:
        """Whether the file says that positions are in degrees."""
        units = {name.upper(): unit.strip().lower() for name, unit in self.units.items()}
        return all(units.get(name) in _DEGREES for name in POSITION)

    def blocks(self, columns: Sequence[str], rows: int = ROWS) -> Iterator[dict[str, np.ndarray]]:
        """Columns of ``rows`` rows after the other, float64, NaN where the table has its null value."""
        for name in columns:
            found = find_column(self.names, name, str(self.path))
            if self.units.get(found, "deg").strip().lower() not in _DEGREES and name.upper() in POSITION:
                msg = f"{self.path}: column {found} is in {self.units[found]!r}: give positions in degrees"
                raise DataError(msg)
        with _unpacked(self.path) as path:
            for start in range(0, self.n_rows, rows):
                # opened for every block: what was mapped into memory is given back
                with fits.open(path, memmap=True) as hdus:
                    yield _picked(hdus[self.hdu].data[start : start + rows], columns, str(self.path))


def fits_rows(path: str | Path) -> FitsRows:
    """Open the first table of a FITS file.

    Parameters
    ----------
    path : str or Path
        The file.

    Returns
    -------
    FitsRows
        The table; rows are read by :meth:`FitsRows.blocks`.

    Raises
    ------
    MissingDataError
        When there is no such file.
    DataError
        When the file is not FITS or has no binary table.
    """
    path, needed = Path(path), "a FITS table with a row per object"
    with fits_tables(path, wrong="cannot be read as FITS", advice=f"give {needed}") as hdus:
        hdu = first_table(hdus, path, needed)
        units = {c.name: str(c.unit) for c in hdu.columns if c.unit}
        return FitsRows(path, hdus.index(hdu), hdu.header["NAXIS2"], tuple(hdu.columns.names), units)


def row_blocks(
    table: str | Path | Mapping[str, np.ndarray] | Iterable[Mapping[str, np.ndarray]],
    columns: Sequence[str],
    *,
    rows: int = ROWS,
    progress: Progress | None = None,
) -> Iterator[dict[str, np.ndarray]]:
    """Rows of a table, block after block, with positions that have been checked.

    Parameters
    ----------
    table : path, mapping or iterable of mappings
        FITS file, or columns by name, or blocks of columns by name (dictionaries, data frames).
        Blocks are read once and not kept.
    columns : sequence of str
        Columns wanted beside RA and DEC, in any case.
    rows : int
        Rows of a block of a file.
    progress : callable, optional
        See :data:`Progress`.

    Yields
    ------
    dict of str to ndarray, shape (n_rows,)
        RA and DEC [deg] and the columns, under the names asked for, float64.

    Raises
    ------
    MissingDataError
        When there is no such file.
    DataError
        When the file has no table, the table no rows or lacks a column, or positions are not in
        degrees.
    ParameterError
        When ``rows`` is not positive.
    """
    if not isinstance(rows, int) or rows < 1:
        msg = f"rows is {rows!r}: give the number of rows of a block, e.g. {ROWS}"
        raise ParameterError(msg)
    wanted = list(dict.fromkeys([*POSITION, *columns]))
    source = fits_rows(table) if isinstance(table, (str, Path)) else None
    what = str(table) if source else "the table"
    blocks = source.blocks(wanted, rows) if source else (_picked(b, wanted, what) for b in _listed(table))
    total = source.n_rows if source else None
    box, done, started = _Box(what, source is not None and source.in_degrees), 0, time.perf_counter()
    for block in blocks:
        if not len(block["RA"]):
            continue
        box.add(block["RA"], block["DEC"])
        yield block
        done += len(block["RA"])
        if progress is not None:
            spent = time.perf_counter() - started
            progress(done, total, None if total is None else spent * (total - done) / done)
    if not done:
        msg = f"{what} has no rows: nothing can be built from it"
        raise DataError(msg)
    box.check()


def write_rows(
    path: str | Path, blocks: Iterable[Mapping[str, np.ndarray]], units: Mapping[str, str] | None = None
) -> Path:
    """Write a FITS table block by block, under a temporary name until it is complete.

    Parameters
    ----------
    path : str or Path
        File to write or replace.
    blocks : iterable of mappings
        Columns by name, shape (n_rows,) each; the types of the first block hold for all.
    units : mapping of str to str, optional
        Units by column; RA and DEC are in degrees without it.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    DataError
        When there is no block.
    """
    units = {name: "deg" for name in POSITION} if units is None else units
    header, n_rows = None, 0
    with replacing(path) as partial, partial.open("wb") as file:
        file.write(_PRIMARY)
        for block in blocks:
            if header is None:
                row = np.dtype([(name, values.dtype.newbyteorder(">")) for name, values in block.items()])
                header = _table_header(row, units)
                file.write(header.tostring().encode())
            table = np.empty(len(next(iter(block.values()))), row)
            for name in row.names:
                table[name] = block[name]
            table.tofile(file)
            n_rows += len(table)
        if header is None:
            msg = f"{path}: no block of rows came, and nothing was written: give one or more"
            raise DataError(msg)
        # FITS files come in units of 2880 bytes; the number of rows is known only now
        file.write(b"\0" * (-file.tell() % 2880))
        header["NAXIS2"] = n_rows
        file.seek(len(_PRIMARY))
        file.write(header.tostring().encode())
    return Path(path)


def find_column(names: Iterable[str], name: str, what: str) -> str:
    """Name of a column as the table spells it.

    Parameters
    ----------
    names : iterable of str
        Columns of the table.
    name : str
        Column wanted, in any case.
    what : str
        What the table is, for the message.

    Returns
    -------
    str
        One of ``names``.

    Raises
    ------
    DataError
        When there is none.
    """
    names = [str(n) for n in names]
    found = name if name in names else next((n for n in names if n.lower() == name.lower()), None)
    if found is None:
        msg = f"{what} has no column {name}, it has {', '.join(names)}: rename the column, or leave out what needs it"
        raise DataError(msg)
    return found


_PRIMARY = fits.PrimaryHDU().header.tostring().encode()


def _table_header(row: np.dtype, units: Mapping[str, str]) -> fits.Header:
    header = fits.BinTableHDU(np.empty(0, row)).header
    header.update({f"TUNIT{i}": units[name] for i, name in enumerate(row.names, 1) if name in units})
    return header


class _Box:
    """Range of all positions of a table."""

    def __init__(self, what: str, declared: bool):
        self.what, self.declared = what, declared
        self.low, self.high = np.full(2, np.inf), np.full(2, -np.inf)

    def add(self, ra: np.ndarray, dec: np.ndarray) -> None:
        bad = ~(np.isfinite(ra) & np.isfinite(dec)) | (np.abs(dec) > 90) | (ra < -180) | (ra > 360)
        if bad.any():
            msg = (
                f"{self.what}: {bad.sum()} positions of a block of {len(ra)} are not finite, or outside "
                "-180 <= RA <= 360 and |Dec| <= 90: give RA and Dec in degrees"
            )
            raise DataError(msg)
        for bound, extreme in ((self.low, np.minimum), (self.high, np.maximum)):
            bound[:] = extreme(bound, [extreme.reduce(ra), extreme.reduce(dec)])

    def check(self) -> None:
        """Refuse positions that fill the sky in radians."""
        inside = self.low[0] >= 0 and self.high[0] <= 2 * np.pi and max(-self.low[1], self.high[1]) <= np.pi / 2
        width = self.high - self.low
        if inside and not self.declared and width[0] > 5.5 and width[1] > 1:
            msg = (
                f"{self.what}: RA reaches from {self.low[0]:.3f} to {self.high[0]:.3f} and Dec from "
                f"{self.low[1]:.3f} to {self.high[1]:.3f}, which looks like radians: give degrees, or state the unit "
                "deg in a FITS table if they are"
            )
            raise DataError(msg)


def _listed(table) -> Iterable:
    """Blocks of a table in memory: a single one has names of columns."""
    return [table] if hasattr(table, "keys") else table


def _picked(block, columns: Sequence[str], what: str) -> dict[str, np.ndarray]:
    names = list(block.names if isinstance(block, fits.FITS_rec) else block.keys())
    picked = {name: _numbers(block, find_column(names, name, what), what) for name in columns}
    lengths = {name: len(values) for name, values in picked.items()}
    if len(set(lengths.values())) > 1:
        msg = f"{what}: columns of a block differ in length, {lengths}: give one value per row in each"
        raise DataError(msg)
    return picked


def _numbers(block, name: str, what: str) -> np.ndarray:
    """One column in native float64, NaN where it is masked or null."""
    column = block[name]
    try:
        values = np.ma.filled(np.ma.array(column, dtype=float), np.nan)
    except (TypeError, ValueError):
        msg = f"{what}: column {name} holds no numbers: leave it out, or convert it"
        raise DataError(msg) from None
    if values.ndim != 1:
        msg = f"{what}: column {name} has {values.shape[1:]} values in a row: give one number per row"
        raise DataError(msg)
    null = block.columns[name].null if isinstance(block, fits.FITS_rec) else None
    if null not in (None, ""):
        values[np.asarray(column) == null] = np.nan
    return values


@contextmanager
def _unpacked(path: Path) -> Iterator[Path]:
    """The file itself, or a temporary copy without its compression."""
    if path.suffix != ".gz":
        yield path
        return
    with tempfile.TemporaryDirectory() as scratch:
        plain = Path(scratch) / path.stem
        with gzip.open(path) as packed, plain.open("wb") as file:
            shutil.copyfileobj(packed, file, 2**20)
        yield plain
