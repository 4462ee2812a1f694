"""Pixels of the sky: counts, footprint and overdensity.

Maps are HEALPix, RING, equatorial; positions are RA and Dec in degrees.
"""

from __future__ import annotations

from dataclasses import dataclass

import healpy as hp
import numpy as np

from .errors import DataError, ParameterError

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
    pixels : ndarray of int, shape (n_pix,)
        HEALPix indices, RING, equatorial.
    nside : int or None
        Resolution of the indices; None where the place of the pixels is not known.
    """

    delta: np.ndarray
    expected: np.ndarray
    pixels: np.ndarray
    nside: int | None

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
        return cls(np.zeros(len(pixels)), np.full(len(pixels), float(expected)), pixels, nside)

    @property
    def n_pix(self) -> int:
        """Number of footprint pixels."""
        return len(self.pixels)

    @property
    def f_sky(self) -> float:
        """Fraction of the sky in the footprint."""
        return self.n_pix / hp.nside2npix(self.nside)

    @property
    def n_galaxies(self) -> float:
        """Galaxies on the footprint (sum of expected counts, equal by construction)."""
        return float(self.expected.sum())

    def full_sky(self, values: np.ndarray, fill: float = hp.UNSEEN) -> np.ndarray:
        """Full-sky map of footprint values, ``fill`` elsewhere."""
        full = np.full(hp.nside2npix(self.nside), fill, dtype=float)
        full[self.pixels] = values
        return full

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
        kept = places_in(self.pixels, pixels)
        expected = self.expected[kept]
        galaxies = (1.0 + self.delta[kept]) * expected
        if not galaxies.sum() > 0:
            msg = f"the {len(kept)} pixels that are kept hold no galaxy: keep more of the {self.n_pix}"
            raise DataError(msg)
        expected = expected * (galaxies.sum() / expected.sum())
        return Field(galaxies / expected - 1.0, expected, self.pixels[kept], self.nside)


def places_in(pixels: np.ndarray, part: np.ndarray) -> np.ndarray:
    """Where the pixels of a part are among those of a footprint.

    Parameters
    ----------
    pixels : ndarray of int, shape (n_pix,)
        Footprint.
    part : ndarray of int, shape (n_kept,)
        Some of its pixels.

    Returns
    -------
    ndarray of int, shape (n_kept,)
        Indices into ``pixels``.

    Raises
    ------
    DataError
        When there is none, or one is not in the footprint.
    """
    pixels, part = np.asarray(pixels), np.asarray(part)
    strange = np.sum(~np.isin(part, pixels))
    if strange or not len(part):
        msg = f"{strange} of {len(part)} pixels are not among the {len(pixels)} of the footprint: give some of these"
        raise DataError(msg)
    order = np.argsort(pixels)
    return order[np.searchsorted(pixels, part, sorter=order)]


def check_nside(nside: int) -> int:
    """Resolution, if it is one that HEALPix has.

    Parameters
    ----------
    nside : int
        Resolution to check.

    Returns
    -------
    int
        The same resolution.

    Raises
    ------
    ParameterError
        When it is not a power of two between 1 and 8192.
    """
    if not isinstance(nside, (int, np.integer)) or not hp.isnsideok(nside, nest=True) or nside > 8192:
        msg = f"nside is {nside!r}: give a power of two between 1 and 8192, e.g. 64"
        raise ParameterError(msg)
    return int(nside)


def pixel_counts(ra: np.ndarray, dec: np.ndarray, nside: int, weights: np.ndarray | None = None) -> np.ndarray:
    """Count the objects in every pixel of the sky.

    Parameters
    ----------
    ra, dec : ndarray, shape (n_obj,)
        Equatorial coordinates [deg].
    nside : int
        HEALPix resolution.
    weights : ndarray, shape (n_obj,), optional
        Weight of every object [1].

    Returns
    -------
    ndarray, shape (12 nside^2,)
        (Weighted) counts, RING order.

    Raises
    ------
    DataError
        When coordinates are not finite or not in degrees.
    """
    ra, dec = np.asarray(ra, float), np.asarray(dec, float)
    bad = ~(np.isfinite(ra) & np.isfinite(dec)) | (np.abs(dec) > 90)
    if bad.any():
        msg = f"{bad.sum()} of {len(ra)} positions are not finite or have |Dec| > 90: give RA and Dec in degrees"
        raise DataError(msg)
    pix = hp.ang2pix(check_nside(nside), ra, dec, lonlat=True)
    return np.bincount(pix, weights=weights, minlength=hp.nside2npix(nside)).astype(float)


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


def overdensity(galaxies: np.ndarray, coverage: np.ndarray, pixels: np.ndarray) -> Field:
    r"""Overdensity with its expected counts.

    Parameters
    ----------
    galaxies : ndarray, shape (12 nside^2,)
        Galaxy counts n_p.
    coverage : ndarray, shape (12 nside^2,)
        Random counts, or observed fraction, r_p.
    pixels : ndarray of int, shape (n_pix,)
        Footprint.

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
    n, r = galaxies[pixels], coverage[pixels]
    if n.sum() <= 0:
        msg = (
            f"no galaxy of {galaxies.sum():.0f} lies on the {len(pixels)} pixels of the footprint: empty overlap of "
            "galaxies and randoms; check both cover the same sky, in equatorial degrees"
        )
        raise DataError(msg)
    expected = r * (n.sum() / r.sum())
    return Field(n / expected - 1.0, expected, pixels, hp.npix2nside(galaxies.size))
