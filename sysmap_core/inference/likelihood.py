r"""Likelihoods of one pixel.

``gaussian``
    Berlfein et al. (2024), Eq. 17.
``skew-normal``
    Berlfein et al. (2024), Eq. 18.  ``sigma`` is the scale of the distribution, not its rms.
``shot-noise``
    Gaussian with the Poisson noise of the counts beside the variance of the field,
    :math:`V_p = \sigma^2 (1+B_p)^2 + \max(1+A_p, 0.05) / \bar n_p`.  Eq. 17 attributes that
    noise to the field, which leaks ``a`` into ``b`` and dilutes ``b``.

All likelihoods treat pixels as independent and are summed by :mod:`sysmap_core.inference.pixel_likelihood`; errors
on a clustered sky come from :mod:`sysmap_core.covariance.sandwich`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..backend import jax, jnp
from ..errors import unknown_name
from .contamination import MIN_DENSITY

LN_2PI = float(np.log(2.0 * np.pi))


def _gaussian(additive, efficiency, sigma, gamma, delta, shot):
    residual = (delta - additive) / (efficiency * sigma)
    return efficiency, -0.5 * LN_2PI - jnp.log(sigma) - 0.5 * jnp.square(residual)


def _skew_normal(additive, efficiency, sigma, gamma, delta, shot):
    # the location that makes the mean of the field zero
    location = -gamma / jnp.sqrt(1.0 + gamma**2) * jnp.sqrt(2.0 / jnp.pi)
    residual = (delta - additive) / (efficiency * sigma) - location
    tilt = jnp.log(2.0) + jax.scipy.special.log_ndtr(gamma * residual)
    return efficiency, -0.5 * LN_2PI - jnp.log(sigma) - 0.5 * jnp.square(residual) + tilt


def _shot_noise(additive, efficiency, sigma, gamma, delta, shot):
    variance = jnp.square(sigma * efficiency) + jnp.maximum(1.0 + additive, MIN_DENSITY) * shot
    return variance, -0.5 * (LN_2PI + jnp.square(delta - additive) / variance)


@dataclass(frozen=True)
class Likelihood:
    """One row of the table of likelihoods.

    Parameters
    ----------
    name, label : str
        Name in the interface, and for figures.
    terms : callable
        From ``(A, 1 + B, sigma, gamma, d, 1 / nbar)`` of a pixel, a positive number and the rest of
        its log-likelihood: sums over pixels take the logarithm of products of the numbers.
    power : float
        Factor of the logarithm of that number.
    skewed : bool
        Whether ``gamma`` is free.
    needs_expected : bool
        Whether the expected counts of the pixels are used.
    """

    name: str
    label: str
    terms: Callable
    power: float
    skewed: bool = False
    needs_expected: bool = False

    def pixel(self, additive, efficiency, log_sigma, gamma, delta, shot):
        """Log-likelihood of a pixel, from A, 1 + B, ln sigma, gamma, d and 1 / nbar."""
        scale, rest = self.terms(additive, efficiency, jnp.exp(log_sigma), gamma, delta, shot)
        return self.power * jnp.log(scale) + rest


LIKELIHOODS = {
    row.name: row
    for row in (
        Likelihood("gaussian", "Gaussian", _gaussian, -1.0),
        Likelihood("skew-normal", "skew-normal", _skew_normal, -1.0, skewed=True),
        Likelihood("shot-noise", "shot-noise-aware", _shot_noise, -0.5, needs_expected=True),
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
