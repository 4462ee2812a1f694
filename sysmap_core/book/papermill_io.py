"""Papermill plug-in: text notebooks as input, checked parameters, a default output path.

Papermill imports this module when it starts, through the entry point ``papermill.io``.

* Jupytext notebooks (``.md``, ``.py``) can be its input.
* ``papermill notebooks/x.md -p nside 64`` writes ``results/x/nside=64.ipynb``.  Papermill's own
  rule, an OUTPUT_PATH on a terminal and JSON on stdout otherwise, holds for all other input.
* Parameters are checked against the parameters cell before anything is written or run, when the
  notebook uses this package.

The last holds for ``papermill.execute_notebook`` as well.  Papermill has no hook for the last two, so they are set in
:mod:`papermill.cli` and :mod:`papermill.parameterize` when these are imported, after this module.  Other projects in
the same environment import it too: whatever does not use this package passes untouched.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.util
import os
import re
import sys
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from ..errors import SysmapError, unknown_name

TEXT_SUFFIXES = (".md", ".py")
OURS = "sysmap_core"
"""What a notebook mentions when it uses this package; the notebooks of others pass untouched."""
MAX_SLUG = 120
"""Longest name made of parameters; file systems end at 255 bytes."""


def _registry():
    """Papermill's table of handlers; papermill is importing this module, or not imported at all."""
    from papermill.iorw import papermill_io

    return papermill_io


class Refusal(click.ClickException):
    """One sentence on stderr, and the exit status of a wrong command line."""

    exit_code = 2


class TextNotebooks:
    """Reads jupytext notebooks as ipynb JSON; all else is papermill's local handler."""

    @property
    def local(self):
        """Papermill's own handler of files."""
        return _registry().get_handler("local")

    def read(self, path: str) -> str:
        """Notebook of a file, as JSON."""
        text = self.local.read(path)
        if not path.endswith(TEXT_SUFFIXES):
            return text
        import jupytext
        import nbformat

        return nbformat.writes(jupytext.reads(text, fmt=Path(path).suffix))

    def write(self, buf: str, path: str) -> None:
        """Write a notebook."""
        self.local.write(buf, path)

    def listdir(self, path: str) -> list[str]:
        """Files of a folder."""
        return self.local.listdir(path)

    def pretty_path(self, path: str) -> str:
        """Path as it is shown."""
        return path


class Output(TextNotebooks):
    """Writes a notebook under another name first, so that nobody meets half of one.

    Parameters
    ----------
    make_folder : bool
        Whether to make the folder; papermill leaves that to the user.
    """

    def __init__(self, make_folder: bool) -> None:
        self.base = Path.cwd()
        self.make_folder = make_folder

    def write(self, buf: str, path: str) -> None:
        """Write a notebook, then put it in its place."""
        target = self.base / path
        if target.is_symlink() or (target.exists() and not target.is_file()):
            self.local.write(buf, path)  # a link or a device must stay what it is
            return
        if self.make_folder:
            target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f".{os.getpid()}.part")
        try:
            self.local.write(buf, str(part))
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)


handler = TextNotebooks()
warnings.filterwarnings(
    "ignore", message=r"The specified file \(.*\.(md|py)\) does not end in", module=r"papermill\.iorw"
)


def is_text_notebook(path: object) -> bool:
    """Whether a path is that of an existing text notebook.

    Parameters
    ----------
    path : object
        Papermill's input: a path, or a notebook.

    Returns
    -------
    bool
        True for a ``.md`` or ``.py`` file.
    """
    return isinstance(path, (str, Path)) and str(path).endswith(TEXT_SUFFIXES) and Path(path).is_file()


def default_output(source: str, given: Mapping[str, Any]) -> Path:
    """Path of the executed notebook when the command line gives none.

    Parameters
    ----------
    source : str
        Path of the notebook.
    given : mapping
        Options of papermill by name.

    Returns
    -------
    pathlib.Path
        ``results/NOTEBOOK/PARAMETERS.ipynb``: the stems of ``-f`` files, then ``name=value`` of the
        other options, or ``default``.
    """
    parts = [Path(path).stem for path in given.get("parameters_file") or ()]
    parts += [text for key in ("parameters_yaml", "parameters_base64") for text in given.get(key) or ()]
    parts += [f"{name}={v}" for key in ("parameters", "parameters_raw") for name, v in given.get(key) or ()]
    # papermill fills {} in paths
    slug = re.sub(r"[^\w.=+-]+", "-", "_".join(parts)).strip("-") or "default"
    if len(slug) > MAX_SLUG:
        slug = f"{slug[:MAX_SLUG]}-{hashlib.sha256(slug.encode()).hexdigest()[:8]}"
    return Path("results") / Path(source).stem / f"{slug}.ipynb"


