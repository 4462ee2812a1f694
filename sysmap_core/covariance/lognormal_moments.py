"""Moments of a lognormal field with shot noise, in one pixel and of pairs of pixels."""

from __future__ import annotations

from dataclasses import dataclass
from math import comb

import numpy as np

from ..harmonic import correlation_from_spectrum, spectrum_from_correlation, variance
from ..inference import MIN_DENSITY
from ..sky import CountNoise, Field
from .estimated_spectrum import pixel_variance


def pixel_moments(field: Field, values, spectrum, a=None, b=None) -> PixelMoments:
    """Moments of the pixels of a contaminated field.

    Parameters
    ----------
    field : Field
        Overdensity with its expected counts.
    values : ndarray, shape (n_sys, n_pix)
        Templates on its pixels.
    spectrum : ndarray, shape (lmax + 1,), SpectrumEstimate, or None
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
    return PixelMoments(0.0 if spectrum is None else pixel_variance(spectrum), field.noise, density, efficiency)


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
    Given the coverage, off by a factor y, and the field, counts have the Poisson noise of the density
    :math:`Y = y (m + q \delta)`, and :math:`e = Y - m + n`.  A coverage that was counted has for y a gamma distribution
    of mean one and variance :math:`\rho`.
    """

    sigma2: float
    noise: CountNoise
    density: np.ndarray
    efficiency: np.ndarray

    def second(self):
        """Mean of e^2."""
        return self._about_mean(2) + self.noise.galaxies * self.density

    def third(self):
        """Mean of e^3."""
        nu = self.noise.galaxies
        return self._about_mean(3) + 3.0 * nu * self._about_mean(1, 1) + nu**2 * self.density

    def fourth(self):
        """Mean of e^4."""
        nu = self.noise.galaxies
        noise = 3.0 * nu**2 * self._power(2) + nu**3 * self.density
        return self._about_mean(4) + 6.0 * nu * self._about_mean(2, 1) + 4.0 * nu**2 * self._about_mean(1, 1) + noise

    def measured_spread(self, e: np.ndarray) -> float:
        r"""Variance of :math:`e^2` in the pixels of a sample, over that of a lognormal field.

        Parameters
        ----------
        e : ndarray, shape (n_pix,)
            Overdensity less its contamination [1].

        Returns
        -------
        float
            Ratio of the means of :math:`(e^2 - V)^2 / V^2`: one where the field is lognormal and its noise as modelled.
        """
        second = self.second()
        expected = self.fourth() / second**2 - 1.0
        return float(np.sum((e**2 / second - 1.0) ** 2) / np.sum(expected))

    def _about_mean(self, power: int, more: int = 0):
        """Mean of (Y - m)^power Y^more."""
        terms = (comb(power, k) * (-self.density) ** (power - k) * self._power(k + more) for k in range(power + 1))
        return sum(terms)

    def _power(self, k: int):
        """Mean of Y^k."""
        m, q, s, rho = self.density, self.efficiency, 1.0 + self.sigma2, self.noise.coverage
        of_field = (1.0, 0.0, self.sigma2, s**3 - 3.0 * s + 2.0, s**6 - 4.0 * s**3 + 6.0 * s - 3.0)
        of_coverage = np.prod([1.0 + i * rho for i in range(k)], axis=0)
        return of_coverage * sum(comb(k, i) * m ** (k - i) * q**i * of_field[i] for i in range(k + 1))


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
