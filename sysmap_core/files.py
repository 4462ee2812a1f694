"""Files: checksums, and writing that never leaves half a file behind."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path

import numpy as np

from .errors import DataError, MissingDataError


def checksum(path: str | Path) -> str:
    """SHA-256 of a file, read in pieces.

    Parameters
    ----------
    path : str or Path
        File to read.

    Returns
    -------
    str
        64 hexadecimal digits.

    Raises
    ------
    MissingDataError
        When there is no such file.
    """
    path = Path(path)
    if not path.is_file():
        msg = f"{path} is not a file: check the name and the folder"
        raise MissingDataError(msg)
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def folder(path: str | Path, what: str) -> Path:
    """Folder that has to exist.

    Parameters
    ----------
    path : str or Path
        Folder to look for.
    what : str
        What the folder is, for the message, e.g. ``"data_dir"``.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    MissingDataError
        When there is no such folder.
    """
    path = Path(path).expanduser()
    if not path.is_dir():
        msg = f"{what} is {str(path)!r}, which is not a folder: check the path, it is taken from {Path.cwd()}"
        raise MissingDataError(msg)
    return path


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Write under a temporary name in the same folder, rename at the end.

    Parameters
    ----------
    path : str or Path
        File to be written or replaced.  Its folder is made when it is missing.

    Yields
    ------
    Path
        Name to write to.  It becomes ``path`` when the block ends without an error, and
        is removed otherwise: an older file of that name then stays as it was.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # the process id keeps two runs apart, the ending tells writers about compression
    partial = path.with_name(f".partial-{os.getpid()}-{path.name}")
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def plain(value):
    """Plain Python types for a JSON file, from dictionaries, arrays and NumPy scalars.

    Parameters
    ----------
    value : object
        What to convert.

    Returns
    -------
    object
        The same in lists, numbers and text; numbers that are not finite become None.
    """
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, (np.ndarray, np.generic)):
        return plain(value.tolist())
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value


def restored(cls: type, content: dict, what: str):
    """Result from the plain Python types that :func:`plain` made of its attributes.

    Parameters
    ----------
    cls : type
        Dataclass of the result, with annotations as text; arrays and tuples among them become so again.
    content : dict
        All of its attributes.
    what : str
        What it is, for the message.

    Returns
    -------
    object
        Equal to the one that was stored; None in an array is NaN.

    Raises
    ------
    DataError
        When something is missing.
    """
    missing = [f.name for f in fields(cls) if f.name not in content]
    if missing:
        msg = f"the stored {what} lacks {', '.join(missing)}: store to_dict() of all of it"
        raise DataError(msg)
    return cls(**{f.name: _retyped(content[f.name], f.type) for f in fields(cls)})


def _retyped(value, annotation: str):
    if value is None:
        return None
    if annotation.startswith("np.ndarray"):
        array = np.array(value)
        return array.astype(float) if array.dtype == object else array
    return tuple(value) if annotation.startswith("tuple") else value
