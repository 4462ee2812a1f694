"""Simulated galaxy catalogues: lognormal fields, contaminated before they are sampled."""

from __future__ import annotations

from dataclasses import dataclass

import glass.grf
import healpy as hp
import numpy as np

from ..covariance import SpectrumEstimate, pixel_variance
from ..errors import DataError, ParameterError
from ..harmonic import pixel_window, variance
from ..sky import Catalogue, Footprint, scatter_galaxies, to_nside

_MAX_MISMATCH = 0.01


@dataclass(frozen=True)
class Mock:
    """Simulated galaxies and the field they trace.

    Parameters
    ----------
    galaxies : Catalogue
        Positions, sorted by pixel.
    delta : ndarray, shape (12 nside^2,)
        True overdensity, full sky, averaged over the pixels of the run [1].
    """

    galaxies: Catalogue
    delta: np.ndarray


def gaussian_spectrum(cl: np.ndarray) -> tuple[np.ndarray, float]:
    """Spectrum of the Gaussian field whose exponential has a given spectrum.

    Parameters
    ----------
    cl : ndarray, shape (lmax + 1,)
        Spectrum of the lognormal field [sr].

    Returns
    -------
    gaussian : ndarray, shape (lmax + 1,)
        Spectrum of the Gaussian field, nowhere negative [sr].
    clipped : float
        Negative power that was set to zero, relative to the total variance.

    Raises
    ------
    DataError
        When no lognormal field has such a spectrum.

    Notes
    -----
    Iterative solution of Tessore et al. 2023 (arXiv:2302.01942).  Not every spectrum belongs
    to a lognormal field; slightly negative Gaussian power is clipped.
    """
    cl = np.asarray(cl, float)
    lognormal = glass.grf.Lognormal()
    bad = not np.all(np.isfinite(cl)) or np.any(cl < 0)
    if not bad and cl.any():
        # log(1 + xi) tells right away whether xi stays above -1, the bound of the field
        with np.errstate(invalid="ignore", divide="ignore"):
            bad = not np.all(np.isfinite(glass.grf.compute(cl, lognormal)))
    if bad:
        msg = "the spectrum is negative, not finite or anticorrelated below -1: no lognormal field has it"
        raise DataError(msg)
    if not cl.any():
        return np.zeros_like(cl), 0.0
    monopole = 0.0 if cl[0] == 0 else None
    gaussian, reached, _ = glass.grf.solve(cl, lognormal, pad=2 * cl.size, monopole=monopole)
    weight = 2.0 * np.arange(cl.size) + 1.0
    mismatch = np.sum(weight[1:] * np.abs(reached[1 : cl.size] - cl[1:])) / np.sum(weight * cl)
    if mismatch > _MAX_MISMATCH:
        msg = f"the lognormal field misses its spectrum by {mismatch:.1%}: make the spectrum smoother or lower"
        raise DataError(msg)
    clipped = np.sum(weight * np.maximum(-gaussian, 0)) / np.sum(weight * np.abs(gaussian))
    return np.maximum(gaussian, 0.0), float(clipped)


def lognormal_field(cl: np.ndarray, nside: int, rng: np.random.Generator) -> np.ndarray:
    """Draw a lognormal overdensity on the full sky.

    Parameters
    ----------
    cl : ndarray, shape (lmax + 1,)
        Spectrum of the field at the pixel centres [sr].  For averages over the pixels,
        multiply it by the squared pixel window.
    nside : int
        Resolution.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    ndarray, shape (12 nside^2,)
        Overdensity, larger than -1, RING [1].
    """
    return drawn_lognormal(gaussian_spectrum(cl)[0], nside, rng)


def drawn_lognormal(gaussian: np.ndarray, nside: int, rng: np.random.Generator) -> np.ndarray:
    """Draw a lognormal overdensity from the spectrum of the Gaussian field behind it.

    Parameters
    ----------
    gaussian : ndarray, shape (lmax + 1,)
        As :func:`gaussian_spectrum` gives it [sr].
    nside, rng
        As in :func:`lognormal_field`.

    Returns
    -------
    ndarray, shape (12 nside^2,)
        Overdensity, larger than -1, RING [1].
    """
    return next(glass.fields.generate([glass.grf.Lognormal()], [gaussian], nside, rng=rng))


@dataclass(frozen=True)
class PixelField:
    r"""Lognormal field of pixel averages, ready to be drawn.

    Parameters
    ----------
    gaussian : ndarray, shape (lmax + 1,)
        Spectrum of the Gaussian field behind it [sr].
    unresolved : float
        Variance of another Gaussian part, independent from pixel to pixel: that of the multipoles that the
        pixels do not resolve [1].
    """

    gaussian: np.ndarray
    unresolved: float = 0.0

    @classmethod
    def of(cls, spectrum: np.ndarray | SpectrumEstimate) -> PixelField:
        """Field with a spectrum, and with the variance that its estimate has beyond.

        Parameters
        ----------
        spectrum : ndarray, shape (3 nside,), or SpectrumEstimate
            Spectrum of the pixel averages, without shot noise [sr].

        Returns
        -------
        PixelField
            Nothing is drawn yet.

        Raises
        ------
        DataError
            When no lognormal field has the spectrum.
        """
        cl = np.asarray(spectrum, float)
        # variances of independent lognormal factors multiply
        return cls(gaussian_spectrum(cl)[0], float(np.log((1.0 + pixel_variance(spectrum)) / (1.0 + variance(cl)))))

    def draw(self, footprint: Footprint, rng: np.random.Generator) -> np.ndarray:
        """Overdensity of the pixels of a footprint, shape (n_pix,) [1]."""
        delta = drawn_lognormal(self.gaussian, footprint.nside, rng)[footprint.pixels]
        if self.unresolved == 0.0:
            return delta
        part = rng.normal(-0.5 * self.unresolved, np.sqrt(self.unresolved), footprint.n_pix)
        return (1.0 + delta) * np.exp(part) - 1.0


