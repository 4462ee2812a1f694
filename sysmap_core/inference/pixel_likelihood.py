"""Sums of a likelihood over all pixels, in chunks: values at many parameters, and derivatives.

Memory does not grow with the number of pixels times the number of draws.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from ..backend import jax, jnp
from ..errors import DataError, ParameterError, unknown_name
from ..sky import CountNoise
from .contamination import MIN_EFFICIENCY, amplitude_basis
from .likelihood import Likelihood, find_likelihood

CHUNK = 1024
"""Pixels that are worked on at once."""

GROUP = 8
"""Positive numbers that are multiplied before one logarithm is taken."""

PRECISIONS = ("float64", "float32")

DEVICES = ("auto", "cpu", "gpu")


def find_device(name: str):
    """Device that JAX computes on.

    Parameters
    ----------
    name : {"auto", "cpu", "gpu"}
        Kind of device.

    Returns
    -------
    jax.Device or None
        None leaves the choice to JAX.

    Raises
    ------
    ParameterError
        For an unknown name, or a device that is not there.
    """
    if name not in DEVICES:
        raise unknown_name("device", name, DEVICES)
    if name == "auto":
        return None
    try:
        return jax.devices(name)[0]
    except RuntimeError:
        msg = f"device is {name!r} and JAX sees none here: take 'cpu' or 'auto', or install JAX for that device"
        raise ParameterError(msg) from None


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
    noise : CountNoise, optional
        That of the counts; needed by ``"shot-noise"``.
    precision : {"float64", "float32"}
        Of the products in fast values; sums over pixels are always in double precision.
    device : {"auto", "cpu", "gpu"}
        Where to compute; ``auto`` is JAX's own choice.

    Raises
    ------
    DataError
        When shapes differ, values are not finite or not positive, or ``noise`` is missing.
    ParameterError
        For an unknown precision, or a device that is not there.
    """

    def __init__(
        self,
        delta,
        templates,
        model: str,
        likelihood: str,
        noise: CountNoise | None = None,
        *,
        precision="float64",
        device="auto",
    ):
        self.row = find_likelihood(likelihood)
        shot, coverage = _checked_noise(delta, templates, self.row, noise)
        self.n_pix, self.n_sys = len(delta), len(templates)
        to_a, to_b = amplitude_basis(self.n_sys, model)
        self.n_free = to_a.shape[1]
        self.n_params = self.n_free + 1 + self.row.skewed
        if self.n_sys == 0:
            # one template of zeros: the compiler would fold products with empty arrays at great length
            templates, to_a, to_b = np.zeros((1, self.n_pix)), np.zeros((1, 0)), np.zeros((1, 0))
        self._to_ab = jnp.asarray(np.vstack([to_a, to_b]))
        if precision not in PRECISIONS:
            raise unknown_name("precision", precision, PRECISIONS)
        self.precision = precision
        self._chunks = jax.device_put(_chunked(delta, templates, shot, coverage), find_device(device))
        self._n_padded = self._chunks[1].size - self.n_pix

    def values(self, x, *, fast: bool = False) -> tuple[np.ndarray, np.ndarray]:
        """Log-likelihood at many parameter vectors, and the smallest efficiency there.

        Parameters
        ----------
        x : array, shape (n_draws, n_params)
            Free parameters.
        fast : bool
            Whether to use the precision chosen for draws; double precision otherwise.

        Returns
        -------
        lnl : ndarray, shape (n_draws,)
            Log-likelihood; minus infinity below the efficiency floor.
        efficiency : ndarray, shape (n_draws,)
            Smallest 1 + B over the pixels.
        """
        x = jnp.atleast_2d(jnp.asarray(x))
        dtype = self.precision if fast else "float64"
        lnl, efficiency = _values(x, self._to_ab, self._chunks, self._n_padded, self.row, dtype)
        return np.asarray(lnl), np.asarray(efficiency)

    def log_posterior(self):
        """Logarithm of the posterior density, a function that JAX can differentiate.

        Returns
        -------
        callable
            From free parameters, shape (n_params,), to a number.
        """

        def density(x):
            lnl, _ = _values(x[None], self._to_ab, self._chunks, self._n_padded, self.row, "float64")
            return lnl[0] + x[self.n_free]

        return density

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
        lnl, grad, hess = _derivatives(jnp.asarray(x), self._to_ab, self._chunks, self._n_padded, self.row)
        return float(lnl), np.asarray(grad)[: self.n_params], np.asarray(hess)[: self.n_params, : self.n_params]


def _checked_noise(delta, templates, row: Likelihood, noise: CountNoise | None) -> tuple[np.ndarray, np.ndarray]:
    """Noise of galaxies and coverage per pixel (zero where it is not used), after checking all shapes and values."""
    if np.ndim(delta) != 1 or np.ndim(templates) != 2 or np.shape(templates)[1] != len(delta):
        msg = f"delta has shape {np.shape(delta)} and templates {np.shape(templates)}: give (n_pix,) and (n_sys, n_pix)"
        raise DataError(msg)
    for name, values in (("delta", delta), ("templates", templates)):
        if not np.all(np.isfinite(values)):
            msg = f"{name} has {np.sum(~np.isfinite(values))} values that are not finite: mask or drop these pixels"
            raise DataError(msg)
    if not row.needs_noise:
        return np.zeros(len(delta)), np.zeros(len(delta))
    if noise is None:
        msg = f"likelihood {row.name!r} needs expected, the expected galaxies per pixel, and it is None"
        raise DataError(msg)
    shot, coverage = noise.galaxies, noise.coverage
    if np.shape(shot) != np.shape(delta) or not (np.all(shot >= 0) and np.all(np.isfinite(shot))):
        with np.errstate(divide="ignore"):
            came = f"shape {np.shape(shot)} and minimum {np.min(1.0 / shot):.3g}"
        msg = f"expected has {came}: give {np.shape(delta)}, all positive"
        raise DataError(msg)
    return shot, coverage


