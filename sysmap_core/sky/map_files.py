"""Files of maps, HEALPix or HealSparse: opened by what they are, and read as the observed fraction of pixels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import healpy as hp
import numpy as np

from ..errors import DataError
from .healpix_io import declared, equatorial, header_frame, header_ordering
from .healsparse_io import is_healsparse, sparse_columns, sparse_header, sparse_map, sparse_part
from .map_tables import MapTable, is_position, map_table
from .partial_sky import PartialMap
from .pixels import check_nside

MAX_FRACTION = 1.05
"""Largest observed fraction that passes for one: where it was counted with randoms, it scatters around its value."""

FRACTION = "FRACAREA"
"""Name, or start of the name, of a column of observed fractions."""


@dataclass(frozen=True)
class MapFile:
    """File of one or several maps of the sky.

    Parameters
    ----------
    path : Path
        The file.
    columns : tuple of str
        Columns of numbers, without that of pixel indices; empty where the file holds one map without a name.
    header : mapping
        Its cards.
    ordering, frame : str or None
        Ordering and frame that it states itself.
    content : MapTable or healsparse.HealSparseMap
        What it holds.
    """

    path: Path
    columns: tuple[str, ...]
    header: Mapping[str, object]
    ordering: str | None
    frame: str | None
    content: object

    @property
    def sparse(self) -> bool:
        """Whether it is HealSparse, whose pixels are always NESTED."""
        return not isinstance(self.content, MapTable)

    def read(
        self,
        column: str | None = None,
        *,
        ordering: str | None = None,
        frame: str | None = None,
        fill: float = hp.UNSEEN,
    ) -> PartialMap:
        """One of the maps, RING, equatorial, at the resolution of the file.

        Parameters
        ----------
        column : str, optional
            Which one.  Needed where there are several.
        ordering, frame : str, optional
            What the header does not say, as in :func:`~.read_map`.
        fill : float
            What a Galactic map has where it has no value; by default it is missing.

        Returns
        -------
        PartialMap
            Where it has values.

        Raises
        ------
        DataError
            When ordering or frame is not known, or contradicts the header, or the file holds no such map.
        ParameterError
            When a name is not a known one.
        """
        if not self.sparse:
            return equatorial(self.content, column, ordering=ordering, frame=frame, fill=fill)
        # another ordering that is declared contradicts that of HealSparse
        declared("ordering", ordering, self.ordering, self.path)
        return sparse_part(self.content, self.path, column=column, frame=frame)


@dataclass(frozen=True)
class CoverageMap:
    """Observed fraction of the pixels of the sky.

    Parameters
    ----------
    fraction : ndarray, shape (12 nside^2,)
        Observed fraction, RING, equatorial, from zero to one.
    own : PartialMap
        Observed pixels with their fractions at the resolution of the file.
    notes : tuple of str
        Sentences on what was done to the map of the file.
    """

    fraction: np.ndarray
    own: PartialMap
    notes: tuple[str, ...]

    def observed(self, ra: np.ndarray, dec: np.ndarray) -> np.ndarray:
        """Whether positions lie in observed pixels of the file.

        Parameters
        ----------
        ra, dec : ndarray, shape (n_obj,)
            Equatorial coordinates [deg].

        Returns
        -------
        ndarray of bool, shape (n_obj,)
            False where nothing was observed at the resolution of the file, though it may have been around.
        """
        pixels = hp.ang2pix(self.own.nside, ra, dec, lonlat=True)
        return np.isin(pixels, self.own.pixels[self.own.values > 0])


def open_maps(path: str | Path, column: str | None = None) -> MapFile:
    """Open a file of maps, whatever its ending.

    Parameters
    ----------
    path : str or Path
        HEALPix map or maps in a FITS table, or HealSparse.
    column : str, optional
        Column of the table that is wanted, where a file has several tables.

    Returns
    -------
    MapFile
        With the names of its columns.

    Raises
    ------
    MissingDataError
        When there is no such file, or it is HealSparse and that package is not installed.
    DataError
        When it holds no map.
    """
    path = Path(path)
    if path.is_file() and is_healsparse(path):
        found = sparse_map(path)
        header = sparse_header(found)
        return MapFile(path, sparse_columns(found), header, "NESTED", header_frame(header, path), found)
    table = map_table(path, column)
    stated = header_ordering(table.header, path), header_frame(table.header, path)
    return MapFile(path, table.columns, table.header, *stated, table)


def read_coverage(
    path: str | Path,
    nside: int,
    *,
    ordering: str | None = None,
    frame: str | None = None,
    column: str | None = None,
) -> np.ndarray:
    """Read the observed fraction of every pixel.

    Parameters
    ----------
    path, nside, ordering, frame, column
        As in :func:`read_coverage_map`.

    Returns
    -------
    ndarray, shape (12 nside^2,)
        Observed fraction, RING, equatorial, from zero to one.

    Raises
    ------
    MissingDataError, DataError, ParameterError
        As :func:`read_coverage_map`.

    Examples
    --------
    >>> import tempfile, numpy as np
    >>> from sysmap_core.sky import read_coverage, write_map
    >>> path = write_map(tempfile.mkdtemp() + "/mask.fits", np.arange(48) < 4, quantity="MASK", survey="LS10")
    >>> read_coverage(path, 1)[:6]
    array([0.25, 0.25, 0.25, 0.25, 0.  , 0.  ])
    """
    return read_coverage_map(path, nside, ordering=ordering, frame=frame, column=column).fraction


def read_coverage_map(
    path: str | Path,
    nside: int,
    *,
    ordering: str | None = None,
    frame: str | None = None,
    column: str | None = None,
) -> CoverageMap:
    """Read the observed fraction of every pixel, with notes on it.

    Parameters
    ----------
    path : str or Path
        HEALPix or HealSparse map of any resolution, of fractions, of zero and one, or of True and False.
    nside : int
        Resolution wanted.
    ordering, frame : str, optional
        What the header does not say, as in :func:`~.read_map`; the ordering of HEALPix maps only.
    column : str, optional
        Column of a file with several; that of FRACAREA, or the only one, by default.

    Returns
    -------
    CoverageMap
        Mean over the area of every pixel, in which a missing sub-pixel counts as zero.  A coarser map is replicated.

    Raises
    ------
    MissingDataError
        When there is no such file.
    DataError
        When values are negative or exceed one by more than rounding or noise (:data:`MAX_FRACTION`), no pixel was
        observed, it is not clear which column is meant, or the file is no map.
    ParameterError
        When a name is not a known one.
    """
    check_nside(nside)
    file = open_maps(path, column)
    column = column or _fraction_column(file)
    # HealSparse keeps its pixels NESTED: there is no ordering to declare
    own = file.read(column, ordering=None if file.sparse else ordering, frame=frame, fill=0.0)
    notes = _checked_fractions(own.values, file.path)
    own = PartialMap(own.pixels, np.minimum(own.values, 1.0), own.nside)
    if own.nside > nside:
        share = (nside / own.nside) ** 2
        observed, what = own.at_nside(nside, "sum") * share, "averaged, missing pixels as zero,"
    else:
        observed, what = own.at_nside(nside), "replicated"
    if own.nside != nside:
        notes.append(f"The observed fraction of {file.path.name} has NSIDE {own.nside} and is {what} to {nside}.")
    return CoverageMap(np.where(observed > 0.0, observed, 0.0), own, tuple(notes))


def _fraction_column(file: MapFile) -> str | None:
    """Column that is meant without a word."""
    held = [name for name in file.columns if not is_position(name)]
    for names in (held, [name for name in held if name.upper().startswith(FRACTION)]):
        if len(names) == 1:
            return names[0]
    if not file.columns:
        return None
    msg = f"{file.path} has columns {', '.join(held or file.columns)}: say which is the observed fraction with column"
    raise DataError(msg)


def _checked_fractions(values: np.ndarray, path: Path) -> list[str]:
    """Notes on values; an error where they are no fractions."""
    if not np.any(values):
        msg = f"{path} has no observed pixel: give a map of the observed fraction"
        raise DataError(msg)
    low, high = values.min(), values.max()
    if high > 1.0 and np.array_equal(values, np.round(values)):
        msg = (
            f"{path} holds whole numbers up to {high:.0f}, it is a map of counts or depths: "
            "give a map of the observed fraction, from zero to one"
        )
        raise DataError(msg)
    if low < 0.0 or high > MAX_FRACTION:
        msg = f"{path} holds values from {low:.6g} to {high:.6g}: give a map of the observed fraction, from zero to one"
        raise DataError(msg)
    over = int(np.sum(values > 1.0))
    if not over:
        return []
    return [f"The observed fraction of {path.name} exceeds one in {over} pixels by up to {high - 1:.2g}: one is taken."]