def checked_parameters(path: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters for a text notebook, checked when it uses this package.

    Parameters
    ----------
    path : str
        Path of the notebook.
    given : mapping
        Names and values of the command line.

    Returns
    -------
    dict
        The same names, with their values in the types of the parameters cell.

    Raises
    ------
    SysmapError
        When the notebook does not take a name or a value.
    """
    text = Path(path).read_text()
    if not given or OURS not in text:
        return dict(given)
    import jupytext

    return _checked(jupytext.reads(text, fmt=Path(path).suffix), given)


def _checked(notebook, given: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters for a notebook, checked against its parameters cell where that uses this package."""
    from .notebooks import parameters_cell
    from .parameters import check_given

    cell = parameters_cell(notebook)
    if not given or cell is None or not any(OURS in one.source for one in notebook.cells):
        return dict(given or {})
    own = {name: value for name, value in given.items() if not name.startswith("PAPERMILL_")}
    return {**given, **check_given(cell.source, own)}


# ---- papermill's command line --------------------------------------------------------------


def _refusing(function: Callable) -> Callable:
    """Make errors of this package end the command with one sentence."""

    @functools.wraps(function)
    def refusing(*args, **kwargs):
        try:
            return function(*args, **kwargs)
        except SysmapError as error:
            raise Refusal(str(error)) from None

    return refusing


@_refusing
def _take_input(context, parameter, path):
    """Callback of NOTEBOOK_PATH."""
    if is_text_notebook(path):
        _registry().register(path, handler)  # papermill picks a handler by the beginning of a path
    elif path and path.endswith(TEXT_SUFFIXES):
        others = [str(p) for suffix in TEXT_SUFFIXES for p in sorted(Path(path).parent.glob(f"*{suffix}"))]
        if others:
            raise unknown_name("notebook", path, others)
    return path


@_refusing
def _take_output(context, parameter, path):
    """Callback of OUTPUT_PATH: by now the options given are known."""
    from .pages import read_values

    files = context.params.get("parameters_file") or ()
    if is_text_notebook(context.params.get("notebook_path")):
        for file in (f for f in files if "://" not in f):
            if not Path(file).is_file():
                others = [str(p) for p in sorted(Path(file).parent.glob("*.yaml"))]
                raise unknown_name("params file", file, others or ["none in that folder"])
            read_values(Path(file).read_text())
    return path


def _output_default():
    """Value of OUTPUT_PATH when none is given; empty is papermill's own default."""
    given = click.get_current_context().params
    if given.get("help_notebook") or not is_text_notebook(given.get("notebook_path")):
        return ""
    return str(default_output(given["notebook_path"], given))


def _checking(execute: Callable) -> Callable:
    """Papermill's ``execute_notebook``, after a check of the parameters."""

    @functools.wraps(execute)
    @_refusing
    def execute_notebook(input_path, output_path, parameters=None, **options):
        if is_text_notebook(input_path):
            from .notebooks import prepare_kernels

            prepare_kernels()
            parameters = checked_parameters(input_path, parameters or {})
            if output_path != "-" and "://" not in output_path:
                context = click.get_current_context(silent=True)
                source = context and context.get_parameter_source("output_path")
                ours = source == click.core.ParameterSource.DEFAULT
                _registry().register(output_path, Output(make_folder=ours))
        return execute(input_path=input_path, output_path=output_path, parameters=parameters, **options)

    return execute_notebook


def _set_up(cli) -> None:
    """Set input, output and checks in :mod:`papermill.cli`."""
    # a papermill that has other names inside keeps its own behaviour
    with contextlib.suppress(AttributeError, KeyError):
        arguments = {parameter.name: parameter for parameter in cli.papermill.params}
        source, output = arguments["notebook_path"], arguments["output_path"]
        cli.execute_notebook = _checking(cli.execute_notebook)
        source.callback = _take_input
        output.callback = _take_output
        output.default = _output_default


# ---- papermill from Python -------------------------------------------------------------------


def _check_in_python(parameterize) -> None:
    """Check what ``papermill.execute_notebook`` is given as the command line does, in :mod:`papermill.parameterize`."""
    # a papermill that has other names inside keeps its own behaviour
    with contextlib.suppress(AttributeError):
        insert = parameterize.parameterize_notebook

        @functools.wraps(insert)
        def parameterize_notebook(nb, parameters, *rest, **options):
            return insert(nb, _checked(nb, parameters), *rest, **options)

        parameterize.parameterize_notebook = parameterize_notebook


class _WhenImported:
    """Finder that changes a module of papermill as soon as it is imported, and is gone then.

    Parameters
    ----------
    module : str
        Its name.
    change : callable
        Takes the module.
    """

    def __init__(self, module: str, change: Callable) -> None:
        self.module, self.change = module, change

    def find_spec(self, name, path=None, target=None):
        """Spec of the module, whose code is run and then changed."""
        if name != self.module:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.loader is not None:
            run = spec.loader.exec_module

            def exec_module(module):
                run(module)
                self.change(module)

            spec.loader.exec_module = exec_module
        return spec


for _module, _change in (("papermill.cli", _set_up), ("papermill.parameterize", _check_in_python)):
    sys.meta_path.insert(0, _WhenImported(_module, _change))
