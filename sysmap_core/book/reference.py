"""Reference outputs of the notebooks: ``python -m sysmap_core.book.reference [NAME ...]``.

Runs the cases of ``tests/reference/cases.yaml``, all or the named ones, and writes each to
``tests/reference/NAME.ipynb``, which ``pytest --nbval`` runs again and compares.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ..errors import SysmapError, unknown_name
from .notebooks import ROOT, find, missing_data, prepare_kernels, with_parameters

FOLDER = ROOT / "tests" / "reference"


def cases(folder: Path = FOLDER) -> dict[str, dict[str, Any]]:
    """Reference notebooks and what they are made of.

    Parameters
    ----------
    folder : pathlib.Path
        Folder of ``cases.yaml``.

    Returns
    -------
    dict
        By name: ``notebook``, ``parameters`` and, where real data are needed, ``needs``.
    """
    import yaml

    return yaml.safe_load((folder / "cases.yaml").read_text()) or {}


def prepared(case: Mapping[str, Any]):
    """Notebook of a case with its parameters.

    Parameters
    ----------
    case : mapping
        One value of :func:`cases`.

    Returns
    -------
    nbformat.NotebookNode
        Notebook, not run.
    """
    return with_parameters(find(case["notebook"]), case.get("parameters") or {})


def code(nb) -> list[str]:
    """Code cells of a notebook.

    Parameters
    ----------
    nb : nbformat.NotebookNode
        Notebook.

    Returns
    -------
    list of str
        Sources of its code cells.
    """
    return [cell.source.strip() for cell in nb.cells if cell.cell_type == "code"]


def clean(nb):
    """Leave only what is compared, so that a diff shows numbers alone.

    Parameters
    ----------
    nb : nbformat.NotebookNode
        Notebook that was run; it is changed.

    Returns
    -------
    nbformat.NotebookNode
        The same notebook, without text cells, figures, run times and outputs that are not compared.
    """
    nb.metadata = {"kernelspec": nb.metadata["kernelspec"]}
    nb.cells = [cell for cell in nb.cells if cell.cell_type == "code"]
    for number, cell in enumerate(nb.cells):
        tags = cell.metadata.get("tags", [])
        cell.id, cell.metadata = f"cell-{number}", {"tags": tags}
        if "nbval-ignore-output" in tags:
            cell.outputs = []
        for output in cell.outputs:
            if "data" in output:
                output.metadata = {}
                output.data = {kind: d for kind, d in output.data.items() if not kind.startswith("image/")}
    return nb


def make(name: str, case: Mapping[str, Any], folder: Path = FOLDER) -> Path:
    """Run a case and store what came out.

    Parameters
    ----------
    name : str
        Name of the case.
    case : mapping
        One value of :func:`cases`.
    folder : pathlib.Path
        Where the notebook runs and is stored.

    Returns
    -------
    pathlib.Path
        The stored notebook.
    """
    import nbformat
    from nbclient import NotebookClient

    nb = prepared(case)
    NotebookClient(nb, timeout=600, resources={"metadata": {"path": str(folder)}}).execute()
    nbformat.write(clean(nb), folder / f"{name}.ipynb")
    return folder / f"{name}.ipynb"


def main(names: Iterable[str] = (), folder: Path = FOLDER) -> None:
    """Make the named reference notebooks, or all.

    Parameters
    ----------
    names : iterable of str
        Names of cases.
    folder : pathlib.Path
        Folder of ``cases.yaml``.

    Raises
    ------
    ParameterError
        When a name is not that of a case.
    """
    prepare_kernels()
    known = cases(folder)
    for name in names:
        if name not in known:
            raise unknown_name("reference notebook", name, known)
    for name in names or known:
        lost = missing_data(known[name].get("needs", ""))
        print(f"{name}: not made, {lost}" if lost else make(name, known[name], folder))


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except SysmapError as error:
        sys.exit(f"error: {error}")
