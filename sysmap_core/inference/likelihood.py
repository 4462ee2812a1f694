r"""Likelihoods of one pixel.

``gaussian``
    Berlfein et al. (2024), Eq. 17.
``skew-normal``
    Berlfein et al. (2024), Eq. 18.  ``sigma`` is the scale of the distribution, not its rms.
``shot-noise``
    Gaussian with the noise of the counts of galaxies and randoms beside the variance of the field,
    :math:`V_p = \sigma^2 (1+B_p)^2 (1+\rho_p) + \lambda_p \nu_p + \lambda_p^2 \rho_p` with
    :math:`\lambda_p = \max(1+A_p, 0.05)` (:class:`~sysmap_core.sky.CountNoise`).  Eq. 17 attributes that
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
from ..sky import CountNoise
from .contamination import MIN_DENSITY

LN_2PI = float(np.log(2.0 * np.pi))


def _gaussian(additive, efficiency, sigma, gamma, delta, shot, coverage):
    residual = (delta - additive) / (efficiency * sigma)
    return efficiency, -0.5 * LN_2PI - jnp.log(sigma) - 0.5 * jnp.square(residual)


def _skew_normal(additive, efficiency, sigma, gamma, delta, shot, coverage):
    # the location that makes the mean of the field zero
    location = -gamma / jnp.sqrt(1.0 + gamma**2) * jnp.sqrt(2.0 / jnp.pi)
    residual = (delta - additive) / (efficiency * sigma) - location
    tilt = jnp.log(2.0) + jax.scipy.special.log_ndtr(gamma * residual)
    return efficiency, -0.5 * LN_2PI - jnp.log(sigma) - 0.5 * jnp.square(residual) + tilt


def _shot_noise(additive, efficiency, sigma, gamma, delta, shot, coverage):
    density = jnp.maximum(1.0 + additive, MIN_DENSITY)
    variance = jnp.square(sigma * efficiency) * (1.0 + coverage) + density * (shot + density * coverage)
    return variance, -0.5 * (LN_2PI + jnp.square(delta - additive) / variance)


@dataclass(frozen=True)
class Likelihood:
    """One row of the table of likelihoods.

    Parameters
    ----------
    name, label : str
        Name in the interface, and for figures.
    terms : callable
        From ``(A, 1 + B, sigma, gamma, d, nu, rho)`` of a pixel, nu and rho the noise of its galaxies and of its
        coverage, a positive number and the rest of its log-likelihood: sums over pixels take the logarithm of products
        of the numbers.
    power : float
        Factor of the logarithm of that number.
    skewed : bool
        Whether ``gamma`` is free.
    needs_noise : bool
        Whether the noise of the counts is used.
    """

    name: str
    label: str
    terms: Callable
    power: float
    skewed: bool = False
    needs_noise: bool = False

    def pixel(self, additive, efficiency, log_sigma, gamma, delta, shot, coverage):
        """Log-likelihood of a pixel, from A, 1 + B, ln sigma, gamma, d, nu and rho."""
        scale, rest = self.terms(additive, efficiency, jnp.exp(log_sigma), gamma, delta, shot, coverage)
        return self.power * jnp.log(scale) + rest


LIKELIHOODS = {
    row.name: row
    for row in (
        Likelihood("gaussian", "Gaussian", _gaussian, -1.0),
        Likelihood("skew-normal", "skew-normal", _skew_normal, -1.0, skewed=True),
        Likelihood("shot-noise", "shot-noise-aware", _shot_noise, -0.5, needs_noise=True),
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


def pixel_density(fit, delta: np.ndarray, noise: CountNoise | None = None) -> np.ndarray:
    """Probability density of the overdensity of an uncontaminated pixel.

    Parameters
    ----------
    fit : Posterior
        Fit whose maximum gives the width and the skewness.
    delta : ndarray, shape (n_grid,)
        Overdensities at which to evaluate [1].
    noise : CountNoise, optional
        That of the pixels, over which the shot-noise-aware density is averaged.

    Returns
    -------
    ndarray, shape (n_grid,)
        Density [1].
    """
    row = find_likelihood(fit.likelihood)
    shot, coverage = np.zeros((2, 1))
    if row.needs_noise:
        # of a hundred pixels that are typical of all, in the order of their noise
        chosen = np.argsort(noise.variance())[(np.arange(0.005, 1.0, 0.01) * len(noise.galaxies)).astype(int)]
        shot, coverage = noise.galaxies[chosen], noise.coverage[chosen]
    lnl = row.pixel(0.0, 1.0, np.log(fit.maximum.sigma), fit.maximum.gamma, delta[:, None], shot, coverage)
    return np.asarray(jnp.exp(lnl).mean(1))
