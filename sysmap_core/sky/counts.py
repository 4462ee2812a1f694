r"""Counts of weighted objects, and the noise that counts carry.

A count of n objects is the true number only up to its Poisson noise, whether the objects are galaxies or the randoms
that measure the coverage; weights make it larger.  With :math:`\omega = \sum w^2 / \sum w`, a sum of weights has the
relative noise of :math:`\sum w / \omega` objects, whatever the scale of the weights.
"""

from __future__ import annotations

from dataclasses import dataclass

import healpy as hp
import numpy as np

from ..errors import DataError
from .pixels import filled, pixel_counts, usable

MIN_RANDOMS = 10
"""Randoms in a typical pixel that a combined fit needs, each of one weight."""

_ROUNDING = 1e-9  # of whole numbers

_SUB_POISSON = 0.5  # variance over mean of what are no counts of random points


@dataclass(frozen=True)
class Counts:
    """Sums over the objects of every pixel of the sky.

    Parameters
    ----------
    weights : ndarray, shape (12 nside^2,)
        Sum of their weights, RING, equatorial.
    squares : ndarray, shape (12 nside^2,)
        Sum of the squares of their weights: zero for what is known and was not counted.

    Raises
    ------
    DataError
        When shapes differ, or a sum is negative or not finite.
    """

    weights: np.ndarray
    squares: np.ndarray

    def __post_init__(self):
        if np.shape(self.weights) != np.shape(self.squares):
            msg = f"sums of weights have shape {np.shape(self.weights)} and of squares {np.shape(self.squares)}"
            raise DataError(msg + ": give one each per pixel")
        wrong = ~(np.isfinite(self.weights) & (self.weights >= 0) & np.isfinite(self.squares) & (self.squares >= 0))
        if wrong.any():
            msg = f"counts are negative or not finite in {wrong.sum()} of {wrong.size} pixels: give zero where none are"
            raise DataError(msg)

    @classmethod
    def of(cls, ra: np.ndarray, dec: np.ndarray, nside: int, weights: np.ndarray | None = None) -> Counts:
        """Count objects in pixels.

        Parameters
        ----------
        ra, dec : ndarray, shape (n_obj,)
            Equatorial coordinates [deg].
        nside : int
            HEALPix resolution.
        weights : ndarray, shape (n_obj,), optional
            Weight of every object, in any unit; one by default.

        Returns
        -------
        Counts
            Of all pixels.

        Raises
        ------
        DataError
            When coordinates are not finite or not in degrees.

        Examples
        --------
        >>> import numpy as np
        >>> counts = Counts.of(np.array([10.0, 10.0]), np.array([5.0, 5.0]), 1, weights=np.array([1.0, 3.0]))
        >>> counts.weights.sum(), counts.squares.sum()
        (np.float64(4.0), np.float64(10.0))
        """
        squared = None if weights is None else np.asarray(weights, float) ** 2
        return cls(pixel_counts(ra, dec, nside, weights), pixel_counts(ra, dec, nside, squared))

    @classmethod
    def known(cls, values: np.ndarray) -> Counts:
        """What is known without noise, such as the observed fraction of every pixel, in any unit."""
        values = _counted(values)
        return cls(values, np.zeros_like(values))

    def __array__(self, dtype=None, copy=None):
        return np.array(self.weights, dtype=dtype, copy=copy)

    @property
    def size(self) -> int:
        """Number of pixels."""
        return self.weights.size

    def object_weight(self, pixels: np.ndarray) -> np.ndarray:
        """Typical weight omega of an object around pixels, zero for what was not counted.

        Parameters
        ----------
        pixels : ndarray of int, shape (n_pix,)
            HEALPix indices.

        Returns
        -------
        ndarray, shape (n_pix,)
            Of each pixel with its neighbours, as a few objects say little of the weights; of all the pixels where
            these have none.

        Notes
        -----
        Weights of one and the same value give that value, to rounding.
        """
        total, squares = self.weights[pixels].sum(), self.squares[pixels].sum()
        overall = squares / total if total > 0 else 0.0
        if np.array_equal(self.squares, self.weights):
            return np.ones(len(pixels))
        inside = np.zeros(self.size, bool)
        inside[pixels] = True
        around = np.vstack([pixels, hp.get_all_neighbours(hp.npix2nside(self.size), pixels)])
        counted = (around >= 0) & inside[around]
        sums = [np.where(counted, values[around], 0.0).sum(0) for values in (self.weights, self.squares)]
        return np.divide(sums[1], sums[0], out=np.full(len(pixels), overall), where=sums[0] > 0)


