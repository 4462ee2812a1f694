"""Angular correlation functions, measured from catalogues and from pixels.

Angles are in arcminutes.  Pairs are counted by the engines of :mod:`sysmap_core.two_point.pair_counts`.
"""

from __future__ import annotations

from dataclasses import replace
from importlib.metadata import version

import healpy as hp
import numpy as np

from ..errors import DataError, ParameterError, unknown_name
from ..sky import Footprint
from .bins import angular_bins
from .correlation import Correlation
from .harmonic_pairs import harmonic_sums, resolved
from .jackknife import N_PATCHES, RESAMPLINGS, check_patches, patch_centres, patch_numbers, resampled
from .pair_counts import MAX_BIN_SLOP, PairCounts, check_engine, count_pairs, random_counts, random_key, value_pairs
from .points import Points, check_points, check_weights

PIXEL_ENGINES = ("treecorr", "harmonic")


def pixel_correlation(
    delta: np.ndarray,
    pixels: np.ndarray,
    nside: int,
    *,
    edges_arcmin: np.ndarray,
    weights: np.ndarray | None = None,
    engine: str = "treecorr",
    covariance: str | None = None,
    patches: int | np.ndarray | None = None,
    bin_slop: float = 0.01,
    seed: int = 0,
) -> Correlation:
    r"""Correlation function of a map, from pairs of pixel centres.

    Parameters
    ----------
    delta : ndarray, shape (n_pix,)
        Overdensity [1].
    pixels : ndarray of int, shape (n_pix,)
        HEALPix indices, RING.
    nside : int
        Resolution.
    edges_arcmin : ndarray, shape (n_theta + 1,)
        Bin edges, evenly spaced in theta or in its logarithm [arcmin].
    weights : ndarray, shape (n_pix,), optional
        Weight of every pixel, its coverage; one by default.
    engine : {"treecorr", "harmonic"}
        Pairs one by one, or all in spherical harmonic transforms: for mocks.
    covariance : {"none", "jackknife", "bootstrap"}, optional
        Where the covariance comes from; the jackknife if patches are given.
    patches : int or ndarray of int, shape (n_pix,), optional
        Number of patches, or the patch of every pixel; 40 compact patches by default.
    bin_slop : float
        Tolerance of TreeCorr's binning, in bins.
    seed : int
        Fixes patches and bootstrap.

    Returns
    -------
    Correlation
        :math:`w(\theta) = \sum W_p W_q \delta_p \delta_q / \sum W_p W_q` over pairs of different pixels.

    Raises
    ------
    DataError
        When shapes differ, values are not finite, weights are negative, bins are not even, bin_slop is too large, or
        patches do not fit.
    ParameterError
        For an unknown engine or covariance, or a covariance of the harmonic engine, which has none.

    Notes
    -----
    The harmonic engine sees bins through the band limit 3 nside - 1, which moves pairs across edges by about a
    pixel.  In bins below some ten pixels, and in bins that are not much wider than a pixel, it differs from the
    counted pairs; wide bins beyond agree far within their errors.
    """
    delta, pixels = np.asarray(delta, float), np.asarray(pixels)
    numbered = None if patches is None or np.ndim(patches) == 0 else np.asarray(patches)
    for name, values in (("pixels", pixels), ("weights", weights), ("patches", numbered)):
        if values is not None and np.shape(values) != delta.shape:
            msg = f"{name} has shape {np.shape(values)} and delta {delta.shape}: give one value per pixel"
            raise DataError(msg)
    _check_map(delta)
    footprint = Footprint(pixels, nside)
    bins, resampling = angular_bins(edges_arcmin), _resampling(covariance, patches)
    weights = np.ones(len(delta)) if weights is None else np.asarray(weights, float)
    check_weights("pixels", weights)
    facts = {"engine": check_engine(engine, PIXEL_ENGINES), "metric": "arc", "nside": nside, "n_pixels": len(delta)}
    facts |= {"sum_weights": weights.sum(), "covariance": resampling}
    if engine == "harmonic":
        if resampling != "none":
            msg = f"covariance is {resampling!r} and engine 'harmonic': it has none, take the scatter of mocks"
            raise ParameterError(msg)
        return _harmonic_correlation(delta, weights, footprint, bins, facts)
    ra, dec = hp.pix2ang(nside, pixels, lonlat=True)
    points = Points(ra, dec, weights, _patches((ra, dec), resampling, patches, seed))
    tree = value_pairs((points, delta), bins=bins, bin_slop=bin_slop, seed=seed)
    empty, cov = tree.npairs == 0, None
    if resampling != "none":
        facts |= {"n_patches": check_patches({"pixels": points.patches})}
        cov = resampled([tree], resampling, lambda counts: counts[0].xi, empty)
    facts |= {"bin_slop": bin_slop, "versions": _versions("treecorr")}
    w, mean = (np.where(empty, np.nan, x) for x in (tree.xi, tree.meanr))
    return Correlation(
        bins.edges, bins.nominal, mean, w, cov, tree.npairs, "pairs of pixels", tree.weight, metadata=facts
    )


