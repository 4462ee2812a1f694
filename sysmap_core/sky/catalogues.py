"""Catalogues of positions."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.io import fits

from ..errors import DataError, MissingDataError


@dataclass(frozen=True)
class Catalogue:
    """Positions of galaxies or randoms.

    Parameters
    ----------
    ra, dec : ndarray, shape (n_obj,)
        Equatorial coordinates [deg].
    weights : ndarray, shape (n_obj,), optional
        Completeness weight of every object [1]; one each when there are none.
    """

    ra: np.ndarray
    dec: np.ndarray
    weights: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.ra)


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
        When the file has no table, or the table no RA and DEC.
    """
    path = Path(path)
    if not path.is_file():
        msg = f"catalogue {str(path)!r} does not exist: check the name and the folder"
        raise MissingDataError(msg)
    with fits.open(path) as hdus:
        tables = [hdu for hdu in hdus if isinstance(hdu, fits.BinTableHDU)]
        if not tables:
            msg = f"{path} holds no table: give a FITS table with columns RA and DEC"
            raise DataError(msg)
        columns = {name.upper(): name for name in tables[0].columns.names}
        if not {"RA", "DEC"} <= columns.keys():
            msg = (
                f"{path} has no columns RA and DEC, it has {', '.join(columns.values())}: rename those of the position"
            )
            raise DataError(msg)
        wanted = [tables[0].data[columns[c]] if c in columns else None for c in ("RA", "DEC", "WEIGHT_COMP")]
        # a copy in native byte order, as the file is closed afterwards
        return Catalogue(*(None if c is None else np.array(c, float) for c in wanted))


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
