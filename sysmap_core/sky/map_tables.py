"""Tables that hold HEALPix maps: which column holds pixel indices, and which hold values."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import healpy as hp
import numpy as np
from astropy.io import fits

from ..errors import DataError, ParameterError
from .column_names import POSITIONS, find_positions
from .fits_files import first_table, fits_tables
from .partial_sky import PartialMap

_ROW_NUMBER = "INDEX"

_INDEX = re.compile(
    r"(?:HEALPIX|HEALPIXEL|HPX|HPIX|HPIXEL|PIX|PIXEL|IPIX|IPIXEL)(?:ID|INDEX|NUM|NUMBER|PIX|PIXEL)?"
    rf"|HP(?:ID|INDEX|NUM|NUMBER|PIX|PIXEL)|{_ROW_NUMBER}"
)

_CARDS = ("PIXTYPE", "ORDERING", "HPXNEST", "NSIDE", "HPXNSIDE")


@dataclass(frozen=True)
class MapTable:
    """Table of a FITS file that holds HEALPix maps.

    Parameters
    ----------
    path : Path
        The file.
    header : astropy.io.fits.Header
        Header of the table.
    rows : ndarray
        Its rows, with a column for every map.
    index : str or None
        Column of pixel indices; None where the rows are all pixels in their order.
    nside : int or None
        Resolution, from the header or the number of pixels; None where neither says.
    """

    path: Path
    header: fits.Header
    rows: np.ndarray
    index: str | None
    nside: int | None

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of numbers, without that of pixel indices."""
        return tuple(n for n in self.rows.names if n != self.index and self.rows[n].dtype.kind in "biuf")

    def name_of(self, column: int | str | None) -> str:
        """Name of a column, from its name in any case or its position among :attr:`columns`.

        Parameters
        ----------
        column : int, str or None
            Which one; None for the only one.

        Returns
        -------
        str
            Its name in the table.

        Raises
        ------
        ParameterError
            When there is no such column.
        DataError
            When the table holds pixel indices only, or several columns for None.
        """
        if not self.columns:
            msg = f"{self.path} holds no column of numbers beside pixel indices: give a map with values"
            raise DataError(msg)
        listed = ", ".join(self.columns)
        if column is None and len(self.columns) > 1:
            msg = f"{self.path} has columns {listed}: say which one is meant with column"
            raise DataError(msg)
        column = 0 if column is None else column
        if isinstance(column, str):
            found = next((n for n in self.columns if n.lower() == column.lower()), None)
            if found is None:
                msg = f"column {column!r} not found: the table has {listed}"
                raise ParameterError(msg)
            return found
        if not 0 <= column < len(self.columns):
            msg = f"column is {column}: the file has {len(self.columns)} columns with values, {listed}"
            raise ParameterError(msg)
        return self.columns[column]

    def partial(self, column: int | str | None, ordering: str) -> PartialMap:
        """One of the maps where it has values, in the frame of the file.

        Parameters
        ----------
        column : int, str or None
            As in :meth:`name_of`.
        ordering : {"RING", "NESTED"}
            Ordering of the pixels in the file.

        Returns
        -------
        PartialMap
            Pixels in RING ordering, without UNSEEN, NaN and the null value of the column.

        Raises
        ------
        ParameterError
            When there is no such column.
        DataError
            When the table is no HEALPix map, or the column holds the numbers of the pixels.
        """
        name = self.name_of(column)
        values = self._values(name)
        if self.nside is None or (self.index is None and values.size != hp.nside2npix(self.nside)):
            msg = (
                f"{self.path}: {values.size} values and NSIDE {self.nside} do not make a full-sky map: "
                "add an NSIDE card, and a PIXEL column for a part of the sky"
            )
            raise DataError(msg)
        pixels = np.arange(values.size) if self.index is None else self._pixels(values.size)
        if values.size > 1 and np.array_equal(values, pixels):
            msg = f"{self.path}: column {name} holds the numbers of its pixels, 0, 1, 2, ..., and no map: give another"
            raise DataError(msg)
        if ordering == "NESTED" and self.index is None:
            values = hp.reorder(values, n2r=True)
        elif ordering == "NESTED":
            pixels = hp.nest2ring(self.nside, pixels)
        # float32 UNSEEN is not equal to the float64 one
        good = np.isfinite(values) & (values > 0.99 * hp.UNSEEN)
        pixels, values = pixels[good], values[good]
        order = slice(None) if self.index is None else np.argsort(pixels)
        return PartialMap(pixels[order], values[order], self.nside, dict(self.header))

    def _values(self, name: str) -> np.ndarray:
        raw = np.asarray(self.rows[name]).ravel()
        null = self.rows.columns[name].null
        missing = raw == null if null not in (None, "") and raw.dtype.kind in "iu" else False
        return np.where(missing, hp.UNSEEN, raw.astype(float))

    def _pixels(self, n_values: int) -> np.ndarray:
        pixels = np.asarray(self.rows[self.index]).ravel()
        n_pix = hp.nside2npix(self.nside)
        if pixels.size != n_values or pixels.dtype.kind not in "iuf" or np.any(pixels != np.round(pixels)):
            msg = (
                f"{self.path}: column {self.index} has {pixels.size} pixel indices for {n_values} values, or some that "
                "are no whole numbers: write one index a row"
            )
            raise DataError(msg)
        if not _are_indices(pixels, n_pix):
            msg = (
                f"{self.path}: pixel indices repeat, or leave 0 to {n_pix - 1} for NSIDE {self.nside}: "
                "check NSIDE and the table"
            )
            raise DataError(msg)
        return pixels.astype(np.int64)


