"""What a file says of its tables before their rows are read, and what is said of a file that cannot be read."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from astropy.table import meta

from ..errors import DataError, SysmapError

READ_ERRORS = (
    OSError,
    EOFError,
    LookupError,
    TypeError,
    ValueError,
    RuntimeError,
    Warning,
    zlib.error,
    meta.YamlParseError,
)
"""What the readers of the formats raise at a file that is damaged or something else."""

_MASK = ".mask"


@dataclass(frozen=True)
class TableHead:
    """One of the tables of a file.

    Parameters
    ----------
    extension : int, str or None
        What chooses it: the number of a FITS extension, the path of a group in HDF5; None where a file has one table.
    name : str
        Its name, empty where it has none.
    units : mapping of str to str or None
        Unit of every column, in the order of the file; None where it has none.
    """

    extension: int | str | None
    name: str
    units: Mapping[str, str | None]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns, without those that only say which values of another one are masked."""
        return tuple(n for n in self.units if not (n.endswith(_MASK) and n.removesuffix(_MASK) in self.units))

    def mask_of(self, name: str) -> str | None:
        """Column that says which values of another one are masked.

        Parameters
        ----------
        name : str
            The other one.

        Returns
        -------
        str or None
            Its name; None where there is none.
        """
        return name + _MASK if name + _MASK in self.units else None


@contextmanager
def guarded(path: Path, kind: str, advice: str = "write or copy it again") -> Iterator[None]:
    """Turn what fails inside, while a file is read, into an error about the file.

    Parameters
    ----------
    path : Path
        The file.
    kind : str
        What it is read as.
    advice : str
        What to do.

    Yields
    ------
    None
        Nothing.

    Raises
    ------
    DataError
        When the file is damaged or something else.
    """
    try:
        yield
    except SysmapError:
        raise
    except READ_ERRORS as error:
        msg = f"{path} cannot be read as {kind} ({short_reason(error)}): {advice}"
        raise DataError(msg) from None


def short_reason(error: BaseException) -> str:
    """First sentence of what a reader says.

    Parameters
    ----------
    error : BaseException
        What it raised.

    Returns
    -------
    str
        Without its full stop.
    """
    lines = str(error).strip().strip("'\"").splitlines() or [type(error).__name__]
    return lines[0].split(". ")[0].rstrip(".: ")


def stored_units(header: str) -> dict[str, str]:
    """Units of a table that astropy wrote as Parquet or HDF5.

    Parameters
    ----------
    header : str
        What it keeps of the columns, as YAML.

    Returns
    -------
    dict of str to str
        Unit of the columns that have one.
    """
    columns = meta.get_header_from_yaml(header.splitlines())["datatype"]
    return {c["name"]: str(c["unit"]) for c in columns if "unit" in c}
