"""Catalogues of positions."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from astropy.table import Column, Table

from ..errors import DataError, ParameterError, unknown_name
from .column_names import checked_names, find_identifier, find_positions, has_columns, named_column, shortened
from .positions import positions, wrapped
from .table_heads import TableHead
from .tables import table_head, table_rows


@dataclass(frozen=True)
class Catalogue:
    """Positions of galaxies or randoms.

    Parameters
    ----------
    ra, dec : ndarray, shape (n_obj,)
        Equatorial coordinates [deg].
    weights : ndarray, shape (n_obj,), optional
        Completeness weight of every object [1]; one each when there are none.
    columns : mapping of str to ndarray, shape (n_obj,)
        What else is known of the objects, under the names of their file: a redshift, a region, an identifier.
    """

    ra: np.ndarray
    dec: np.ndarray
    weights: np.ndarray | None = None
    columns: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.ra)

    def restricted(self, rows: np.ndarray) -> Catalogue:
        """Some of the objects.

        Parameters
        ----------
        rows : ndarray of bool, shape (n_obj,), or of int
            Which ones.

        Returns
        -------
        Catalogue
            In their order.
        """
        weights = None if self.weights is None else self.weights[rows]
        return Catalogue(
            self.ra[rows], self.dec[rows], weights, {name: values[rows] for name, values in self.columns.items()}
        )

    def column(self, name: str) -> np.ndarray:
        """Further column of a name.

        Parameters
        ----------
        name : str
            As in the file, or in another case where that is clear.

        Returns
        -------
        ndarray, shape (n_obj,)
            Its values.

        Raises
        ------
        ParameterError
            When it was not read.
        """
        alike = [one for one in self.columns if one.lower() == name.lower()]
        if name not in self.columns and len(alike) != 1:
            raise unknown_name("column", name, self.columns or ["none"])
        return self.columns[name if name in self.columns else alike[0]]


def read_catalogue(
    path: str | Path,
    *,
    ra_column: str | None = None,
    dec_column: str | None = None,
    position_unit: str | None = None,
    weight_columns: Sequence[str] | None = None,
    columns: Sequence[str] = (),
    identifier_column: str | None = None,
    extension: int | str | None = None,
) -> Catalogue:
    """Read a catalogue of any survey.

    Parameters
    ----------
    path : str or Path
        FITS, Parquet, HDF5, CSV or ECSV file, see :func:`~.read_table`.
    ra_column, dec_column : str, optional
        Equatorial coordinates.  By default those of a known habit, such as RA and DEC, see :func:`~.find_positions`.
    position_unit : {"deg", "rad", "hourangle"}, optional
        Unit of positions that have none in the file; they are taken as degrees otherwise.  ``"hourangle"`` is that of
        right ascension, with declination in degrees.
    weight_columns : sequence of str, optional
        Weights, whose product is taken.  WEIGHT_COMP by default where there is one; an empty sequence for none.
    columns : sequence of str
        Further columns that are wanted, such as a redshift.
    identifier_column : str, optional
        What an object is called, carried as a further column.  By default that of a known habit where there is one,
        see :func:`~.find_identifier`; an empty text for none.
    extension : int or str, optional
        Which table of a file with several.  By default the first one of a FITS file, or the only one of an HDF5 file,
        that has these columns.

    Returns
    -------
    Catalogue
        Rows in the order of the file, right ascension from 0 to below 360 deg.  Further columns have the names of the
        file.  In those of numbers what is masked is NaN; whole numbers stay whole numbers where nothing is masked.

    Raises
    ------
    MissingDataError
        When there is no such file, or the package that reads its format is not installed.
    DataError
        When the file is no such table or is damaged; when it has no positions, several that disagree, impossible ones,
        or ones whose unit is not known or looks like radians; when weights are negative, masked, not finite, or zero
        throughout; when an object has no identifier.
    ParameterError
        When the file has no such column or extension, a unit is not known, or one of a pair of columns is missing.

    Examples
    --------
    >>> import tempfile
    >>> table = Table({"ID": [7, 8], "raMean": [-1.5, 11.5], "decMean": [-30, -31], "w": [0.5, 1], "z": [0.1, 0.2]})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     table.write(f"{folder}/galaxies.csv")
    ...     galaxies = read_catalogue(f"{folder}/galaxies.csv", weight_columns=["w"], columns=["z"])
    >>> galaxies.ra, galaxies.weights
    (array([358.5,  11.5]), array([0.5, 1. ]))
    >>> {name: values.tolist() for name, values in galaxies.columns.items()}
    {'z': [0.1, 0.2], 'ID': [7, 8]}
    """
    given = _given_pair(ra_column, dec_column)
    columns = checked_names("columns", columns)
    weight_columns = None if weight_columns is None else checked_names("weight_columns", weight_columns)
    wanted = {*given, *(weight_columns or ()), *columns} | ({identifier_column} if identifier_column else set())

    def accepts(names: Sequence[str]) -> bool:
        return bool(given or find_positions(names)) and has_columns(names, wanted)

    head = table_head(path, accepts, extension=extension, what="catalogue")
    pairs = _pairs(head, given, path)
    weighted = _weighted(head, weight_columns, path)
    further = [named_column(head.names, name, path) for name in columns]
    identifier = _identifier(head, identifier_column, path)
    names = [*(name for pair in pairs for name in pair), *weighted, *further, *identifier]
    table = table_rows(path, head, names)
    ra, dec = positions(table, pairs, path, position_unit)
    weights = _product(table, weighted, path) if weighted else None
    _check_identified(table, identifier, path)
    return Catalogue(ra, dec, weights, {name: _values(table[name], path) for name in [*further, *identifier]})


def _given_pair(ra_column: str | None, dec_column: str | None) -> tuple[str, ...]:
    given = {"ra_column": ra_column, "dec_column": dec_column}
    lacking = [name for name, column in given.items() if not column]
    if len(lacking) == 1:
        there = next(name for name in given if name not in lacking)
        msg = f"{there} is {given[there]!r} without a {lacking[0]}: give both, or none"
        raise ParameterError(msg)
    return () if lacking else (ra_column, dec_column)


def _pairs(head: TableHead, given: tuple[str, ...], path: str | Path) -> list[tuple[str, str]]:
    if given:
        return [tuple(named_column(head.names, name, path) for name in given)]
    pairs = find_positions(head.names)
    if not pairs:
        msg = (
            f"{path} has no columns RA and DEC, it has {shortened(head.names)}: rename those of the position, or name "
            "them with ra_column and dec_column"
        )
        raise DataError(msg)
    return pairs


def _weighted(head: TableHead, weight_columns: Sequence[str] | None, path: str | Path) -> list[str]:
    if weight_columns is None:
        weight_columns = ("WEIGHT_COMP",) if has_columns(head.names, ["WEIGHT_COMP"]) else ()
    return [named_column(head.names, name, path) for name in weight_columns]


def _identifier(head: TableHead, identifier_column: str | None, path: str | Path) -> list[str]:
    if identifier_column is None:
        found = find_identifier(head.names)
        return [] if found is None else [found]
    return [named_column(head.names, identifier_column, path)] if identifier_column else []


def _product(table: Table, names: Sequence[str], path: str | Path) -> np.ndarray:
    """Product of columns of weights; whatever is no weight is counted for all of them."""
    factors, bad = [], []
    for name in names:
        weights = _one_each(table[name], path)
        if weights.dtype.kind not in "biuf":
            msg = f"{path}: column {name} holds no numbers: give weights, or leave it out of weight_columns"
            raise DataError(msg)
        masked = np.ma.getmaskarray(weights)
        values = np.array(weights, float)
        kinds = {
            "masked": masked,
            "not finite": ~masked & ~np.isfinite(values),
            "negative": ~masked & np.isfinite(values) & (values < 0),
        }
        bad += [f"{rows.sum()} {kind} in {name}" for kind, rows in kinds.items() if rows.any()]
        factors.append(values)
    if bad:
        msg = f"{path}: weights of {len(table)} objects are {', '.join(bad)}: correct them or remove these rows"
        raise DataError(msg)
    product = np.prod(factors, axis=0)
    if not product.any():
        msg = f"{path}: the product of the weights {', '.join(names)} is zero for all objects: give other columns"
        raise DataError(msg)
    return product


def _check_identified(table: Table, identifier: Sequence[str], path: str | Path) -> None:
    for name in identifier:
        nameless = np.ma.getmaskarray(table[name])
        if nameless.any():
            msg = (
                f"{path}: {nameless.sum()} of {len(table)} objects have no identifier in {name}: remove these rows, "
                "or name another column with identifier_column"
            )
            raise DataError(msg)


def _values(column: Column, path: str | Path) -> np.ndarray:
    """Plain values of a further column, NaN or empty text where they are masked."""
    masked = np.ma.getmaskarray(_one_each(column, path))
    values = np.array(column)
    if not masked.any():
        return values
    if values.dtype.kind in "biuf":
        values = values.astype(values.dtype if values.dtype.kind == "f" else float)
        values[masked] = np.nan
        return values
    return np.where(masked, "", values)


def _one_each(column: Column, path: str | Path) -> Column:
    if column.ndim != 1 or column.dtype.kind == "O":
        shape = f"{column.shape[1:]} values" if column.ndim != 1 else "values of several kinds or lengths"
        msg = f"{path}: column {column.name} has {shape} in a row: give one per object"
        raise DataError(msg)
    return column


def catalogue_checksum(ra: np.ndarray, dec: np.ndarray) -> str:
    """SHA-256 of positions in their order.

    Parameters
    ----------
    ra, dec : ndarray, shape (n_obj,)
        Equatorial coordinates [deg].

    Returns
    -------
    str
        64 hexadecimal digits, the same on every machine.

    Notes
    -----
    A file of weights that repeats it can be checked against its catalogue row by row.  Right ascensions from -180 to
    180 deg have the sum that they have from 0 to 360, as they are read from a file.
    """
    digest = hashlib.sha256()
    for column in (wrapped(np.asarray(ra, float)), dec):
        digest.update(np.ascontiguousarray(column, dtype="<f8").data)
    return digest.hexdigest()
