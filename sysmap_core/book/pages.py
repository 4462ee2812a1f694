"""A params file is a page of the book: its notebook, run with its parameters.

The file is what ``papermill -f`` takes.  Comments at its head name the notebook and the title of
the page and, when the run needs real data, the environment variable that names their folder.  A run
that takes long says how long; it is made when the environment variable SYSMAP_SLOW is set::

    # notebook: ls10_sample
    # title: Stellar mass above 10^10.5
    # needs: SYSMAP_DATA
    # slow: 20 minutes
    sample: "10.5"
"""

from __future__ import annotations

import os
import re
from typing import Any

from ..errors import ParameterError
from .notebooks import find, missing_data, with_parameters

SLOW_VARIABLE = "SYSMAP_SLOW"
"""Environment variable that asks for the pages that take long."""

LATER = """\
# {title}

:::{{admonition}} Not run: this takes {slow}
:class: note

Set {variable} to 1 and build the book again, or run the page alone with `papermill notebooks/{notebook}.md -f` and
its params file.
:::
"""

NOTICE = """\
# {title}

:::{{admonition}} Not run: real data are missing
:class: warning

This page needs real data, and {lost}. Set {variable} to the folder that holds them and build the
book again. The public files, and where they come from, are listed in the README, section "Real data".
:::
"""


def read_head(text: str) -> dict[str, str]:
    """What the head of a params file says of its page.

    Parameters
    ----------
    text : str
        The file.

    Returns
    -------
    dict
        ``notebook``, ``title`` and, where real data are needed, ``needs``; ``slow`` where the run takes long.

    Raises
    ------
    ParameterError
        When the notebook or the title is not there.
    """
    found = re.findall(r"^# *(notebook|title|needs|slow): *(.+?) *$", text, flags=re.M)
    head = {key: value.strip("\"'") for key, value in found}
    for key in ("notebook", "title"):
        if key not in head:
            msg = f"the params file has no line `# {key}: ...` at its head: add it"
            raise ParameterError(msg)
    return head


def read_values(text: str) -> dict[str, Any]:
    """Parameters that a params file sets.

    Parameters
    ----------
    text : str
        The file.

    Returns
    -------
    dict
        Values by name.

    Raises
    ------
    ParameterError
        When the file is not YAML, or not a flat list of names and values.
    """
    import yaml

    try:
        values = yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        msg = f"the params file is not YAML: {' '.join(str(error).split())}"
        raise ParameterError(msg) from None
    if not isinstance(values, dict):
        msg = f"the params file holds a {type(values).__name__}: write one `name: value` per line"
        raise ParameterError(msg)
    return values


def read_page(text: str):
    """Notebook of a params file.

    Parameters
    ----------
    text : str
        The file.

    Returns
    -------
    nbformat.NotebookNode
        Notebook with the parameters, title and labels of the page; a notice when its data are missing, or it takes
        long and nobody asked for it.

    Raises
    ------
    ParameterError
        When the head, a name or a value is wrong.
    """
    head = read_head(text)
    nb = with_parameters(find(head["notebook"]), read_values(text))
    needs = head.get("needs", "")
    lost = missing_data(needs)
    if lost:
        return _notice(nb, NOTICE, lost=lost, variable=needs.split()[0], **head)
    if "slow" in head and not os.environ.get(SLOW_VARIABLE):
        return _notice(nb, LATER, variable=SLOW_VARIABLE, **head)
    _set_title(nb, head["title"])
    _make_labels_unique(nb, re.sub(r"\W+", "-", head["title"].lower()).strip("-"))
    return nb


def _notice(nb, text: str, **words: str):
    """A page of text instead of the notebook."""
    from nbformat.v4 import new_markdown_cell

    nb.cells = [new_markdown_cell(text.format(**words))]
    nb.metadata["mystnb"] = {"execution_mode": "off"}
    return nb


def _set_title(nb, title: str) -> None:
    for cell in nb.cells:
        if cell.cell_type == "markdown" and re.search(r"^# ", cell.source, flags=re.M):
            cell.source = re.sub(r"^# .*", lambda _: f"# {title}", cell.source, count=1, flags=re.M)
            return


LABEL_DEFINED = re.compile(r"^\$\$ *\(([\w:.-]+)\)|^\(([\w:.-]+)\)=|^:(?:label|name): *([\w:.-]+)", flags=re.M)
"""Where Markdown defines a label: an equation, a target, an option of a directive."""


def _make_labels_unique(nb, suffix: str) -> None:
    """Give the labels that a notebook defines a suffix, as other pages show the same notebook."""
    texts = [cell for cell in nb.cells if cell.cell_type == "markdown"]
    figures = [c.metadata["mystnb"]["figure"] for c in nb.cells if "figure" in c.metadata.get("mystnb", {})]
    labels = {label for cell in texts for found in LABEL_DEFINED.findall(cell.source) for label in found if label}
    labels |= {figure["name"] for figure in figures if "name" in figure}
    for figure in figures:
        if "name" in figure:
            figure["name"] += f"-{suffix}"
    if not labels:
        return
    # a label in a definition or a reference stands between these; the same word in a sentence does not
    used = re.compile(rf"(?<=[(`<# ])({'|'.join(map(re.escape, sorted(labels)))})(?=[)`>]|$)", flags=re.M)
    for cell in texts:
        cell.source = used.sub(rf"\1-{suffix}", cell.source)
