"""The array interface: two-point functions and the covariance of templates, as plain functions of arrays.

:mod:`sysmap_core.two_point` returns the same measurements with their binning, pair counts and covariance, and
takes weights on both sides.
"""

from __future__ import annotations

import numpy as np

from ..errors import DataError, unknown_name
from ..two_point import Bins, Points, angular_bins, angular_correlation, check_points, count_pairs, value_pairs
from .contamination import summed_products

_ARCMIN = {"arcmin": 1.0, "arcsec": 1.0 / 60.0, "deg": 60.0, "rad": 60.0 * np.degrees(1.0), "hours": 900.0}
_ARCMIN |= {"degrees": _ARCMIN["deg"], "radians": _ARCMIN["rad"]}


def measure_two_point_function(
    ra_gal: np.ndarray,
    dec_gal: np.ndarray,
    ra_rand: np.ndarray,
    dec_rand: np.ndarray,
    min_sep: float = 0.06,
    max_sep: float = 30.0,
    nbins: int = 15,
    sep_units: str = "arcmin",
) -> tuple[np.ndarray, np.ndarray]:
    """Landy-Szalay correlation function of a catalogue, by TreeCorr.

    Parameters
    ----------
    ra_gal, dec_gal, ra_rand, dec_rand : ndarray, shapes (n_gal,) and (n_rand,)
        Galaxies and randoms [deg].
    min_sep, max_sep : float
        Smallest and largest separation [``sep_units``].
    nbins : int
        Bins, even in the logarithm.
    sep_units : {"arcmin", "arcsec", "deg", "degrees", "rad", "radians", "hours"}
        Unit of all separations.

    Returns
    -------
    theta : ndarray, shape (nbins,)
        Mean separation of the pairs of galaxies; the nominal centre of a bin without pairs [``sep_units``].
    w : ndarray, shape (nbins,)
        Correlation function; NaN in bins without pairs, where the original gave zeros.

    Raises
    ------
    ParameterError
        For an unknown unit.
    DataError
        As :func:`~.angular_correlation`.

    Notes
    -----
    Separations are arcs and bin_slop is 0.05: TreeCorr's defaults, chords and a much larger bin_slop, move pairs
    between bins by several Poisson errors.  A correction takes both correlations in the same nominal bins:
    :func:`~.corrected_correlation` checks that.
    """
    return _landy_szalay((ra_gal, dec_gal), (ra_rand, dec_rand), (min_sep, max_sep, nbins, sep_units))


def measure_two_point_function_corrfunc(
    ra_gal: np.ndarray,
    dec_gal: np.ndarray,
    ra_rand: np.ndarray,
    dec_rand: np.ndarray,
    min_sep: float = 0.06,
    max_sep: float = 30.0,
    nbins: int = 15,
    sep_units: str = "arcmin",
    nthreads: int = 1,
) -> tuple[np.ndarray, np.ndarray]:
    """Landy-Szalay correlation function of a catalogue, by Corrfunc.

    Parameters
    ----------
    ra_gal, dec_gal, ra_rand, dec_rand, min_sep, max_sep, nbins, sep_units
        As in :func:`measure_two_point_function`, with the same errors.
    nthreads : int
        Threads.

    Returns
    -------
    theta, w : ndarray, shape (nbins,)
        As there, in exact bins.

    Raises
    ------
    MissingDataError
        When Corrfunc is not installed.
    """
    options = {"engine": "corrfunc", "threads": nthreads}
    return _landy_szalay((ra_gal, dec_gal), (ra_rand, dec_rand), (min_sep, max_sep, nbins, sep_units), **options)


