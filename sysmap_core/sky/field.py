"""Pixels of the sky: counts, footprint and overdensity.

Maps are HEALPix, RING, equatorial; positions are RA and Dec in degrees.
"""

from __future__ import annotations

from dataclasses import dataclass

import healpy as hp
import numpy as np

from ..errors import DataError
from .counts import CountNoise, Counts, coverage_counts, galaxy_counts
from .footprints import Footprint
from .pixels import filled, usable

_DIGITS = 12

MIN_COVERAGE = 0.1
"""Smallest coverage of a footprint pixel, relative to that of a well covered one."""

WELL_COVERED = 0.9
"""Quantile of the covered pixels that is well covered: not the largest, which may be that of a deep field."""


@dataclass(frozen=True)
class Field:
    """Overdensity of galaxies on a footprint.

    Parameters
    ----------
    delta : ndarray, shape (n_pix,)
        Observed overdensity d_p [1].
    expected : ndarray, shape (n_pix,)
        Expected galaxies per pixel without clustering, nbar_p [galaxies].
    footprint : Footprint
        Its pixels.
    object_weight : ndarray, shape (n_pix,), or float
        Typical weight of a galaxy, the ratio of the sums of squared weights and of weights: one without weights.
    coverage_noise : ndarray, shape (n_pix,), or float
        Relative variance of the coverage where it was counted with randoms [1]: zero where it is known.
    """

    delta: np.ndarray
    expected: np.ndarray
    footprint: Footprint
    object_weight: np.ndarray | float = 1.0
    coverage_noise: np.ndarray | float = 0.0

    @property
    def pixels(self) -> np.ndarray:
        """HEALPix indices, RING, equatorial, shape (n_pix,)."""
        return self.footprint.pixels

    @property
    def nside(self) -> int | None:
        """Resolution of the indices; None where the place of the pixels is not known."""
        return self.footprint.nside

    @classmethod
    def blank(cls, pixels: np.ndarray, nside: int, expected: float = 1.0) -> Field:
        """Field without structure: a footprint to draw maps on, or realisations.

        Parameters
        ----------
        pixels : ndarray of int, shape (n_pix,)
            HEALPix indices, RING, equatorial.
        nside : int
            Their resolution.
        expected : float
            Expected galaxies in every pixel [galaxies].

        Returns
        -------
        Field
            With an overdensity of zero.
        """
        return cls(np.zeros(len(pixels)), np.full(len(pixels), float(expected)), Footprint(pixels, nside))

    @property
    def noise(self) -> CountNoise:
        """Noise of the counts of galaxies and of the coverage."""
        return CountNoise(self.object_weight / self.expected, np.broadcast_to(self.coverage_noise, self.expected.shape))

    @property
    def n_pix(self) -> int:
        """Number of footprint pixels."""
        return self.footprint.n_pix

    @property
    def f_sky(self) -> float:
        """Fraction of the sky in the footprint."""
        return self.footprint.f_sky

    @property
    def pattern(self) -> np.ndarray:
        """Expected counts over their mean, the same for all realisations of a sample, as rounding is cut off."""
        return np.round(self.expected / np.mean(self.expected), _DIGITS)

    @property
    def n_galaxies(self) -> float:
        """Sum of the weights of the galaxies on the footprint (that of the expected counts, equal by construction)."""
        return float(self.expected.sum())

    def full_sky(self, values: np.ndarray, fill: float = hp.UNSEEN) -> np.ndarray:
        """Full-sky map of footprint values, ``fill`` elsewhere."""
        return self.footprint.full_sky(values, fill)

    def contrast(self, density: np.ndarray) -> np.ndarray:
        """Overdensity of a density, relative to its mean over the footprint as counts have it.

        Parameters
        ----------
        density : ndarray, shape (n_pix,)
            Density of every pixel, in any unit.

        Returns
        -------
        ndarray, shape (n_pix,)
            Density over its mean, weighted by the expected counts, less one [1].
        """
        return density / np.average(density, weights=self.expected) - 1.0

    def restricted(self, pixels: np.ndarray) -> Field:
        """The same galaxies on a part of the footprint, relative to the mean density there.

        Parameters
        ----------
        pixels : ndarray of int, shape (n_kept,)
            HEALPix indices, some of those of the field.

        Returns
        -------
        Field
            On ``pixels``, in their order.

        Raises
        ------
        DataError
            When a pixel is not one of the field, or the part holds no galaxy.
        """
        kept = self.footprint.places(pixels)
        expected = self.expected[kept]
        galaxies = (1.0 + self.delta[kept]) * expected
        if not galaxies.sum() > 0:
            msg = f"the {len(kept)} pixels that are kept hold no galaxy: keep more of the {self.n_pix}"
            raise DataError(msg)
        expected = expected * (galaxies.sum() / expected.sum())
        noise = (x if np.ndim(x) == 0 else x[kept] for x in (self.object_weight, self.coverage_noise))
        return Field(galaxies / expected - 1.0, expected, Footprint(self.pixels[kept], self.nside), *noise)


