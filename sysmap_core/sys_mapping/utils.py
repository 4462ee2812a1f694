"""The array interface: two-point functions and their correction as plain functions of arrays.

:mod:`sysmap_core.two_point.estimators` returns the same measurements with their binning, pair counts and
covariance, and takes weights on both sides.
"""

from __future__ import annotations

import numpy as np

from ..errors import DataError, unknown_name
from ..two_point import Bins, Points, angular_bins, angular_correlation, check_points, count_pairs, value_pairs

_ARCMIN = {"arcmin": 1.0, "arcsec": 1.0 / 60.0, "deg": 60.0, "rad": 60.0 * np.degrees(1.0)}


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
    sep_units : {"arcmin", "arcsec", "deg", "rad"}
        Unit of all separations.

    Returns
    -------
    theta : ndarray, shape (nbins,)
        Nominal bin centres [``sep_units``].
    w : ndarray, shape (nbins,)
        Correlation function; NaN in empty bins.

    Raises
    ------
    ParameterError
        For an unknown unit.
    DataError
        As :func:`~.angular_correlation`.

    Notes
    -----
    Separations are arcs and bin_slop is 0.05: TreeCorr's defaults, chords and a much larger bin_slop, move pairs
    between bins by several Poisson errors.
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
        Nominal bin centres [``sep_units``].
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
    return bins.nominal / unit, np.where(tree.npairs > 0, tree.xi, np.nan)


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
    how = {"bins": bins, "engine": "corrfunc", "mean": False, "threads": nthreads}
    ones = [np.ones(len(points)) if points.weights is None else points.weights for points, _ in sets]
    # products of values are counted as if they were weights
    products = [w * values for w, (_, values) in zip(ones, sets, strict=True)]
    total, norm = (
        count_pairs(*(Points(p.ra, p.dec, w) for w, (p, _) in zip(weights, sets, strict=True)), **how).weight
        for weights in (products, ones)
    )
    with np.errstate(invalid="ignore"):
        return bins.nominal / unit, total / norm


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
    templates = np.asarray(delta_t, float)
    if templates.ndim != 2 or not templates.size or not np.isfinite(templates).all():
        came = f"shape {templates.shape} and {np.sum(~np.isfinite(templates))} values that are not finite"
        msg = f"delta_t has {came}: give (n_sys, n_pix), all finite"
        raise DataError(msg)
    return templates @ templates.T / templates.shape[1]


def compute_amplitude_bias(a_sq: np.ndarray, b_sq: np.ndarray, cov_matrix: np.ndarray) -> tuple[float, float]:
    r"""What contamination adds to the variance of a map, and the factor it multiplies it by, less one.

    Parameters
    ----------
    a_sq, b_sq : ndarray, shape (n_sys,) or (n_sys, n_sys)
        Squares of the amplitudes, or the matrices :math:`a a^t` and :math:`b b^t`, as :func:`debias_params` gives them.
    cov_matrix : ndarray, shape (n_sys, n_sys)
        Covariance of the templates, as :func:`compute_covariance_matrix` gives it.

    Returns
    -------
    additive, multiplicative : float
        :math:`\sum_{ij} A_{ij} C_{ij}` and :math:`\sum_{ij} B_{ij} C_{ij}`, over i = j for squares.

    Raises
    ------
    DataError
        When shapes do not fit.

    Notes
    -----
    Berlfein et al. (2024), Eq. 15 at zero separation.  Squares leave out the products of different templates,
    which vanish for rotated templates only.
    """
    cov = np.asarray(cov_matrix, float)
    return tuple(float(_summed(name, x, cov[..., None])[0]) for name, x in (("a_sq", a_sq), ("b_sq", b_sq)))


