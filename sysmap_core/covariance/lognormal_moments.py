"""Moments of a lognormal field with shot noise, in one pixel and of pairs of pixels."""

from __future__ import annotations

from dataclasses import dataclass
from math import comb

import numpy as np

from ..harmonic import correlation_from_spectrum, spectrum_from_correlation, variance
from ..inference import MIN_DENSITY
from ..sky import CountNoise, Field


def pixel_moments(field: Field, values, spectrum, a=None, b=None) -> PixelMoments:
    """Moments of the pixels of a contaminated field.

    Parameters
    ----------
    field : Field
        Overdensity with its expected counts.
    values : ndarray, shape (n_sys, n_pix)
        Templates on its pixels.
    spectrum : ndarray, shape (lmax + 1,), or None
        Spectrum of the pixel averages, without shot noise [sr]; None for a field without clustering.
    a, b : ndarray, shape (n_sys,), optional
        Additive and multiplicative amplitudes; zero by default.

    Returns
    -------
    PixelMoments
        With the density of the contamination kept above a floor.
    """
    none = np.zeros(len(values))
    density = np.maximum(1.0 + (none if a is None else a) @ values, MIN_DENSITY)
    efficiency = 1.0 + (none if b is None else b) @ values
    return PixelMoments(0.0 if spectrum is None else variance(spectrum), field.noise, density, efficiency)


@dataclass(frozen=True)
class PixelMoments:
    r"""Moments of e = q delta + noise of the counts in one pixel, for a lognormal field delta.

    Parameters
    ----------
    sigma2 : float
        Variance of the field [1].
    noise : CountNoise
        That of the counts [1].
    density, efficiency : ndarray, shape (n_pix,)
        m = 1 + A, and q = 1 + B.

    Notes
    -----
    With Poisson counts of galaxies alone, :math:`e = u = q \delta + n`.  A coverage that was counted is wrong by a
    factor :math:`1 + \epsilon`, of a gamma distribution with mean one and variance :math:`\rho`, and
    :math:`e = u (1 + \epsilon) + m \epsilon`.
    """

    sigma2: float
    noise: CountNoise
    density: np.ndarray
    efficiency: np.ndarray

    def second(self):
        """Mean of e^2."""
        rho = self.noise.coverage
        return self._second() * (1.0 + rho) + self.density**2 * rho

    def third(self):
        """Mean of e^3."""
        rho, m = self.noise.coverage, self.density
        powers = _coverage_powers(rho)
        return self._third() * powers[3, 0] + 3.0 * m * self._second() * powers[2, 1] + m**3 * powers[0, 3]

    def fourth(self):
        """Mean of e^4."""
        m, powers = self.density, _coverage_powers(self.noise.coverage)
        of_field = self._fourth() * powers[4, 0] + 4.0 * m * self._third() * powers[3, 1]
        return of_field + 6.0 * m**2 * self._second() * powers[2, 2] + m**4 * powers[0, 4]

    @property
    def _shot(self):
        """Noise of the galaxies in u: times the mean of (1 + epsilon)^2, it is that of their counts."""
        return self.noise.galaxies / (1.0 + self.noise.coverage)

    def _second(self):
        """Mean of u^2."""
        return self.efficiency**2 * self.sigma2 + self.density * self._shot

    def _third(self):
        q, nu, s = self.efficiency, self._shot, 1.0 + self.sigma2
        return q**3 * (s**3 - 3.0 * s + 2.0) + 3.0 * q**2 * nu * self.sigma2 + nu**2 * self.density

    def _fourth(self):
        q, nu, s, m = self.efficiency, self._shot, 1.0 + self.sigma2, self.density
        delta3, delta4 = s**3 - 3.0 * s + 2.0, s**6 - 4.0 * s**3 + 6.0 * s - 3.0
        noise2 = 3.0 * nu**2 * (m**2 + q**2 * self.sigma2)
        mixed = 6.0 * q**2 * nu * (m * self.sigma2 + q * delta3) + 4.0 * q**2 * nu**2 * self.sigma2
        return q**4 * delta4 + mixed + nu**3 * m + noise2


def _coverage_powers(rho):
    """Means of (1 + eps)^i eps^j over a gamma distribution of mean one and variance rho."""
    third = (1.0 + rho) * (1.0 + 2.0 * rho)
    moments = [1.0, 1.0, 1.0 + rho, third, third * (1.0 + 3.0 * rho)]

    def mean(i, j):
        return sum(comb(j, k) * (-1.0) ** (j - k) * moments[i + k] for k in range(j + 1))

    return {(i, j): mean(i, j) for i, j in ((3, 0), (2, 1), (0, 3), (4, 0), (3, 1), (2, 2), (0, 4))}


def moment_spectra(spectrum: np.ndarray, sigma2: float | None = None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    r"""Spectra of a lognormal field, of the field with its square, and of its square.

    Parameters
    ----------
    spectrum : ndarray, shape (lmax + 1,)
        Spectrum of the field [sr].
    sigma2 : float, optional
        Variance of the field, where it has more than the spectrum holds.

    Returns
    -------
    tuple of ndarray, shape (lmax + 1,)
        Legendre transforms of the kernels :math:`\xi`, :math:`c_{12}` and :math:`c_{22}` of
        :func:`combined_covariance` [sr].
    """
    lmax, xi = len(spectrum) - 1, correlation_from_spectrum(spectrum)
    s, x = 1.0 + (variance(spectrum) if sigma2 is None else sigma2), 1.0 + xi
    crossed = s * x**2 - 2.0 * x + 2.0 - s
    squared = s**2 * x**4 - 4.0 * s * x**2 + 2.0 * s + 4.0 * x - 3.0 - (s - 1.0) ** 2
    return tuple(spectrum_from_correlation(kernel, lmax) for kernel in (xi, crossed, squared))
