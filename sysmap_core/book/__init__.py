"""Machinery around the notebooks: papermill, the book, the reference outputs, parameters and provenance.

Nothing in the maths imports this room, and papermill imports it in every program that uses
papermill: keep its imports light.
"""

from __future__ import annotations

import lazy_loader


def setup(app):
    """Make this subpackage a Sphinx extension.

    Parameters
    ----------
    app : sphinx.application.Sphinx
        The build.

    Returns
    -------
    dict
        Version of the extension and what it allows.
    """
    from .sphinx_ext import connect

    return connect(app)


__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