def measure_kk_correlation_treecorr(
    ra: np.ndarray,
    dec: np.ndarray,
    k: np.ndarray,
    w: np.ndarray | None = None,
    *,
    ra2: np.ndarray | None = None,
    dec2: np.ndarray | None = None,
    k2: np.ndarray | None = None,
    w2: np.ndarray | None = None,
    min_sep: float = 10.0,
    max_sep: float = 250.0,
    nbins: int = 20,
    sep_units: str = "arcmin",
    bin_slop: float = 0.01,
) -> tuple[np.ndarray, np.ndarray]:
    r"""Correlation function of values at positions, by TreeCorr.

    Parameters
    ----------
    ra, dec : ndarray, shape (n,)
        Positions [deg].
    k : ndarray, shape (n,)
        Values, e.g. overdensities of pixels.
    w : ndarray, shape (n,), optional
        Weights [1]; one by default.
    ra2, dec2, k2, w2 : ndarray, shape (m,), optional
        Others to correlate these with; themselves by default.
    min_sep, max_sep, nbins, sep_units
        Bins, as in :func:`measure_two_point_function`.
    bin_slop : float
        Tolerance of the bins, at most 0.05.

    Returns
    -------
    theta : ndarray, shape (nbins,)
        Mean separation of the pairs; the nominal centre of a bin without pairs [``sep_units``].
    xi : ndarray, shape (nbins,)
        :math:`\sum w_p w_q k_p k_q / \sum w_p w_q`; NaN in empty bins.

    Raises
    ------
    ParameterError
        For an unknown unit.
    DataError
        When lengths differ, positions, values or weights are not valid, the second set is incomplete, or bin_slop
        is too large.

    Notes
    -----
    Separations are arcs, and not chords as TreeCorr's default.
    """
    bins, unit = _bins(min_sep, max_sep, nbins, sep_units)
    sets = _sets((ra, dec, k, w), (ra2, dec2, k2, w2))
    tree = value_pairs(*sets, bins=bins, bin_slop=bin_slop)
    seen = tree.npairs > 0
    return np.where(seen, tree.meanr, bins.nominal) / unit, np.where(seen, tree.xi, np.nan)


def measure_kk_correlation_corrfunc(
    ra: np.ndarray,
    dec: np.ndarray,
    k: np.ndarray,
    w: np.ndarray | None = None,
    *,
    ra2: np.ndarray | None = None,
    dec2: np.ndarray | None = None,
    k2: np.ndarray | None = None,
    w2: np.ndarray | None = None,
    min_sep: float = 10.0,
    max_sep: float = 250.0,
    nbins: int = 20,
    sep_units: str = "arcmin",
    nthreads: int = 1,
) -> tuple[np.ndarray, np.ndarray]:
    """Correlation function of values at positions, by Corrfunc.

    Parameters
    ----------
    ra, dec, k, w, ra2, dec2, k2, w2, min_sep, max_sep, nbins, sep_units
        As in :func:`measure_kk_correlation_treecorr`, with the same errors.
    nthreads : int
        Threads; there is a MissingDataError when Corrfunc is not installed.

    Returns
    -------
    theta, xi : ndarray, shape (nbins,)
        As there, in exact bins.
    """
    bins, unit = _bins(min_sep, max_sep, nbins, sep_units)
    sets = _sets((ra, dec, k, w), (ra2, dec2, k2, w2))
    how = {"bins": bins, "engine": "corrfunc", "threads": nthreads}
    ones = [np.ones(len(points)) if points.weights is None else points.weights for points, _ in sets]
    # products of values are counted as if they were weights
    products = [w * values for w, (_, values) in zip(ones, sets, strict=True)]
    total, norm = (
        count_pairs(*(Points(p.ra, p.dec, w) for w, (p, _) in zip(weights, sets, strict=True)), **how)
        for weights in (products, ones)
    )
    with np.errstate(invalid="ignore"):
        return np.where(norm.pairs > 0, norm.mean, bins.nominal) / unit, total.weight / norm.weight


def _bins(min_sep, max_sep, nbins, sep_units) -> tuple[Bins, float]:
    if sep_units not in _ARCMIN:
        raise unknown_name("sep_units", sep_units, _ARCMIN)
    if not (0 < min_sep < max_sep and nbins >= 1):
        msg = f"min_sep is {min_sep}, max_sep {max_sep} and nbins {nbins}: take 0 < min_sep < max_sep and a bin or more"
        raise DataError(msg)
    unit = _ARCMIN[sep_units]
    return angular_bins(unit * np.geomspace(min_sep, max_sep, int(nbins) + 1)), unit


