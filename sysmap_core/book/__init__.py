"""Machinery around the notebooks: the book, papermill and the reference outputs.

Nothing in the maths imports this subpackage, and papermill imports it in every program that uses
papermill: keep its imports light.
"""

from __future__ import annotations


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
