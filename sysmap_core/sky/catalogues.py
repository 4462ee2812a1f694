"""Catalogues of positions."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..errors import DataError, unknown_name
from .fits_files import first_table, fits_tables, native


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
            As in the file.

        Returns
        -------
        ndarray, shape (n_obj,)
            Its values.

        Raises
        ------
        ParameterError
            When it was not read.
        """
        if name not in self.columns:
            raise unknown_name("column", name, self.columns or ["none"])
        return self.columns[name]


def read_catalogue(path: str | Path) -> Catalogue:
    """Read positions from a FITS table.

    Parameters
    ----------
    path : str or Path
        File with columns RA and DEC [deg] and, optionally, WEIGHT_COMP (any case).

    Returns
    -------
    Catalogue
        Rows in the order of the file.

    Raises
    ------
    MissingDataError
        When there is no such file.
    DataError
        When the file is no FITS file, is cut short or has no table, or the table no RA and DEC.
    """
    with fits_tables(path, what="catalogue", advice="give a FITS table with columns RA and DEC") as hdus:
        table = first_table(hdus, path, "a FITS table with columns RA and DEC")
        columns = {name.upper(): name for name in table.columns.names}
        if not {"RA", "DEC"} <= columns.keys():
            msg = (
                f"{path} has no columns RA and DEC, it has {', '.join(columns.values())}: rename those of the position"
            )
            raise DataError(msg)
        wanted = [columns.get(c) for c in ("RA", "DEC", "WEIGHT_COMP")]
        return Catalogue(*(None if c is None else native(table.data[c], float) for c in wanted))


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
    A file of weights that repeats it can be checked against its catalogue row by row.
    """
    digest = hashlib.sha256()
    for column in (ra, dec):
        digest.update(np.ascontiguousarray(column, dtype="<f8").data)
    return digest.hexdigest()