def _harmonic_correlation(delta, weights, footprint, bins, facts) -> Correlation:
    maps = np.array([weights * delta, weights, np.ones_like(delta)])
    (total, norm, pairs), (_, mean, _) = harmonic_sums(maps, footprint, bins)
    there = resolved(pairs, footprint, bins)
    w, mean = (np.where(there, x, np.nan) for x in (total / norm, mean))
    pairs, norm = (np.where(there, x, 0.0) for x in (pairs, norm))
    facts |= {"versions": _versions("healpy", "ducc0")}
    estimator = "harmonic sums over pairs of pixels"
    return Correlation(bins.edges, bins.nominal, mean, w, None, pairs, estimator, norm, metadata=facts)


def angular_correlation(
    galaxies: tuple[np.ndarray, np.ndarray],
    randoms: tuple[np.ndarray, np.ndarray],
    *,
    edges_arcmin: np.ndarray,
    engine: str = "treecorr",
    galaxy_weights: np.ndarray | None = None,
    random_weights: np.ndarray | None = None,
    galaxy_systematics: np.ndarray | None = None,
    random_systematics: np.ndarray | None = None,
    covariance: str | None = None,
    patches: int | tuple[np.ndarray, np.ndarray] | None = None,
    bin_slop: float = MAX_BIN_SLOP,
    seed: int = 0,
    threads: int | None = None,
    rr: PairCounts | None = None,
) -> Correlation:
    r"""Landy-Szalay correlation function of a catalogue, with two kinds of weights on both sides.

    Parameters
    ----------
    galaxies, randoms : tuple of ndarray
        RA and Dec [deg].
    edges_arcmin : ndarray, shape (n_theta + 1,)
        Bin edges, evenly spaced in theta or in its logarithm [arcmin].
    engine : {"treecorr", "corrfunc"}
        Who counts the pairs; Corrfunc is an extra to install, and knows no patches.
    galaxy_weights, random_weights : ndarray, optional
        Weight of every galaxy and of every random in the survey, such as completeness and FKP weights; each in any
        unit.
    galaxy_systematics, random_systematics : ndarray, optional
        The pair of weights against contamination, ``galaxy_weights`` and ``random_weights`` of a
        :class:`~.Decontamination` at the objects [1].
    covariance : {"none", "jackknife", "bootstrap"}, optional
        Where the covariance comes from; the jackknife if patches are given.
    patches : int or tuple of ndarray of int, optional
        Number of patches, or the patch of every galaxy and of every random; 40 by default, made from the randoms.
    bin_slop : float
        Tolerance of TreeCorr's binning, in bins.
    seed : int
        Fixes patches and bootstrap.
    threads : int, optional
        As many as OpenMP has by default.
    rr : PairCounts, optional
        Counts of the randoms with the weights of the survey, as :func:`random_pairs` makes them.

    Returns
    -------
    Correlation
        Measured correlation function; NaN in bins without pairs of galaxies or of randoms.

    Raises
    ------
    DataError
        When there are fewer randoms than galaxies, lengths differ, positions or weights are not valid, bins are not
        even, bin_slop is too large, patches do not fit, or ``rr`` belongs to other randoms or bins.
    ParameterError
        For an unknown engine or covariance, or a covariance of Corrfunc.
    MissingDataError
        When Corrfunc is asked for and not installed.

    Notes
    -----
    Landy & Szalay (1993, ApJ 412, 64).  Weights of the survey multiply every object, in the numerator as in the mask
    of the denominator, and their scale does not matter.  Those against contamination belong to the expected
    contaminated density, so that they enter the numerator only:
    :math:`w = (DD - 2 f DR + f^2 R_s R_s) / (f_r^2 RR)`, D and :math:`R_s` with both weights and R with those of the
    survey.  Here f is the ratio of the sums of both weights, and :math:`f_r` that of the sums of survey weights, as
    the pair has an absolute scale.  Without the weights of the randoms against contamination
    :math:`f_r = f`, and the scale of those of the galaxies does not matter either.
    """
    check_engine(engine)
    bins, resampling = angular_bins(edges_arcmin), _resampling(covariance, patches)
    data, mask = (
        check_points("galaxies", galaxies, galaxy_weights),
        check_points("randoms", randoms, random_weights),
    )
    if len(mask) < len(data):
        came = f"{len(mask)} randoms for {len(data)} galaxies"
        msg = f"{came}: give at least as many randoms, better five times as many"
        raise DataError(msg)
    if engine == "corrfunc" and resampling != "none":
        msg = f"covariance is {resampling!r} and engine 'corrfunc': it knows no patches, take engine 'treecorr'"
        raise ParameterError(msg)
    facts = {"engine": engine, "metric": "arc", "n_galaxies": len(data), "n_randoms": len(mask)}
    facts |= {"sum_galaxy_weights": data.sum_weights, "sum_random_weights": mask.sum_weights}
    facts |= {"covariance": resampling}
    if resampling != "none":
        data, mask = _with_patches(data, mask, patches, seed)
        facts |= {"n_patches": check_patches({"galaxies": data.patches, "randoms": mask.patches})}
    # trees of other weights differ in the last digits: those of any scale are one
    data, mask = _of_mean_one(data), _of_mean_one(mask)
    data = _with_systematics("galaxies", data, galaxy_systematics)
    weighted = _with_systematics("randoms", mask, random_systematics)
    how = {"bins": bins, "engine": engine, "bin_slop": bin_slop}
    rr = _random_counts(mask, rr, how, threads)
    how |= {"threads": threads}
    dd, dr = count_pairs(data, seed=seed, **how), count_pairs(data, weighted, mean=False, **how)
    rr_weighted = rr if random_systematics is None else count_pairs(weighted, mean=False, **how)
    scale = 1.0 if random_systematics is None else (data.sum_weights / len(data)) ** 2

    counts = [dd, dr, rr_weighted, rr]
    empty, cov = (dd.pairs == 0) | (rr.pairs == 0), None
    if resampling != "none":
        trees = [c.tree for c in counts]
        cov = resampled(trees, resampling, lambda some: _landy_szalay(some, [t.tot for t in some], scale), empty)
    if engine == "treecorr":
        facts |= {"bin_slop": bin_slop}
    facts |= {"versions": _versions(engine)}
    w = np.where(empty, np.nan, _landy_szalay(counts, [c.total for c in counts], scale))
    extra = None if random_systematics is None else rr_weighted.weight
    return Correlation(
        bins.edges,
        bins.nominal,
        dd.mean,
        w,
        cov,
        dd.pairs,
        "Landy-Szalay, catalogues",
        dd.weight,
        dr.weight,
        rr.weight,
        extra,
        facts,
    )


