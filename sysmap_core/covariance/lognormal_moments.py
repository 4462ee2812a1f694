"""Moments of a lognormal field with shot noise, in one pixel and of pairs of pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..harmonic import correlation_from_spectrum, spectrum_from_correlation, variance
from ..inference import MIN_DENSITY
from ..sky import Field


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
    return PixelMoments(0.0 if spectrum is None else variance(spectrum), 1.0 / field.expected, density, efficiency)


@dataclass(frozen=True)
class PixelMoments:
    """Moments of e = q delta + Poisson noise in one pixel, for a lognormal field delta.

    Parameters
    ----------
    sigma2 : float
        Variance of the field [1].
    shot : ndarray, shape (n_pix,)
        1 / nbar [1].
    density, efficiency : ndarray, shape (n_pix,)
        1 + A, and q = 1 + B.
    """

    sigma2: float
    shot: np.ndarray
    density: np.ndarray
    efficiency: np.ndarray

    def second(self):
        """Mean of e^2."""
        return self.efficiency**2 * self.sigma2 + self.density * self.shot

    def third(self):
        """Mean of e^3."""
        q, nu, s = self.efficiency, self.shot, 1.0 + self.sigma2
        return q**3 * (s**3 - 3.0 * s + 2.0) + 3.0 * q**2 * nu * self.sigma2 + nu**2 * self.density

    def fourth(self):
        """Mean of e^4."""
        q, nu, s, m = self.efficiency, self.shot, 1.0 + self.sigma2, self.density
        delta3, delta4 = s**3 - 3.0 * s + 2.0, s**6 - 4.0 * s**3 + 6.0 * s - 3.0
        noise2 = 3.0 * nu**2 * (m**2 + q**2 * self.sigma2)
        mixed = 6.0 * q**2 * nu * (m * self.sigma2 + q * delta3) + 4.0 * q**2 * nu**2 * self.sigma2
        return q**4 * delta4 + mixed + nu**3 * m + noise2


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
