"""Pixels of the sky: counts, footprint and overdensity.

Maps are HEALPix, RING, equatorial; positions are RA and Dec in degrees.
"""

from __future__ import annotations

from dataclasses import dataclass

import healpy as hp
import numpy as np

from ..errors import DataError
from .footprints import Footprint

_DIGITS = 12

MIN_COVERAGE = 0.1
"""Smallest coverage of a footprint pixel, relative to the best covered one."""


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
    """

    delta: np.ndarray
    expected: np.ndarray
    footprint: Footprint

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
        """Galaxies on the footprint (sum of expected counts, equal by construction)."""
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
        return Field(galaxies / expected - 1.0, expected, Footprint(self.pixels[kept], self.nside))


def footprint(coverage: np.ndarray, min_coverage: float = MIN_COVERAGE) -> np.ndarray:
    """Indices of the pixels that are covered well enough.

    Parameters
    ----------
    coverage : ndarray, shape (12 nside^2,)
        Random counts, or observed fraction, of every pixel.
    min_coverage : float
        Smallest coverage kept, relative to the largest.

    Returns
    -------
    ndarray of int, shape (n_pix,)
        HEALPix indices.

    Raises
    ------
    DataError
        When no pixel is covered.
    """
    peak = np.max(coverage, initial=0.0)
    if not peak > 0:
        msg = "the coverage map is zero everywhere: give randoms, or a mask, that overlap the sky asked for"
        raise DataError(msg)
    return np.flatnonzero(coverage >= min_coverage * peak)


def overdensity(galaxies: np.ndarray, coverage: np.ndarray, pixels: np.ndarray | Footprint) -> Field:
    r"""Overdensity with its expected counts.

    Parameters
    ----------
    galaxies : ndarray, shape (12 nside^2,)
        Galaxy counts n_p.
    coverage : ndarray, shape (12 nside^2,)
        Random counts, or observed fraction, r_p.
    pixels : Footprint, or ndarray of int, shape (n_pix,)
        Footprint, or its HEALPix indices.

    Returns
    -------
    Field
        Overdensity and expected counts on the footprint.

    Raises
    ------
    DataError
        When maps differ in size, the footprint is empty or holds no galaxy.

    Notes
    -----
    :math:`d_p = n_p / (f_r r_p) - 1` with :math:`f_r = \sum n / \sum r` over the
    footprint (Berlfein et al. 2024, section 2), :math:`\bar n_p = f_r r_p`.
    """
    if galaxies.shape != coverage.shape:
        msg = f"galaxies have {galaxies.size} pixels and the coverage {coverage.size}: bring both to one nside"
        raise DataError(msg)
    on = pixels if isinstance(pixels, Footprint) else Footprint(pixels, hp.npix2nside(galaxies.size))
    n, r = galaxies[on.pixels], coverage[on.pixels]
    if n.sum() <= 0:
        msg = (
            f"no galaxy of {galaxies.sum():.0f} lies on the {on.n_pix} pixels of the footprint: empty overlap of "
            "galaxies and randoms; check both cover the same sky, in equatorial degrees"
        )
        raise DataError(msg)
    expected = r * (n.sum() / r.sum())
    return Field(n / expected - 1.0, expected, on)