def _landy_szalay(counts, totals, scale: float) -> np.ndarray:
    # an auto pair is counted once, a cross pair in either order: the totals know
    dd, dr, rr_weighted, rr = (c.weight / total for c, total in zip(counts, totals, strict=True))
    with np.errstate(invalid="ignore", divide="ignore"):
        return scale * (dd - 2.0 * dr + rr_weighted) / rr


def _of_mean_one(points: Points) -> Points:
    return points if points.weights is None else replace(points, weights=points.weights / points.weights.mean())


def _with_systematics(what: str, points: Points, systematics) -> Points:
    """Points whose weights are those of the survey times those against contamination."""
    if systematics is None:
        return points
    values = check_points(what, (points.ra, points.dec), systematics).weights
    return replace(points, weights=values if points.weights is None else values * points.weights)


def random_pairs(
    randoms: tuple[np.ndarray, np.ndarray],
    *,
    edges_arcmin: np.ndarray,
    weights: np.ndarray | None = None,
    patches: np.ndarray | None = None,
    bin_slop: float = MAX_BIN_SLOP,
    engine: str = "treecorr",
) -> PairCounts:
    """Count the pairs of the randoms of a survey, which all weights against contamination share.

    Parameters
    ----------
    randoms : tuple of ndarray
        RA and Dec [deg].
    edges_arcmin : ndarray, shape (n_theta + 1,)
        Bin edges [arcmin].
    weights : ndarray, optional
        Weight of every random in the survey, in any unit; one by default.
    patches : ndarray of int, optional
        Jackknife patch of every random.
    bin_slop : float
        Tolerance of TreeCorr's binning, in bins.
    engine : {"treecorr", "corrfunc"}
        Who counts.

    Returns
    -------
    PairCounts
        Pair counts with the checksum of what was counted; :func:`angular_correlation` refuses those of other randoms.
    """
    points = _of_mean_one(check_points("randoms", randoms, weights))
    if patches is not None:
        points = replace(points, patches=np.asarray(patches))
    return random_counts(points, bins=angular_bins(edges_arcmin), engine=check_engine(engine), bin_slop=bin_slop)