def map_table(path: str | Path, column: int | str | None = None) -> MapTable:
    """Open a table of HEALPix maps.

    Parameters
    ----------
    path : str or Path
        FITS file with a binary table: one value per pixel, or pixel indices and values.
    column : str, optional
        Name of a column of the table that is wanted; the first table by default, and where none has it.

    Returns
    -------
    MapTable
        The table, with its column of pixel indices found by name, or else by what it holds.

    Raises
    ------
    MissingDataError
        When there is no such file.
    DataError
        When it holds no table or a catalogue of positions, NSIDE is no resolution, or several columns could hold
        pixel indices.
    """
    path, advice = Path(path), "a HEALPix map in a FITS table"
    with fits_tables(path, what="map file", wrong="cannot be read as FITS", advice=f"give {advice}") as hdus:
        tables = [hdu for hdu in hdus if isinstance(hdu, fits.BinTableHDU)]
        named = [hdu for hdu in tables if str(column).lower() in map(str.lower, hdu.columns.names)]
        hdu = named[0] if named else first_table(hdus, path, advice)
        header, rows = hdu.header, hdu.data
        if not hdu.columns.names:
            msg = f"{path} holds a table without columns: give {advice}"
            raise DataError(msg)
    nside = _nside(header, rows, path)
    index = _index_column(header, rows, nside, path)
    _refuse_catalogue(header, rows, index, path)
    return MapTable(path, header, rows, index, nside)


def is_position(name: str) -> bool:
    """Whether a column has the name of a coordinate on the sky.

    Parameters
    ----------
    name : str
        Name of a column.

    Returns
    -------
    bool
        True for RA, Dec and their kin.
    """
    return any(name.upper() in pair for pair in POSITIONS)


def _plain(name: str) -> str:
    """Name in capitals, without underscores."""
    return name.upper().replace("_", "")


def _is_index_name(name: str) -> bool:
    # a resolution may be at its end: HPIX_64
    return bool(_INDEX.fullmatch(_plain(name).rstrip("0123456789")))


def _nside(header: fits.Header, rows: np.ndarray, path: Path) -> int | None:
    nside = header.get("NSIDE", header.get("HPXNSIDE"))
    if nside is None:
        size = rows[rows.names[0]].size
        return hp.npix2nside(size) if size and hp.isnpixok(size) else None
    if not isinstance(nside, int) or not hp.isnsideok(nside, nest=True):
        msg = f"{path}: NSIDE is {nside!r}, which is no HEALPix resolution: correct the header"
        raise DataError(msg)
    return nside


def _index_column(header: fits.Header, rows: np.ndarray, nside: int | None, path: Path) -> str | None:
    named = [n for n in rows.names if _is_index_name(n)]
    found = [n for n in named if _plain(n) != _ROW_NUMBER] or named
    if not found and nside is not None:
        found = _by_content(header, rows, hp.nside2npix(nside))
    if len(found) > 1:
        msg = f"{path}: columns {' and '.join(found)} could both hold the pixel indices: leave one of them in the table"
        raise DataError(msg)
    return found[0] if found else None


def _by_content(header: fits.Header, rows: np.ndarray, n_pix: int) -> list[str]:
    whole = [n for n in rows.names if rows[n].dtype.kind in "iu"]
    scheme = str(header.get("INDXSCHM", "")).strip().upper()
    if scheme == "EXPLICIT" or rows[rows.names[0]].size < n_pix:
        return [n for n in whole if _are_indices(rows[n], n_pix)]
    # of a table of the full sky only what counts the rows, and only where a map is beside it
    counting = [n for n in whole if np.array_equal(np.ravel(rows[n]), np.arange(n_pix))]
    return counting if len(rows.names) > 1 else []


def _are_indices(values: np.ndarray, n_pix: int) -> bool:
    values = np.ravel(values)
    inside = not values.size or (values.min() >= 0 and values.max() < n_pix)
    return bool(inside) and np.unique(values).size == values.size


def _refuse_catalogue(header: fits.Header, rows: np.ndarray, index: str | None, path: Path) -> None:
    """A table of positions, unless its header says that it is a map, or it has an index for every pixel of the sky."""
    pairs = find_positions(rows.names)
    indexed = index is not None and _plain(index) != _ROW_NUMBER and hp.isnpixok(len(rows))
    if not pairs or indexed or any(card in header for card in _CARDS):
        return
    msg = f"{path} holds positions ({', '.join(pairs[0])}), it is a catalogue and no map: give a map of pixels"
    raise DataError(msg)