def _landy_szalay(galaxies, randoms, separations, **options):
    bins, unit = _bins(*separations)
    found = angular_correlation(galaxies, randoms, edges_arcmin=bins.edges, **options)
    return np.where(np.isfinite(found.theta_mean), found.theta_mean, bins.nominal) / unit, found.w


def _sets(first, second) -> list[tuple[Points, np.ndarray]]:
    missing = [x is None for x in second[:3]]
    if any(missing) and not (all(missing) and second[3] is None):
        msg = "of ra2, dec2 and k2 some are missing: give all three, or none to correlate the first set with itself"
        raise DataError(msg)
    sets = []
    for which, (ra, dec, k, w) in zip(("k", "k2"), (first,) if all(missing) else (first, second), strict=False):
        points, values = check_points(f"positions of {which}", (ra, dec), w), np.asarray(k, float)
        if values.shape != (len(points),) or not np.isfinite(values).all():
            came = f"shape {values.shape} and {np.sum(~np.isfinite(values))} values that are not finite"
            msg = f"{which} has {came}: give one finite value for each of the {len(points)} positions"
            raise DataError(msg)
        sets.append((points, values))
    return sets


def compute_covariance_matrix(delta_t: np.ndarray) -> np.ndarray:
    r"""Covariance of the templates over the pixels.

    Parameters
    ----------
    delta_t : ndarray, shape (n_sys, n_pix)
        Standardised templates [1].

    Returns
    -------
    ndarray, shape (n_sys, n_sys)
        :math:`C = T T^t / N`, Berlfein et al. (2024), appendix A.

    Raises
    ------
    DataError
        When the templates have another number of axes, no pixels, or values that are not finite.
    """
    templates = checked_templates(delta_t)
    return templates @ templates.T / templates.shape[1]


def checked_templates(delta_t: np.ndarray) -> np.ndarray:
    """Templates as floats, if they are a finite matrix.

    Parameters
    ----------
    delta_t : ndarray, shape (n_sys, n_pix)
        Templates.

    Returns
    -------
    ndarray, shape (n_sys, n_pix)
        The same.

    Raises
    ------
    DataError
        When they have another number of axes, no pixels, or values that are not finite.
    """
    templates = np.asarray(delta_t, float)
    if templates.ndim != 2 or not templates.size or not np.isfinite(templates).all():
        came = f"shape {templates.shape} and {np.sum(~np.isfinite(templates))} values that are not finite"
        msg = f"delta_t has {came}: give (n_sys, n_pix), all finite"
        raise DataError(msg)
    return templates


def compute_amplitude_bias(a_sq: np.ndarray, b_sq: np.ndarray, cov_matrix: np.ndarray) -> tuple[float, float]:
    r"""What contamination adds to the variance of a map, and the factor it multiplies it by.

    Parameters
    ----------
    a_sq, b_sq : ndarray, shape (n_sys,) or (n_sys, n_sys)
        Squares of the amplitudes, or the matrices :math:`a a^t` and :math:`b b^t`, as :func:`~.debias_params` gives
        them.
    cov_matrix : ndarray, shape (n_sys, n_sys)
        Covariance of the templates, as :func:`compute_covariance_matrix` gives it.

    Returns
    -------
    additive, factor : float
        :math:`\sum_{ij} A_{ij} C_{ij}` and :math:`1 + \sum_{ij} B_{ij} C_{ij}`, over i = j for squares.

    Raises
    ------
    DataError
        When shapes do not fit.

    Notes
    -----
    Berlfein et al. (2024), Eq. 15 at zero separation: :math:`{\rm Var}\, d = A + F\, {\rm Var}\, \delta`.  Squares are
    what the original took.  They leave out the products of different templates, which vanish for rotated templates
    only; matrices keep them.
    """
    cov = np.asarray(cov_matrix, float)
    additive, factor = (
        float(summed_products(name, x, cov[..., None])[0]) for name, x in (("a_sq", a_sq), ("b_sq", b_sq))
    )
    return additive, 1.0 + factor