def footprint(coverage: np.ndarray | Counts, min_coverage: float = MIN_COVERAGE) -> np.ndarray:
    """Indices of the pixels that are covered well enough.

    Parameters
    ----------
    coverage : ndarray, shape (12 nside^2,), or Counts
        Random counts, or observed fraction, of every pixel; NaN or UNSEEN where there is nothing.
    min_coverage : float
        Smallest coverage kept, relative to that of a well covered pixel: the quantile :data:`WELL_COVERED` of those
        that are covered at all.

    Returns
    -------
    ndarray of int, shape (n_pix,)
        HEALPix indices.

    Raises
    ------
    DataError
        When no pixel is covered.
    """
    values = coverage.weights if isinstance(coverage, Counts) else filled(coverage)
    covered = usable(values) & (values > 0)
    if not covered.any():
        msg = "the coverage map is zero everywhere: give randoms, or a mask, that overlap the sky asked for"
        raise DataError(msg)
    return np.flatnonzero(covered & (values >= min_coverage * np.quantile(values[covered], WELL_COVERED)))


def overdensity(galaxies: np.ndarray | Counts, coverage: np.ndarray | Counts, pixels: np.ndarray | Footprint) -> Field:
    r"""Overdensity with its expected counts and their noise.

    Parameters
    ----------
    galaxies : Counts, or ndarray, shape (12 nside^2,)
        Galaxy counts n_p; an array has to hold whole numbers of unweighted galaxies.
    coverage : Counts, or ndarray, shape (12 nside^2,)
        Coverage r_p; an array holds whole numbers of unweighted randoms, or observed fractions up to one.
    pixels : Footprint, or ndarray of int, shape (n_pix,)
        Footprint, or its HEALPix indices.

    Returns
    -------
    Field
        Overdensity, expected counts and their noise on the footprint.

    Raises
    ------
    DataError
        When maps differ in size, the noise of weighted counts is not given, the footprint is empty, a pixel of it is
        not covered, or it holds no galaxy.

    Notes
    -----
    :math:`d_p = n_p / (f_r r_p) - 1` with :math:`f_r = \sum n / \sum r` over the
    footprint (Berlfein et al. 2024, section 2), :math:`\bar n_p = f_r r_p`.  Its noise
    is :math:`\omega_g / \bar n_p` of the galaxies and :math:`\omega_r / r_p` of the randoms
    (:class:`CountNoise`): nothing depends on the scale of the weights of either.
    """
    galaxies, coverage = galaxy_counts(galaxies), coverage_counts(coverage)
    if galaxies.size != coverage.size:
        msg = f"galaxies have {galaxies.size} pixels and the coverage {coverage.size}: bring both to one nside"
        raise DataError(msg)
    on = pixels if isinstance(pixels, Footprint) else Footprint(pixels, hp.npix2nside(galaxies.size))
    n, r = galaxies.weights[on.pixels], coverage.weights[on.pixels]
    if np.any(r <= 0):
        msg = f"{np.sum(r <= 0)} of {on.n_pix} pixels of the footprint are not covered: take the pixels of footprint()"
        raise DataError(msg)
    if n.sum() <= 0:
        msg = (
            f"no galaxy of {galaxies.weights.sum():.0f} lies on the {on.n_pix} pixels of the footprint: empty overlap "
            "of galaxies and randoms; check both cover the same sky, in equatorial degrees"
        )
        raise DataError(msg)
    expected = r * (n.sum() / r.sum())
    noise = galaxies.object_weight(on.pixels), coverage.object_weight(on.pixels) / r
    return Field(n / expected - 1.0, expected, on, *noise)