def _check_map(delta) -> None:
    bad = int(np.sum(~np.isfinite(delta)))
    if bad or not len(delta):
        msg = f"delta has {bad} of {len(delta)} values that are not finite: take these pixels out of the footprint"
        raise DataError(msg)


def _resampling(covariance: str | None, patches) -> str:
    if covariance is None:
        return "none" if patches is None else "jackknife"
    if covariance not in RESAMPLINGS:
        raise unknown_name("covariance", covariance, RESAMPLINGS)
    if covariance == "none" and patches is not None:
        msg = "covariance is 'none' and patches came: take 'jackknife' or 'bootstrap', or no patches"
        raise ParameterError(msg)
    return covariance


def _patches(positions, resampling: str, patches, seed: int) -> np.ndarray | None:
    """Patch of every pixel, made where none came."""
    if resampling == "none" or np.ndim(patches) == 1:
        return None if resampling == "none" else np.asarray(patches)
    number = N_PATCHES if patches is None else int(patches)
    return patch_numbers(positions, patch_centres(positions, number, seed=seed))


def _with_patches(galaxies: Points, randoms: Points, patches, seed: int) -> tuple[Points, Points]:
    if patches is None or isinstance(patches, (int, np.integer)):
        centres = patch_centres((randoms.ra, randoms.dec), N_PATCHES if patches is None else patches, seed=seed)
        patches = [patch_numbers((p.ra, p.dec), centres) for p in (galaxies, randoms)]
    numbers = [np.asarray(p) for p in patches]
    if [len(p) for p in numbers] != [len(galaxies), len(randoms)]:
        came = f"{' and '.join(str(len(p)) for p in numbers)} values"
        msg = f"patches hold {came} for {len(galaxies)} galaxies and {len(randoms)} randoms: give one each per object"
        raise DataError(msg)
    return replace(galaxies, patches=numbers[0]), replace(randoms, patches=numbers[1])


def _random_counts(randoms: Points, given: PairCounts | None, how: dict, threads: int | None) -> PairCounts:
    if given is None:
        return random_counts(randoms, **how, threads=threads)
    if given.key != random_key(randoms, **how):
        msg = "rr was counted from other randoms, weights, bins, patches or with another engine: count it again"
        raise DataError(msg)
    return given


def _versions(*packages: str) -> dict[str, str]:
    names = {"corrfunc": "Corrfunc"}
    return {name: version(names.get(name, name)) for name in ("sysmap-core", *packages)}
