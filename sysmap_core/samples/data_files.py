"""Where the files of the real samples and maps are."""

from __future__ import annotations

import os
from pathlib import Path

from ..errors import MissingDataError
from ..files import folder

VARIABLE = "SYSMAP_DATA"
"""Environment variable that names the folder."""


def data_folder(data_dir: str | Path | None = None, what: str = "the real data (README, section Real data)") -> Path:
    """Folder of the real data sets.

    Parameters
    ----------
    data_dir : str or Path, optional
        The folder; that of the environment variable SYSMAP_DATA by default.
    what : str
        What it should hold, for the message.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    MissingDataError
        When neither is given, or there is no such folder.
    """
    if data_dir:
        return folder(data_dir, "data_dir")
    if os.environ.get(VARIABLE):
        return folder(os.environ[VARIABLE], VARIABLE)
    msg = f"{VARIABLE} is not set: set it to a folder with {what}"
    raise MissingDataError(msg)


def data_file(name: str, origin: str, data_dir: str | Path | None = None) -> Path:
    """File of a real data set.

    Parameters
    ----------
    name : str
        Its name.
    origin : str
        Where it comes from, for the message.
    data_dir : str or Path, optional
        As in :func:`data_folder`.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    MissingDataError
        When the folder or the file is not there.
    """
    public = f"; its sources are public: {origin}"
    path = data_folder(data_dir, name + public) / name
    if not path.is_file():
        msg = f"{name} is not in {path.parent}: set {VARIABLE} (or data_dir) to the folder that has it{public}"
        raise MissingDataError(msg)
    return path