def _chunked(delta, templates, shot, coverage):
    """Pixels in zero-padded chunks: templates (n_chunk, n_sys, C), overdensity and both noises (n_chunk, C)."""
    n_pix = len(delta)
    size = min(CHUNK, -(-n_pix // GROUP) * GROUP)
    n_chunk = -(-n_pix // size)

    def pad(values):
        full = np.zeros((len(values), n_chunk * size))
        full[:, :n_pix] = values
        return jnp.asarray(full.reshape(len(values), n_chunk, size).swapaxes(0, 1))

    rows = pad(np.stack([delta, shot, coverage]))
    return pad(templates), rows[:, 0], rows[:, 1], rows[:, 2]


def _split(x, n_free):
    gamma = x[..., n_free + 1] if x.shape[-1] > n_free + 1 else jnp.zeros(x.shape[:-1])
    return x[..., :n_free], x[..., n_free], gamma


@partial(jax.jit, static_argnames=("row", "dtype"))
def _values(x, to_ab, chunks, n_padded, row: Likelihood, dtype: str):
    free, log_sigma, gamma = _split(x, to_ab.shape[1])
    n_sys = to_ab.shape[0] // 2
    # a above b: one product of matrices is faster than two
    stacked = jnp.concatenate([free @ to_ab[:n_sys].T, free @ to_ab[n_sys:].T]).astype(dtype)
    sigma, skew = (v[:, None].astype(dtype) for v in (jnp.exp(log_sigma), gamma))

    @jax.checkpoint  # gradients go through the chunks again, instead of keeping all of them
    def step(carry, chunk):
        templates, delta, shot, coverage = (part.astype(dtype) for part in chunk)
        additive, multiplicative = jnp.split(stacked @ templates, 2)
        efficiency = 1.0 + multiplicative
        floored = jnp.maximum(efficiency, 0.5 * MIN_EFFICIENCY)
        scale, rest = row.terms(additive, floored, sigma, skew, delta, shot, coverage)
        products = scale.reshape(len(x), -1, GROUP).prod(2)
        lnl = row.power * jnp.log(products).sum(1, dtype=float) + rest.sum(1, dtype=float)
        return (carry[0] + lnl, jnp.minimum(carry[1], efficiency.min(1).astype(float))), None

    start = (jnp.zeros(len(x)), jnp.full(len(x), jnp.inf))
    (lnl, efficiency), _ = jax.lax.scan(step, start, chunks)
    # what the padding added: pixels without contamination and noise, at delta = 0
    lnl = lnl - n_padded * row.pixel(0.0, 1.0, log_sigma, gamma, 0.0, 0.0, 0.0)
    inside = (efficiency >= MIN_EFFICIENCY) & jnp.isfinite(lnl)
    return jnp.where(inside, lnl, -jnp.inf), efficiency


@partial(jax.jit, static_argnames="row")
def _derivatives(x, to_ab, chunks, n_padded, row: Likelihood):
    """Per pixel with respect to (A, B, ln sigma, gamma), then contracted with the templates."""
    free, log_sigma, gamma = _split(x, to_ab.shape[1])
    n_sys = to_ab.shape[0] // 2
    ab = to_ab @ free

    def one(z, delta, shot, coverage):
        return row.pixel(z[0], 1.0 + z[1], z[2], z[3], delta, shot, coverage)

    def step(carry, chunk):
        templates, *pixels = chunk
        delta = pixels[0]
        ones = jnp.ones_like(delta)
        z = jnp.stack([ab[:n_sys] @ templates, ab[n_sys:] @ templates, log_sigma * ones, gamma * ones], -1)
        value, grad = jax.vmap(jax.value_and_grad(one))(z, *pixels)
        hess = jax.vmap(jax.hessian(one))(z, *pixels)
        amplitudes = [(templates * hess[:, i, j]) @ templates.T for i, j in ((0, 0), (0, 1), (1, 1))]
        mixed = jnp.concatenate([templates @ hess[:, 0, 2:], templates @ hess[:, 1, 2:]])
        slopes = jnp.concatenate([templates @ grad[:, 0], templates @ grad[:, 1], grad[:, 2:].sum(0)])
        sums = (value.sum(), slopes, amplitudes, mixed, hess[:, 2:, 2:].sum(0))
        return jax.tree.map(jnp.add, carry, sums), None

    zero = jnp.zeros((n_sys, n_sys))
    start = (jnp.zeros(()), jnp.zeros(2 * n_sys + 2), [zero] * 3, jnp.zeros((2 * n_sys, 2)), jnp.zeros((2, 2)))
    (lnl, grad, (aa, ab_, bb), mixed, field), _ = jax.lax.scan(step, start, chunks)
    none = jnp.array([0.0, 0.0, log_sigma, gamma])
    lnl = lnl - n_padded * one(none, 0.0, 0.0, 0.0)
    grad = grad.at[-2:].add(-n_padded * jax.grad(one)(none, 0.0, 0.0, 0.0)[2:])
    field = field - n_padded * jax.hessian(one)(none, 0.0, 0.0, 0.0)[2:, 2:]
    hess = jnp.block([[jnp.block([[aa, ab_], [ab_.T, bb]]), mixed], [mixed.T, field]])
    to_full = jax.scipy.linalg.block_diag(to_ab, jnp.eye(2))
    return lnl, to_full.T @ grad, to_full.T @ hess @ to_full
