"""Where notebooks write their results."""

from __future__ import annotations

from pathlib import Path

RESULTS = Path(__file__).resolve().parents[1] / "results"
"""Where the notebooks write, unless they are told otherwise: beside the package."""


def output_folder(name: str, given: str | Path = "") -> Path:
    """Folder for the files of a notebook.

    Parameters
    ----------
    name : str
        Name of the notebook.
    given : str or Path
        What the user asked for, taken from the working directory; empty for the default.

    Returns
    -------
    Path
        The folder; whoever writes makes it.
    """
    return Path(given).expanduser() if given else RESULTS / name
