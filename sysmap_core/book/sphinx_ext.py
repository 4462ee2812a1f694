"""Sphinx side of the book.

* A bad params file stops the build before anything runs.
* Notebooks run side by side: :mod:`.execution`.
* Notebooks run again when the package or the real data change, and only then.
* MathJax is served from the book itself, and nothing else comes from elsewhere: the book reads offline.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
from pathlib import Path

from sphinx.errors import ExtensionError

from ..errors import SysmapError
from . import execution, notebooks, pages

CACHE = ".jupyter_cache-"


def connect(app):
    """Connect the steps of this module to a build.

    Parameters
    ----------
    app : sphinx.application.Sphinx
        The build.

    Returns
    -------
    dict
        Version of the extension and what it allows.
    """
    app.connect("config-inited", _configure)
    app.connect("builder-inited", _check_params_files)
    app.connect("builder-inited", _drop_thebe)
    app.connect("env-before-read-docs", execution.run_pages)
    app.connect("source-read", _depend_on_notebook)
    app.add_config_value("sysmap_jobs", 0, "", [int])
    # in the environment, so that pages are read again when it changes
    app.add_config_value("sysmap_slow", lambda _: os.environ.get(pages.SLOW_VARIABLE, ""), "env", [str])
    return {"version": "1", "parallel_read_safe": True}


def state() -> str:
    """Fingerprint of what the outputs of a notebook depend on, besides its own code.

    Returns
    -------
    str
        Hash of the sources of the package, and of names and sizes of the real data.
    """
    digest = hashlib.sha256()
    for path in sorted((notebooks.ROOT / "sysmap_core").rglob("*.py")):
        digest.update(path.read_bytes())
    folder = os.environ.get(notebooks.DATA_VARIABLE)
    for path in sorted(Path(folder).rglob("*")) if folder else []:
        digest.update(f"{path.relative_to(folder)} {path.stat().st_size}\n".encode())
    return digest.hexdigest()[:12]


def _configure(app, config) -> None:
    notebooks.prepare_kernels()
    build = Path(app.outdir).parent
    # the path is part of the environment: with another one, Sphinx reads every page again
    cache = build / f"{CACHE}{state()}"
    config.nb_execution_cache_path = str(cache)
    for stale in build.glob(f"{CACHE}*"):
        if stale != cache:
            shutil.rmtree(stale)
    _serve_mathjax(config)


def _serve_mathjax(config) -> None:
    found = importlib.util.find_spec("sphinx-mathjax-offline")
    if found is None:
        return
    # one file with no fonts beside it, of the 24 MB that the package would copy
    script = Path(found.submodule_search_locations[0]) / "static" / "mathjax" / "tex-svg.js"
    config.html_static_path.append(str(script))
    config.mathjax_path = script.name


def _drop_thebe(app) -> None:
    """Leave out what jupyter-book adds for live code, a script from the network, on every page."""
    for listeners in app.events.listeners.values():
        for listener in [x for x in listeners if getattr(x.handler, "__module__", "") == "sphinx_thebe"]:
            app.disconnect(listener.id)


def _check_params_files(app) -> None:
    for path in sorted((Path(app.srcdir) / "params").glob("*.yaml")):
        try:
            pages.read_page(path.read_text())
        except SysmapError as error:
            msg = f"params/{path.name}: {error}"
            raise ExtensionError(msg) from None


def _depend_on_notebook(app, docname: str, source: list[str]) -> None:
    """Read the page of a params file again when its notebook changes."""
    if docname.startswith("params/"):
        app.env.note_dependency(str(notebooks.find(pages.read_head(source[0])["notebook"])))
