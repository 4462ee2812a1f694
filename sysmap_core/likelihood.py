r"""Likelihoods of one pixel, and their sums over all pixels.

``gaussian``
    Berlfein et al. (2024), Eq. 17.
``skew-normal``
    Berlfein et al. (2024), Eq. 18.  ``sigma`` is the scale of the distribution, not its rms.
``shot-noise``
    Gaussian with the Poisson noise of the counts beside the variance of the field,
    :math:`V_p = \sigma^2 (1+B_p)^2 + \max(1+A_p, 0.05) / \bar n_p`.  Eq. 17 attributes that
    noise to the field, which leaks ``a`` into ``b`` and dilutes ``b``.

All likelihoods are sums over independent pixels; errors on a clustered sky come from
:mod:`sysmap_core.covariance`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from .backend import jax, jnp
from .contamination import MIN_EFFICIENCY, amplitude_basis
from .errors import DataError, unknown_name

LN_2PI = float(np.log(2.0 * np.pi))
MIN_DENSITY = 0.05
"""Floor of the expected density 1 + A in the shot noise, where the model would make it negative."""

CHUNK = 4096
"""Pixels that are worked on at once: memory does not grow with their number times the draws."""


def _gaussian(additive, efficiency, log_sigma, gamma, delta, shot):
    residual = (delta - additive) / efficiency
    return -0.5 * LN_2PI - log_sigma - jnp.log(efficiency) - 0.5 * jnp.square(residual * jnp.exp(-log_sigma))


def _skew_normal(additive, efficiency, log_sigma, gamma, delta, shot):
    # the location that makes the mean of the field zero
    location = -gamma / jnp.sqrt(1.0 + gamma**2) * jnp.sqrt(2.0 / jnp.pi)
    residual = (delta - additive) / efficiency * jnp.exp(-log_sigma) - location
    tilt = jnp.log(2.0) + jax.scipy.special.log_ndtr(gamma * residual)
    return -0.5 * LN_2PI - log_sigma - jnp.log(efficiency) - 0.5 * jnp.square(residual) + tilt


def _shot_noise(additive, efficiency, log_sigma, gamma, delta, shot):
    variance = jnp.square(jnp.exp(log_sigma) * efficiency) + jnp.maximum(1.0 + additive, MIN_DENSITY) * shot
    return -0.5 * (LN_2PI + jnp.log(variance) + jnp.square(delta - additive) / variance)


@dataclass(frozen=True)
class Likelihood:
    """One row of the table of likelihoods.

    Parameters
    ----------
    name, label : str
        Name in the interface, and for figures.
    pixel : callable
        Log-likelihood of a pixel, from ``(A, 1 + B, ln sigma, gamma, d, 1 / nbar)``.
    skewed : bool
        Whether ``gamma`` is free.
    needs_expected : bool
        Whether the expected counts of the pixels are used.
    """

    name: str
    label: str
    pixel: Callable
    skewed: bool = False
    needs_expected: bool = False


LIKELIHOODS = {
    row.name: row
    for row in (
        Likelihood("gaussian", "Gaussian", _gaussian),
        Likelihood("skew-normal", "skew-normal", _skew_normal, skewed=True),
        Likelihood("shot-noise", "shot-noise-aware", _shot_noise, needs_expected=True),
    )
}


def find_likelihood(name: str) -> Likelihood:
    """Row of the table of likelihoods.

    Parameters
    ----------
    name : str
        ``"gaussian"``, ``"skew-normal"`` or ``"shot-noise"``.

    Returns
    -------
    Likelihood
        The row.

    Raises
    ------
    ParameterError
        When there is none of that name.
    """
    if name not in LIKELIHOODS:
        raise unknown_name("likelihood", name, LIKELIHOODS)
    return LIKELIHOODS[name]


def field_rms(sigma: float, gamma: float) -> float:
    """Standard deviation of a field from its width and skewness.

    Parameters
    ----------
    sigma, gamma : float
        Scale and shape of a skew-normal distribution; a normal one has gamma = 0.

    Returns
    -------
    float
        rms of the overdensity [1].
    """
    return float(sigma * np.sqrt(1.0 - 2.0 * gamma**2 / (np.pi * (1.0 + gamma**2))))


def pixel_density(fit, delta: np.ndarray, expected: np.ndarray | None = None) -> np.ndarray:
    """Probability density of the overdensity of an uncontaminated pixel.

    Parameters
    ----------
    fit : Posterior
        Fit whose maximum gives the width and the skewness.
    delta : ndarray, shape (n_grid,)
        Overdensities at which to evaluate [1].
    expected : ndarray, shape (n_pix,), optional
        Expected counts of the pixels, over which the shot-noise-aware density is averaged.

    Returns
    -------
    ndarray, shape (n_grid,)
        Density [1].
    """
    row = find_likelihood(fit.likelihood)
    shot = 1.0 / np.percentile(expected, np.arange(0.5, 100.0)) if row.needs_expected else np.zeros(1)
    lnl = row.pixel(0.0, 1.0, np.log(fit.maximum.sigma), fit.maximum.gamma, delta[:, None], shot)
    return np.asarray(jnp.exp(lnl).mean(1))


class PixelSums:
    r"""Log-likelihood of all pixels as a function of free parameters.

    The parameters are ``x = (amplitudes, ln sigma, [gamma])``, the amplitudes being those
    that the model leaves free.

    Parameters
    ----------
    delta : ndarray, shape (n_pix,)
        Observed overdensity [1].
    templates : ndarray, shape (n_sys, n_pix)
        Templates, in the basis that the amplitudes refer to.
    model : {"additive", "multiplicative", "combined"}
        Contamination model.
    likelihood : str
        Row of :data:`LIKELIHOODS`.
    expected : ndarray, shape (n_pix,), optional
        Expected galaxies per pixel; needed by ``"shot-noise"``.

    Raises
    ------
    DataError
        When shapes differ, values are not finite or not positive, or ``expected`` is missing.
    """

    def __init__(self, delta, templates, model: str, likelihood: str, expected=None):
        self.row = find_likelihood(likelihood)
        shot = _checked_shot_noise(delta, templates, self.row, expected)
        self.n_pix, self.n_sys = len(delta), len(templates)
        to_a, to_b = amplitude_basis(self.n_sys, model)
        self.n_free = to_a.shape[1]
        self.n_params = self.n_free + 1 + self.row.skewed
        if self.n_sys == 0:
            # one template of zeros: the compiler would fold products with empty arrays at great length
            templates, to_a, to_b = np.zeros((1, self.n_pix)), np.zeros((1, 0)), np.zeros((1, 0))
        self._to_ab = jnp.asarray(np.vstack([to_a, to_b]))
        self._chunks = _chunked(delta, templates, shot)

    def values(self, x) -> tuple[np.ndarray, np.ndarray]:
        """Log-likelihood at many parameter vectors, and the smallest efficiency there.

        Parameters
        ----------
        x : array, shape (n_draws, n_params)
            Free parameters.

        Returns
        -------
        lnl : ndarray, shape (n_draws,)
            Log-likelihood; minus infinity below the efficiency floor.
        efficiency : ndarray, shape (n_draws,)
            Smallest 1 + B over the pixels.
        """
        lnl, efficiency = _values(jnp.atleast_2d(jnp.asarray(x)), self._to_ab, self._chunks, self.row.pixel)
        return np.asarray(lnl), np.asarray(efficiency)

    def derivatives(self, x) -> tuple[float, np.ndarray, np.ndarray]:
        """Log-likelihood with its gradient and Hessian, in one pass over the pixels.

        Parameters
        ----------
        x : array, shape (n_params,)
            Free parameters.

        Returns
        -------
        lnl : float
            Log-likelihood.
        gradient : ndarray, shape (n_params,)
            First derivatives.
        hessian : ndarray, shape (n_params, n_params)
            Second derivatives.
        """
        lnl, grad, hess = _derivatives(jnp.asarray(x), self._to_ab, self._chunks, self.row.pixel)
        return float(lnl), np.asarray(grad)[: self.n_params], np.asarray(hess)[: self.n_params, : self.n_params]


def _checked_shot_noise(delta, templates, row: Likelihood, expected) -> np.ndarray:
    """1 / nbar per pixel (zero where it is not used), after checking all shapes and values."""
    if np.ndim(delta) != 1 or np.ndim(templates) != 2 or np.shape(templates)[1] != len(delta):
        msg = f"delta has shape {np.shape(delta)} and templates {np.shape(templates)}: give (n_pix,) and (n_sys, n_pix)"
        raise DataError(msg)
    for name, values in (("delta", delta), ("templates", templates)):
        if not np.all(np.isfinite(values)):
            msg = f"{name} has {np.sum(~np.isfinite(values))} values that are not finite: mask or drop these pixels"
            raise DataError(msg)
    if not row.needs_expected:
        return np.zeros(len(delta))
    if expected is None:
        msg = f"likelihood {row.name!r} needs expected, the expected galaxies per pixel, and it is None"
        raise DataError(msg)
    if np.shape(expected) != np.shape(delta) or not np.all(np.asarray(expected) > 0):
        came = f"shape {np.shape(expected)} and minimum {np.min(expected):.3g}"
        msg = f"expected has {came}: give {np.shape(delta)}, all positive"
        raise DataError(msg)
    return 1.0 / np.asarray(expected, float)


def _chunked(delta, templates, shot):
    """Pixels in zero-padded chunks: templates (n_chunk, n_sys, C), the rest (n_chunk, C)."""
    n_pix = len(delta)
    size = min(CHUNK, n_pix)
    n_chunk = -(-n_pix // size)

    def pad(values, fill):
        full = np.full((len(values), n_chunk * size), fill, dtype=float)
        full[:, :n_pix] = values
        return jnp.asarray(full.reshape(len(values), n_chunk, size).swapaxes(0, 1))

    # padded pixels have zero weight; their shot noise keeps the variance positive
    rows = pad(np.stack([delta, shot]), 1.0)
    weight = pad(np.ones((1, n_pix)), 0.0)[:, 0]
    return pad(templates, 0.0), rows[:, 0], rows[:, 1], weight


def _split(x, n_free):
    gamma = x[..., n_free + 1] if x.shape[-1] > n_free + 1 else jnp.zeros(x.shape[:-1])
    return x[..., :n_free], x[..., n_free], gamma


@partial(jax.jit, static_argnames="pixel")
def _values(x, to_ab, chunks, pixel):
    free, log_sigma, gamma = _split(x, to_ab.shape[1])
    ab = free @ to_ab.T
    n_sys = to_ab.shape[0] // 2

    def step(carry, chunk):
        templates, delta, shot, weight = chunk
        efficiency = 1.0 + ab[:, n_sys:] @ templates
        lnl = pixel(
            ab[:, :n_sys] @ templates, jnp.maximum(efficiency, 1e-300), log_sigma[:, None], gamma[:, None], delta, shot
        )
        return (carry[0] + (lnl * weight).sum(1), jnp.minimum(carry[1], efficiency.min(1))), None

    start = (jnp.zeros(len(x)), jnp.full(len(x), jnp.inf))
    (lnl, efficiency), _ = jax.lax.scan(step, start, chunks)
    inside = (efficiency >= MIN_EFFICIENCY) & jnp.isfinite(lnl)
    return jnp.where(inside, lnl, -jnp.inf), efficiency


@partial(jax.jit, static_argnames="pixel")
def _derivatives(x, to_ab, chunks, pixel):
    """Per pixel with respect to (A, B, ln sigma, gamma), then contracted with the templates."""
    free, log_sigma, gamma = _split(x, to_ab.shape[1])
    n_sys = to_ab.shape[0] // 2
    ab = to_ab @ free

    def one(z, delta, shot):
        return pixel(z[0], 1.0 + z[1], z[2], z[3], delta, shot)

    value_and_grad = jax.vmap(jax.value_and_grad(one))
    hessian = jax.vmap(jax.hessian(one))

    def step(carry, chunk):
        templates, delta, shot, weight = chunk
        ones = jnp.ones_like(delta)
        z = jnp.stack([ab[:n_sys] @ templates, ab[n_sys:] @ templates, log_sigma * ones, gamma * ones], -1)
        value, grad = value_and_grad(z, delta, shot)
        hess = hessian(z, delta, shot) * weight[:, None, None]
        grad = grad * weight[:, None]
        basis = [templates, templates, ones[None], ones[None]]
        full_grad = jnp.concatenate([basis[i] @ grad[:, i] for i in range(4)])
        rows = [jnp.concatenate([(basis[i] * hess[:, i, j]) @ basis[j].T for j in range(4)], 1) for i in range(4)]
        sums = ((value * weight).sum(), full_grad, jnp.concatenate(rows, 0))
        return jax.tree.map(jnp.add, carry, sums), None

    n_full = 2 * n_sys + 2
    start = (jnp.zeros(()), jnp.zeros(n_full), jnp.zeros((n_full, n_full)))
    (lnl, grad, hess), _ = jax.lax.scan(step, start, chunks)
    to_full = jax.scipy.linalg.block_diag(to_ab, jnp.eye(2))
    return lnl, to_full.T @ grad, to_full.T @ hess @ to_full