def expected_counts(
    delta: np.ndarray, additive: np.ndarray, multiplicative: np.ndarray, mask: np.ndarray, number: float
) -> np.ndarray:
    r"""Mean number of observed galaxies in every pixel of a contaminated field.

    Parameters
    ----------
    delta : ndarray, shape (12 nside^2,)
        True overdensity [1].
    additive, multiplicative : ndarray, shape (12 nside^2,)
        Contamination A_p and B_p [1].
    mask : ndarray of bool, shape (12 nside^2,)
        Observed pixels.
    number : float
        Galaxies wanted on average over fields.

    Returns
    -------
    ndarray, shape (12 nside^2,)
        :math:`\bar n \max(1 + (1 + B_p) \delta_p + A_p, 0)`, zero off the mask [galaxies].
    """
    mean = number / np.sum(np.maximum(1.0 + additive[mask], 0.0))
    return np.where(mask, mean * np.maximum(1.0 + (1.0 + multiplicative) * delta + additive, 0.0), 0.0)


def simulate_catalogue(
    spectrum: np.ndarray,
    mask: np.ndarray,
    number: float,
    nside: int,
    *,
    rng_field: np.random.Generator,
    rng_galaxies: np.random.Generator,
    additive: np.ndarray | None = None,
    multiplicative: np.ndarray | None = None,
) -> Mock:
    """Simulate a contaminated galaxy catalogue.

    Parameters
    ----------
    spectrum : ndarray, shape (lmax + 1,)
        Power spectrum of the true field, without a pixel window [sr]; lmax of 3 nside - 1
        of the mask, or less.
    mask : ndarray of bool, shape (12 nside_field^2,)
        Observed sky, at the resolution at which the field is made.
    number : float
        Galaxies wanted on average over fields.
    nside : int
        Resolution of the run, on whose pixels the contamination is constant.
    rng_field, rng_galaxies : numpy.random.Generator
        Sources of randomness of the field, and of counts and positions.
    additive, multiplicative : ndarray, shape (12 nside^2,), optional
        Contamination A_p and B_p, zero when left out [1].

    Returns
    -------
    Mock
        Galaxies, and the true overdensity at ``nside``.

    Raises
    ------
    ParameterError
        When the field is coarser than the pixels of the run.

    Notes
    -----
    The contamination acts on the mean counts, before they are sampled: the multiplicative
    part changes which galaxies are seen and the additive part adds objects, and the
    Poisson noise is that of what is observed.
    """
    n_field = hp.npix2nside(mask.size)
    if n_field < nside:
        msg = f"the field has NSIDE {n_field} and the run {nside}: give a mask at NSIDE {nside} or finer"
        raise ParameterError(msg)
    window = pixel_window(n_field, len(spectrum) - 1)
    delta = lognormal_field(spectrum * window**2, n_field, rng_field)
    zero = np.zeros(hp.nside2npix(nside))
    a, b = (to_nside(zero if m is None else m, n_field) for m in (additive, multiplicative))
    counts = rng_galaxies.poisson(expected_counts(delta, a, b, mask, number))
    return Mock(scatter_galaxies(counts, n_field, rng_galaxies), to_nside(delta, nside))


def independent_pixels(
    templates: np.ndarray,
    expected: np.ndarray,
    sigma: float,
    rng: np.random.Generator,
    *,
    a: float | np.ndarray = 0.0,
    b: float | np.ndarray = 0.0,
) -> np.ndarray:
    """Observed overdensity of pixels without correlations: Poisson counts of a lognormal field.

    Parameters
    ----------
    templates : ndarray, shape (n_sys, n_pix)
        Standardised templates [1].
    expected : ndarray, shape (n_pix,)
        Expected galaxies per pixel without contamination [galaxies].
    sigma : float
        rms of the true overdensity in a pixel [1].
    rng : numpy.random.Generator
        Source of randomness.
    a, b : float or ndarray, shape (n_sys,)
        Additive and multiplicative amplitudes, per rms of the template.

    Returns
    -------
    ndarray, shape (n_pix,)
        Counts over ``expected``, less one [1].

    Raises
    ------
    DataError
        When shapes differ, or ``expected`` is not positive.

    Notes
    -----
    The combined model of Berlfein et al. (2024), Eq. 13, before the counts are sampled; densities
    that it makes negative are zero.
    """
    n_sys, n_pix = templates.shape
    if np.shape(expected) != (n_pix,) or not np.all(np.asarray(expected) > 0):
        msg = f"expected has shape {np.shape(expected)} for {n_pix} pixels, or is not positive: give counts per pixel"
        raise DataError(msg)
    additive, multiplicative = (np.broadcast_to(x, n_sys) @ templates for x in (a, b))
    width = np.log1p(sigma**2)
    delta = np.exp(rng.normal(0.0, np.sqrt(width), n_pix) - width / 2.0) - 1.0
    density = 1.0 + delta * (1.0 + multiplicative) + additive
    return rng.poisson(expected * np.maximum(density, 0.0)) / expected - 1.0
