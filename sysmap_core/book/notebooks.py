"""Text notebooks: reading them, and putting checked parameters in."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import ParameterError, unknown_name
from .parameters import check_given, fill

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = ROOT / "notebooks"
DATA_VARIABLE = "SYSMAP_DATA"
"""Environment variable that names the folder of the real data."""


def find(name: str) -> Path:
    """File of a notebook.

    Parameters
    ----------
    name : str
        Its name, without folder and suffix.

    Returns
    -------
    pathlib.Path
        The text notebook.

    Raises
    ------
    ParameterError
        When there is none of that name.
    """
    known = {path.stem: path for path in sorted(NOTEBOOKS.glob("*.md"))}
    if name not in known:
        raise unknown_name("notebook", name, known)
    return known[name]


def parameters_cell(nb):
    """Cell with the tag ``parameters``, or None.

    Parameters
    ----------
    nb : nbformat.NotebookNode
        Notebook.

    Returns
    -------
    nbformat.NotebookNode or None
        The first such cell.
    """
    tagged = (c for c in nb.cells if c.cell_type == "code" and "parameters" in c.metadata.get("tags", []))
    return next(tagged, None)


def with_parameters(path: Path, given: Mapping[str, Any]):
    """Notebook whose parameters cell holds the given values.

    Parameters
    ----------
    path : pathlib.Path
        Text notebook.
    given : mapping
        Values by name.

    Returns
    -------
    nbformat.NotebookNode
        Notebook, not run.

    Raises
    ------
    ParameterError
        When the notebook has no parameters cell, or does not take what is given.
    """
    import jupytext

    nb = jupytext.read(path)
    cell = parameters_cell(nb)
    if cell is None:
        msg = f"{path.name} has no cell with the tag 'parameters': tag the cell that sets them"
        raise ParameterError(msg)
    cell.source = fill(cell.source, check_given(cell.source, given))
    return nb


def prepare_kernels() -> None:
    """Set the environment that kernels inherit.

    The folder of the real data becomes absolute, as kernels start in other folders.  Threads of the
    linear algebra are switched off, unless the user has set them: its products are small here, and
    threads that wait for the next one take the cores from the transforms (pages run twice as fast).
    """
    if os.environ.get(DATA_VARIABLE):
        os.environ[DATA_VARIABLE] = os.path.abspath(os.environ[DATA_VARIABLE])
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def missing_data(needs: str) -> str:
    """What is missing of the data that a run needs.

    Parameters
    ----------
    needs : str
        Environment variable that names a folder, and the files needed from there, if not all.

    Returns
    -------
    str
        A clause that says what is missing; empty when nothing is.
    """
    variable, *files = needs.split() or [""]
    folder = os.environ.get(variable)
    if not folder:
        return f"the environment variable {variable} is not set" if variable else ""
    if not Path(folder).is_dir():
        return f"the folder {folder}, which the environment variable {variable} names, does not exist"
    lost = [name for name in files if not Path(folder, name).exists()]
    return f"the folder that the environment variable {variable} names has no {', '.join(lost)}" if lost else ""
