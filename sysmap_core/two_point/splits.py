"""Whether two parts of a survey have the same correlation function."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import chi2, f

from ..errors import DataError
from .correlation import Correlation
from .estimators import angular_correlation
from .points import Points, check_points


@dataclass(frozen=True)
class Consistency:
    """Difference of two correlation functions against its covariance.

    Parameters
    ----------
    difference : ndarray, shape (n_theta,)
        First minus second [1], in the bins that both have.
    cov : ndarray, shape (n_theta, n_theta)
        Its covariance: the sum of both.
    chi2 : float
        Difference over its covariance, squared.
    dof : int
        Bins.
    p : float
        Probability of a larger value by chance.
    """

    difference: np.ndarray
    cov: np.ndarray
    chi2: float
    dof: int
    p: float


def consistency(one: Correlation, other: Correlation) -> Consistency:
    r"""Whether two parts of a survey have the same correlation function.

    Parameters
    ----------
    one, other : Correlation
        Measured in the same bins on parts of the sky that share no objects, each with its covariance.

    Returns
    -------
    Consistency
        With the p of Hotelling's distribution when both covariances come from patches, as these are estimates
        themselves; of the chi-squared distribution otherwise.

    Raises
    ------
    DataError
        When bins differ, a covariance is missing, no bin is left, or there are fewer patches than bins.

    Notes
    -----
    Structure larger than the parts is common to both and counted as independent, so p errs to large values.
    Hotelling (1931, Ann. Math. Stat. 2, 360): with :math:`\nu = n_1 + n_2 - 2` patches and m bins,
    :math:`(\nu - m + 1) / (\nu m) \chi^2` follows :math:`F(m, \nu - m + 1)`.
    """
    if one.cov is None or other.cov is None:
        msg = "a correlation function has no covariance: measure both with covariance='jackknife'"
        raise DataError(msg)
    if not np.array_equal(one.theta_edges, other.theta_edges):
        msg = f"the bins differ ({len(one.w)} and {len(other.w)} of them): measure both with the same edges_arcmin"
        raise DataError(msg)
    cov = one.cov + other.cov
    kept = np.isfinite(one.w - other.w) & np.isfinite(np.diag(cov))
    m, patches = int(kept.sum()), [c.metadata.get("n_patches") for c in (one, other)]
    if not m:
        msg = "no bin has a measurement in both parts: take bins that fit into each"
        raise DataError(msg)
    difference, cov = (one.w - other.w)[kept], cov[np.ix_(kept, kept)]
    if None in patches:
        statistic = float(difference @ np.linalg.solve(cov, difference))
        return Consistency(difference, cov, statistic, m, float(chi2.sf(statistic, m)))
    free = sum(patches) - 2 - m + 1
    if free < 1 or m >= min(patches):
        msg = f"{m} bins and {min(patches)} patches: the covariance has no inverse; take fewer bins or more patches"
        raise DataError(msg)
    statistic = float(difference @ np.linalg.solve(cov, difference))
    return Consistency(difference, cov, statistic, m, float(f.sf(statistic * free / ((sum(patches) - 2) * m), m, free)))


def split_consistency(
    galaxies: tuple[np.ndarray, np.ndarray],
    randoms: tuple[np.ndarray, np.ndarray],
    *,
    galaxies_first: np.ndarray | None = None,
    randoms_first: np.ndarray | None = None,
    galaxy_weights: np.ndarray | None = None,
    random_weights: np.ndarray | None = None,
    galaxy_systematics: np.ndarray | None = None,
    random_systematics: np.ndarray | None = None,
    covariance: str = "jackknife",
    **options,
) -> tuple[Consistency, Correlation, Correlation]:
    """Compare the correlation functions of two parts of the sky.

    Parameters
    ----------
    galaxies, randoms : tuple of ndarray
        RA and Dec [deg].
    galaxies_first, randoms_first : ndarray of bool, optional
        Whether an object is in the first part; by default north of the median declination of the randoms.
    galaxy_weights, random_weights, galaxy_systematics, random_systematics : ndarray, optional
        Weights of every galaxy and of every random, of the survey and against contamination, as in
        :func:`angular_correlation`.
    covariance : {"jackknife", "bootstrap"}
        Of each part.
    **options
        Further arguments of :func:`angular_correlation`.

    Returns
    -------
    tuple of Consistency, Correlation, Correlation
        Their difference against its covariance, and both parts.

    Raises
    ------
    DataError
        When only one of the masks is given, one has a wrong length, or a part cannot be measured.
    """
    if (galaxies_first is None) != (randoms_first is None):
        msg = "one of galaxies_first and randoms_first is missing: give both, or neither for north and south"
        raise DataError(msg)
    both = check_points("galaxies", galaxies, galaxy_weights), check_points("randoms", randoms, random_weights)
    flags = galaxies_first, randoms_first
    if galaxies_first is None:
        border = np.median(both[1].dec)
        flags = [points.dec > border for points in both]
    flags = [_flags(points, of_points) for points, of_points in zip(both, flags, strict=True)]
    weights = {
        "galaxy_weights": (flags[0], galaxy_weights),
        "random_weights": (flags[1], random_weights),
        "galaxy_systematics": (flags[0], galaxy_systematics),
        "random_systematics": (flags[1], random_systematics),
    }
    parts = []
    for side in (True, False):
        positions = [(points.ra[f == side], points.dec[f == side]) for points, f in zip(both, flags, strict=True)]
        of_part = {name: np.asarray(w)[f == side] for name, (f, w) in weights.items() if w is not None}
        parts.append(angular_correlation(*positions, covariance=covariance, **of_part, **options))
    return consistency(*parts), *parts


def _flags(points: Points, flags) -> np.ndarray:
    flags = np.asarray(flags, bool)
    if len(flags) != len(points):
        msg = f"{len(flags)} flags came for {len(points)} objects: say of each whether it is in the first part"
        raise DataError(msg)
    return flags
