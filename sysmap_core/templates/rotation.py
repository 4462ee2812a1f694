"""Directions of a set of templates: principal axes, independence, whitening, dual maps."""

from __future__ import annotations

import numpy as np

from ..errors import DataError, unknown_name
from .template_set import TemplateSet

DEGENERATE = 1e-6
"""Eigenvalues of the template covariance below this, relative to the largest, are degenerate."""


def dual_maps(templates: TemplateSet) -> np.ndarray:
    """Maps whose sums with the overdensity are the amplitudes of the joint linear fit.

    Parameters
    ----------
    templates : TemplateSet
        Templates.

    Returns
    -------
    ndarray, shape (n_sys, n_pix)
        (T T^t)^-1 T: what each template has beyond the others, scaled.

    Raises
    ------
    DataError
        When templates are linear combinations of each other.
    """
    basis, white = whiten(templates.values, templates.names)
    return basis @ white / white.shape[1]


def principal_axes(templates: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues and eigenvectors of the covariance of templates.

    Parameters
    ----------
    templates : ndarray, shape (n_sys, n_pix)
        Templates with zero mean.

    Returns
    -------
    eigenvalues : ndarray, shape (n_sys,)
        In increasing order.
    vectors : ndarray, shape (n_sys, n_sys)
        One eigenvector per column.
    """
    return np.linalg.eigh(templates @ templates.T / templates.shape[1])


def check_independent(templates: np.ndarray, names: tuple[str, ...]) -> None:
    """Stop when templates are linear combinations of each other.

    Parameters
    ----------
    templates : ndarray, shape (n_sys, n_pix)
        Templates with zero mean.
    names : tuple of str
        Their names.

    Raises
    ------
    DataError
        Naming those that are involved.
    """
    if len(templates) == 0:
        return
    eigenvalues, vectors = principal_axes(templates)
    weak = eigenvalues < DEGENERATE * eigenvalues[-1]
    if weak.any():
        involved = np.flatnonzero((np.abs(vectors[:, weak]) > 0.05).any(1))
        listed = ", ".join(names[i] for i in involved)
        msg = f"templates {listed} are linear combinations of each other: leave one of them out"
        raise DataError(msg)


def whiten(templates: np.ndarray, names: tuple[str, ...], degenerate: str = "error") -> tuple[np.ndarray, np.ndarray]:
    """Rotate and scale templates so that they are uncorrelated with unit rms.

    Parameters
    ----------
    templates : ndarray, shape (n_sys, n_pix)
        Templates.
    names : tuple of str
        Their names, for the error.
    degenerate : {"error", "project"}
        What to do with linear combinations that vanish: stop, or leave them out.

    Returns
    -------
    basis : ndarray, shape (n_sys, n_kept)
        Amplitudes of the templates are ``basis @ x``, x those of the whitened ones.
    white : ndarray, shape (n_kept, n_pix)
        Whitened templates.

    Raises
    ------
    DataError
        When templates are linear combinations of each other, and are not to be projected.
    ParameterError
        When ``degenerate`` is another word.

    Notes
    -----
    The rotation of Berlfein et al. (2024), appendix A, with a scale, and rotated back where nothing is left out: the
    symmetric root is unique, where axes of equal length are a matter of rounding, and with them what a seed draws.
    """
    if degenerate not in ("error", "project"):
        raise unknown_name("treatment of degenerate templates", degenerate, ("error", "project"))
    if len(templates) == 0:
        return np.zeros((0, 0)), templates
    if degenerate == "error":
        check_independent(templates, names)
    eigenvalues, vectors = principal_axes(templates)
    weak = eigenvalues < DEGENERATE * eigenvalues[-1]
    basis = vectors[:, ~weak] / np.sqrt(eigenvalues[~weak])
    if not weak.any():
        basis = basis @ vectors.T
    return basis, basis.T @ templates