def debias_params(
    a_hat: np.ndarray, b_hat: np.ndarray, var_a: np.ndarray, var_b: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    r"""Products of amplitudes without the bias by their noise.

    Parameters
    ----------
    a_hat, b_hat : ndarray, shape (n_sys,)
        Amplitudes, per rms of the template.
    var_a, var_b : ndarray, shape (n_sys,) or (n_sys, n_sys)
        Variances, or covariances, on the clustered sky.

    Returns
    -------
    a_sq, b_sq : ndarray, of the shapes of the variances
        :math:`\max(a_i^2 - {\rm Var}\,a_i, 0)`, or :math:`a a^t - {\rm Cov}(a)`, which nothing is cut off from.

    Raises
    ------
    DataError
        When shapes do not fit.

    Notes
    -----
    Berlfein et al. (2024), Eq. 21.  Variances of independent pixels are too small, and leave a bias.
    """
    found = []
    for name, hat, var in (("a", a_hat, var_a), ("b", b_hat, var_b)):
        hat, var = np.asarray(hat, float), np.asarray(var, float)
        if hat.ndim != 1 or var.shape not in (hat.shape, hat.shape * 2):
            msg = f"{name}_hat has shape {hat.shape} and var_{name} {var.shape}: give (n_sys,) and one of both shapes"
            raise DataError(msg)
        found.append(np.maximum(hat**2 - var, 0.0) if var.ndim == 1 else np.outer(hat, hat) - var)
    return tuple(found)


def compute_two_point_correction(
    w_obs: np.ndarray, a_sq: np.ndarray, b_sq: np.ndarray, template_correlations: np.ndarray
) -> np.ndarray:
    r"""Take the contamination out of a correlation function.

    Parameters
    ----------
    w_obs : ndarray, shape (n_theta,)
        Observed correlation function [1].
    a_sq, b_sq : ndarray, shape (n_sys,) or (n_sys, n_sys)
        Squares of the amplitudes, or matrices, as :func:`debias_params` gives them.
    template_correlations : ndarray, shape (n_sys, n_theta) or (n_sys, n_sys, n_theta)
        Correlations of the templates in the same bins [1]; matrices need those of all pairs.

    Returns
    -------
    ndarray, shape (n_theta,)
        :math:`[w_{obs} - \sum A_{ij} \xi_{ij}] / [1 + \sum B_{ij} \xi_{ij}]`, over i = j for squares.

    Raises
    ------
    DataError
        When shapes do not fit.

    Notes
    -----
    Berlfein et al. (2024), Eqs. 15 and 16.  Squares leave out the correlations of different templates, also of
    rotated ones, which vanish at zero separation only; matrices keep them.
    """
    w, xi = np.asarray(w_obs, float), np.asarray(template_correlations, float)
    additive, multiplicative = (_summed(name, x, xi) for name, x in (("a_sq", a_sq), ("b_sq", b_sq)))
    if w.shape != additive.shape:
        msg = f"w_obs has shape {w.shape} and template_correlations {xi.shape}: give both in the same bins"
        raise DataError(msg)
    return (w - additive) / (1.0 + multiplicative)


def correct_two_point_function(
    w_obs: np.ndarray,
    a_hat: np.ndarray,
    b_hat: np.ndarray,
    var_a: np.ndarray,
    var_b: np.ndarray,
    template_correlations: np.ndarray,
) -> np.ndarray:
    """Take the contamination out of a correlation function, without the bias by the noise of the amplitudes.

    Parameters
    ----------
    w_obs, template_correlations
        As in :func:`compute_two_point_correction`.
    a_hat, b_hat, var_a, var_b
        As in :func:`debias_params`.

    Returns
    -------
    ndarray, shape (n_theta,)
        Corrected correlation function; errors are those of both functions.
    """
    return compute_two_point_correction(w_obs, *debias_params(a_hat, b_hat, var_a, var_b), template_correlations)


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
    return bins.nominal / unit, angular_correlation(galaxies, randoms, edges_arcmin=bins.edges, **options).w


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


def _summed(name: str, products, correlations: np.ndarray) -> np.ndarray:
    """Sum of products of amplitudes times correlations of templates."""
    products = np.asarray(products, float)
    n_sys, full = len(products), correlations.ndim == 3
    if products.shape != (n_sys,) * products.ndim or correlations.shape[:-1] != (n_sys,) * (1 + full):
        msg = (
            f"{name} has shape {products.shape} and the templates {correlations.shape}: the numbers of templates differ"
        )
        raise DataError(msg)
    if products.ndim == 2:
        if not full:
            msg = f"{name} is a matrix and the correlations have shape {correlations.shape}: give those of all pairs"
            raise DataError(msg)
        return np.einsum("ij,ijt->t", products, correlations)
    return np.einsum("i,it->t", products, np.einsum("iit->it", correlations) if full else correlations)