@dataclass(frozen=True)
class CountNoise:
    r"""Noise that counts of galaxies and of randoms give to an overdensity.

    Parameters
    ----------
    galaxies : ndarray, shape (n_pix,)
        Variance :math:`\nu_p = \omega_g / \bar n_p` at the mean density [1].
    coverage : ndarray, shape (n_pix,)
        Relative variance :math:`\rho_p = \omega_r / r_p` of the coverage [1].

    Notes
    -----
    A pixel of density :math:`\lambda` has the noise :math:`\lambda \nu + \lambda^2 \rho`, and its field the variance
    :math:`\sigma^2 (1 + \rho)`.
    """

    galaxies: np.ndarray
    coverage: np.ndarray

    @classmethod
    def poisson(cls, expected: np.ndarray) -> CountNoise:
        """That of unweighted galaxies on a known coverage, from their expected counts."""
        expected = np.asarray(expected, float)
        return cls(1.0 / expected, np.zeros_like(expected))

    def __getitem__(self, chosen) -> CountNoise:
        return CountNoise(self.galaxies[chosen], self.coverage[chosen])

    def variance(self, density: np.ndarray | float = 1.0) -> np.ndarray:
        """Variance of pixels of a density, relative to the mean [1]."""
        return density * self.galaxies + density**2 * self.coverage

    def slope(self, density: np.ndarray | float = 1.0) -> np.ndarray:
        """Derivative of the variance with respect to the density [1]."""
        return self.galaxies + 2.0 * density * self.coverage

    def check_randoms(self) -> None:
        """Refuse a coverage that was counted with too few randoms for amplitudes of the variance.

        Raises
        ------
        DataError
            When half of the pixels have fewer than :data:`MIN_RANDOMS` of them: moments of a ratio of so small numbers
            are not those of this noise.
        """
        typical = np.median(self.coverage)
        if typical * MIN_RANDOMS > 1.0:
            msg = (
                f"the coverage was counted with {1.0 / typical:.1f} randoms in a pixel and b needs {MIN_RANDOMS}: give "
                "more randoms, a coarser nside, or a coverage that is known (Counts.known)"
            )
            raise DataError(msg)

    @property
    def counted(self) -> bool:
        """Whether the coverage was counted."""
        return bool(np.any(self.coverage))


def galaxy_counts(counts: np.ndarray | Counts) -> Counts:
    """Galaxies with their noise, from whatever came.

    Parameters
    ----------
    counts : Counts, or ndarray, shape (12 nside^2,)
        An array has to hold whole numbers, of galaxies without weights.

    Returns
    -------
    Counts
        Its squares are the numbers themselves where an array came.

    Raises
    ------
    DataError
        For an array of something else.
    """
    if isinstance(counts, Counts):
        return counts
    values = _counted(counts)
    parts = ~np.isclose(values, np.round(values), rtol=_ROUNDING, atol=0.0)
    if parts.any():
        msg = (
            f"galaxies are no whole numbers in {parts.sum()} pixels, e.g. {values[parts][0]:.4g}: give Counts(sum of "
            "weights, sum of squared weights), as the noise of weighted galaxies is not known from their sum"
        )
        raise DataError(msg)
    return Counts(values, values)


def coverage_counts(coverage: np.ndarray | Counts) -> Counts:
    """Coverage with its noise, from whatever came.

    Parameters
    ----------
    coverage : Counts, or ndarray, shape (12 nside^2,)
        An array holds randoms without weights, whole numbers, or the observed fraction of every pixel, from zero to
        one, which has no noise.  Nor have whole numbers that scatter less than those of random points.

    Returns
    -------
    Counts
        With squares of zero for fractions; pixels without a value are not covered.

    Raises
    ------
    DataError
        For an array of something else.
    """
    if isinstance(coverage, Counts):
        return coverage
    values = _counted(coverage)
    if values.max(initial=0.0) <= 1.0:
        return Counts.known(values)
    if np.allclose(values, np.round(values), rtol=_ROUNDING, atol=0.0):
        covered = values[values > 0]
        # a constant, or points on a grid, say nothing of a Poisson noise
        return Counts(values, values) if np.var(covered) > _SUB_POISSON * np.mean(covered) else Counts.known(values)
    msg = (
        f"coverage reaches {values.max():.4g} and is no whole number everywhere, so it is neither a number of randoms "
        "nor an observed fraction: give Counts(sum of weights, sum of squared weights) of randoms, or "
        "Counts.known(map) of a coverage that is known"
    )
    raise DataError(msg)


def _counted(maps: np.ndarray) -> np.ndarray:
    """Maps in double precision, zero where they have no value."""
    values = filled(maps)
    return np.where(usable(values), values, 0.0)
