"""Contamination of an overdensity by templates, forward and inverse.

The three models of Berlfein et al. (2024, Eqs. 11-13), with ``A = sum_i a_i t_i`` and
``B = sum_i b_i t_i``:

=============== ================================ ====================
model           observed overdensity             free amplitudes
=============== ================================ ====================
additive        ``d = delta + A``                ``a``
multiplicative  ``d = delta (1 + A) + A``        ``a`` (and ``b = a``)
combined        ``d = delta (1 + B) + A``        ``a`` and ``b``
=============== ================================ ====================

``1 + B`` is the selection efficiency and ``A - B`` the density of interlopers.
"""

from __future__ import annotations

import numpy as np

from ..errors import DataError, unknown_name

MIN_DENSITY = 0.05
"""Floor of the expected density 1 + A in the shot noise, where the model would make it negative."""

MODELS = ("additive", "multiplicative", "combined")

MIN_EFFICIENCY = 0.05
"""Smallest selection efficiency 1 + B that a fit may reach in any pixel.

The Gaussian likelihood is unbounded where the efficiency of one pixel goes to zero; maxima
and samples are defined on the region above this floor that holds ``b = 0``.
"""


def check_model(model: str) -> str:
    """Name of a contamination model, if there is one of that name.

    Parameters
    ----------
    model : str
        Name to check.

    Returns
    -------
    str
        The same name.

    Raises
    ------
    ParameterError
        When no model has the name.
    """
    if model not in MODELS:
        raise unknown_name("model", model, MODELS)
    return model


def apply_contamination(delta_g, delta_t, a, b):
    r"""Contaminate a true overdensity.

    Parameters
    ----------
    delta_g : array, shape (n_pix,)
        True overdensity [1].
    delta_t : array, shape (n_sys, n_pix)
        Standardised templates [1].
    a, b : array, shape (n_sys,)
        Additive and multiplicative amplitudes, per rms of the template.

    Returns
    -------
    array, shape (n_pix,)
        Observed overdensity.

    Notes
    -----
    :math:`d = \delta (1 + B) + A`, Berlfein et al. (2024), Eq. 13; ``b = 0`` gives Eq. 11
    and ``b = a`` gives Eq. 12.
    """
    return delta_g * (1.0 + b @ delta_t) + a @ delta_t


def invert_contamination(delta_g_obs, delta_t, a, b):
    r"""Remove contamination from an observed overdensity.

    Parameters
    ----------
    delta_g_obs : array, shape (n_pix,)
        Observed overdensity [1].
    delta_t : array, shape (n_sys, n_pix)
        Standardised templates [1].
    a, b : array, shape (n_sys,)
        Additive and multiplicative amplitudes, per rms of the template.

    Returns
    -------
    array, shape (n_pix,)
        True overdensity :math:`\delta = (d - A) / (1 + B)`.
    """
    return (delta_g_obs - a @ delta_t) / (1.0 + b @ delta_t)


def amplitude_basis(n_sys: int, model: str) -> tuple[np.ndarray, np.ndarray]:
    """Matrices from the free amplitudes of a model to additive and multiplicative ones.

    Parameters
    ----------
    n_sys : int
        Number of templates.
    model : {"additive", "multiplicative", "combined"}
        Contamination model.

    Returns
    -------
    to_a, to_b : ndarray, shape (n_sys, n_free)
        ``a = to_a @ x`` and ``b = to_b @ x``.
    """
    check_model(model)
    one, none = np.eye(n_sys), np.zeros((n_sys, n_sys))
    if model == "additive":
        return one, none
    if model == "multiplicative":
        return one, one
    return np.hstack([one, none]), np.hstack([none, one])


def n_free_params(n_sys: int, model: str) -> int:
    """Number of free contamination amplitudes.

    Parameters
    ----------
    n_sys : int
        Number of templates.
    model : {"additive", "multiplicative", "combined"}
        Contamination model.

    Returns
    -------
    int
        ``n_sys``, or twice as many for the combined model.  The width of the field is one more parameter of a fit,
        and its skewness, where it has one, another.

    Raises
    ------
    ParameterError
        For an unknown model.
    """
    return amplitude_basis(n_sys, model)[0].shape[1]


def pack_params(a, b, sigma: float, gamma: float | None = None, model: str = "combined") -> np.ndarray:
    """Put amplitudes, width and skewness into one vector.

    Parameters
    ----------
    a : array, shape (..., n_sys)
        Additive amplitudes.
    b : array, shape (..., n_sys), or None
        Multiplicative amplitudes; used by the combined model only.
    sigma : float or array, shape (...)
        Width of the field [1].
    gamma : float or array, shape (...), optional
        Skewness parameter of the field [1].
    model : {"additive", "multiplicative", "combined"}
        Contamination model.

    Returns
    -------
    ndarray, shape (..., n_params)
        ``(a, [b], sigma, [gamma])``, of one point or of many draws.

    Raises
    ------
    ParameterError
        For an unknown model.
    DataError
        When the combined model comes without ``b``.
    """
    check_model(model)
    if model == "combined" and b is None:
        msg = "model 'combined' needs b, and b is None: give b of shape (n_sys,)"
        raise DataError(msg)
    parts = [a, *([b] if model == "combined" else []), sigma, *([] if gamma is None else [gamma])]
    draws = np.shape(a)[:-1]
    return np.concatenate([np.asarray(p, float).reshape(*draws, -1) for p in parts], axis=-1)


def unpack_params(theta, n_sys: int, model: str, use_skewed: bool = False):
    """Take a parameter vector apart.

    Parameters
    ----------
    theta : array, shape (n_params,)
        ``(a, [b], sigma, [gamma])``, as :func:`pack_params` makes it.
    n_sys : int
        Number of templates.
    model : {"additive", "multiplicative", "combined"}
        Contamination model.
    use_skewed : bool
        Whether the vector ends with a skewness.

    Returns
    -------
    a, b : array, shape (n_sys,)
        Amplitudes; ``b`` is zero for the additive model and ``a`` for the multiplicative one.
    sigma : float
        Width of the field.
    gamma : float or None
        Skewness, where there is one.

    Raises
    ------
    DataError
        When the vector has the wrong length.
    """
    to_a, to_b = amplitude_basis(n_sys, model)
    n_free = to_a.shape[1]
    if len(theta) != n_free + 1 + use_skewed:
        msg = f"theta has {len(theta)} values: the {model} model with {n_sys} templates has {n_free + 1 + use_skewed}"
        raise DataError(msg)
    free = theta[:n_free]
    return to_a @ free, to_b @ free, theta[n_free], theta[n_free + 1] if use_skewed else None
