"""The array interface: likelihoods as plain functions of arrays."""

from __future__ import annotations

from collections.abc import Callable

from ..backend import jax, jnp
from ..errors import DataError
from ..inference import MIN_EFFICIENCY, check_model, find_likelihood, unpack_params

LIKELIHOOD = {False: "gaussian", True: "skew-normal"}
"""Rows of the table of likelihoods, by ``use_skewed``."""


def make_log_likelihood(n_sys: int, model: str, use_skewed: bool = False) -> Callable:
    """Log-likelihood of an overdensity, a function that JAX can differentiate and compile.

    Parameters
    ----------
    n_sys : int
        Number of templates.
    model : {"additive", "multiplicative", "combined"}
        Contamination model.
    use_skewed : bool
        Whether the field is skew-normal, with ``gamma`` at the end of the parameters, or Gaussian.

    Returns
    -------
    callable
        From ``theta``, shape (n_params,), ``delta_g_obs``, shape (n_pix,), and ``delta_t``, shape
        (n_sys, n_pix), to a scalar.  Minus infinity where ``sigma <= 0``, where the selection
        efficiency of any pixel is below ``MIN_EFFICIENCY``, and where an input is not finite.
        It raises :class:`~.DataError` when shapes differ.

    Raises
    ------
    ParameterError
        For an unknown model.

    Notes
    -----
    Berlfein et al. (2024), Eq. 17, and Eq. 18 for the skewed field, whose ``sigma`` is a scale and
    not an rms.  Both attribute the shot noise of the counts to the field: the likelihood
    ``"shot-noise"`` of :func:`~.fit_model` does not.
    """
    check_model(model)
    row = find_likelihood(LIKELIHOOD[bool(use_skewed)])

    @jax.jit
    def log_likelihood(theta, delta_g_obs, delta_t):
        theta, delta, templates = jnp.asarray(theta), jnp.asarray(delta_g_obs), jnp.asarray(delta_t)
        check_shapes(n_sys, delta, templates)
        a, b, sigma, gamma = unpack_params(theta, n_sys, model, use_skewed)
        efficiency = 1.0 + b @ templates
        inside = (efficiency >= MIN_EFFICIENCY).all() & (sigma > 0.0)
        # values that are harmless outside too: gradients go through both sides of a choice
        log_sigma = jnp.log(jnp.where(sigma > 0.0, sigma, 1.0))
        floored = jnp.maximum(efficiency, 0.5 * MIN_EFFICIENCY)
        lnl = row.pixel(a @ templates, floored, log_sigma, gamma if use_skewed else 0.0, delta, 0.0, 0.0).sum()
        return jnp.where(inside & jnp.isfinite(lnl), lnl, -jnp.inf)

    return log_likelihood


def check_shapes(n_sys: int, delta, templates) -> None:
    """Stop when an overdensity and its templates do not belong together.

    Parameters
    ----------
    n_sys : int
        Templates that there should be.
    delta : array, shape (n_pix,)
        Overdensity.
    templates : array, shape (n_sys, n_pix)
        Templates.

    Raises
    ------
    DataError
        When shapes differ.
    """
    if delta.ndim != 1 or templates.shape != (n_sys, len(delta)):
        shapes = f"delta_g_obs has shape {delta.shape} and delta_t {templates.shape}"
        msg = f"{shapes}: give (n_pix,) and ({n_sys}, n_pix), as n_sys is {n_sys}"
        raise DataError(msg)
