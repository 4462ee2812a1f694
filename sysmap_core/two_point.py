"""Angular correlation functions: from catalogues, from pixels, and corrected for contamination.

Angles are in arcminutes.  All pair counts are TreeCorr's (Jarvis, Bernstein & Jain 2004).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import healpy as hp
import numpy as np
import treecorr

from .errors import DataError
from .sky import Field
from .templates import TemplateSet

MAX_BIN_SLOP = 0.05
"""TreeCorr's default is several Poisson errors off on small scales."""


@dataclass(frozen=True)
class Correlation:
    """An angular correlation function with its binning.

    Parameters
    ----------
    theta_edges : ndarray, shape (n_theta + 1,)
        Bin edges [arcmin].
    theta : ndarray, shape (n_theta,)
        Nominal bin centres [arcmin].
    theta_mean : ndarray, shape (n_theta,)
        Mean separation of the pairs [arcmin].
    w : ndarray, shape (n_theta,)
        Correlation [1]; NaN in bins without pairs.
    cov : ndarray, shape (n_theta, n_theta), or None
        Jackknife covariance, where patches were given.
    pairs : ndarray, shape (n_theta,)
        Pairs of objects or pixels.
    estimator : str
        What was measured, in words.
    """

    theta_edges: np.ndarray
    theta: np.ndarray
    theta_mean: np.ndarray
    w: np.ndarray
    cov: np.ndarray | None
    pairs: np.ndarray
    estimator: str

    @property
    def error(self) -> np.ndarray:
        """Standard deviation per bin; NaN without a covariance."""
        return np.full(len(self.w), np.nan) if self.cov is None else np.sqrt(np.diag(self.cov))


def pixel_correlation(
    delta: np.ndarray,
    pixels: np.ndarray,
    nside: int,
    *,
    edges_arcmin: np.ndarray,
    weights: np.ndarray | None = None,
    patches: np.ndarray | None = None,
    bin_slop: float = 0.01,
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
    patches : ndarray of int, shape (n_pix,), optional
        Jackknife patch of every pixel.
    bin_slop : float
        Tolerance of TreeCorr's binning, in bins.

    Returns
    -------
    Correlation
        :math:`w(\theta) = \sum W_p W_q \delta_p \delta_q / \sum W_p W_q`.

    Raises
    ------
    DataError
        When shapes differ, bins are not even, or bin_slop is too large.
    """
    for name, values in (("pixels", pixels), ("weights", weights), ("patches", patches)):
        if values is not None and np.shape(values) != np.shape(delta):
            msg = f"{name} has shape {np.shape(values)} and delta {np.shape(delta)}: give one value per pixel"
            raise DataError(msg)
    binning = _binning(edges_arcmin, bin_slop)
    ra, dec = hp.pix2ang(nside, pixels, lonlat=True)
    catalogue = _catalogue(ra, dec, weights, patches, k=np.asarray(delta, float))
    pairs = treecorr.KKCorrelation(**binning, var_method="jackknife" if patches is not None else "shot")
    pairs.process(catalogue)
    cov = None if patches is None else pairs.cov
    return _result(edges_arcmin, pairs, pairs.xi, cov, "pairs of pixels")


def angular_correlation(
    galaxies: tuple[np.ndarray, np.ndarray],
    randoms: tuple[np.ndarray, np.ndarray],
    *,
    edges_arcmin: np.ndarray,
    galaxy_weights: np.ndarray | None = None,
    random_weights: np.ndarray | None = None,
    patches: tuple[np.ndarray, np.ndarray] | None = None,
    bin_slop: float = MAX_BIN_SLOP,
    unweighted_rr: treecorr.NNCorrelation | None = None,
) -> Correlation:
    r"""Landy-Szalay correlation function of a catalogue, with weights on both sides.

    Parameters
    ----------
    galaxies, randoms : tuple of ndarray
        RA and Dec [deg].
    edges_arcmin : ndarray, shape (n_theta + 1,)
        Bin edges, evenly spaced in theta or in its logarithm [arcmin].
    galaxy_weights, random_weights : ndarray, optional
        Weight of every galaxy, and of every random.
    patches : tuple of ndarray of int, optional
        Jackknife patch of every galaxy and of every random.
    bin_slop : float
        Tolerance of TreeCorr's binning, in bins.
    unweighted_rr : treecorr.NNCorrelation, optional
        Counts of the unweighted randoms, as :func:`random_pairs` makes them, to count once.

    Returns
    -------
    Correlation
        Measured correlation function.

    Raises
    ------
    DataError
        When there are fewer randoms than galaxies, lengths differ, or bins are not even.

    Notes
    -----
    Landy & Szalay (1993, ApJ 412, 64).  The weights of the randoms belong to the expected
    contaminated density, so they enter the numerator only; the denominator is the mask:
    :math:`w = (DD - 2 f DR + f^2 R_w R_w) / (f_r^2 RR)`.
    """
    n_gal, n_ran = len(galaxies[0]), len(randoms[0])
    if n_ran < n_gal:
        msg = f"{n_ran} randoms for {n_gal} galaxies: give at least as many randoms, better five times as many"
        raise DataError(msg)
    binning = _binning(edges_arcmin, bin_slop)
    patches = patches or (None, None)
    data = _catalogue(*galaxies, galaxy_weights, patches[0])
    mask = _catalogue(*randoms, None, patches[1])
    weighted = _catalogue(*randoms, random_weights, patches[1])
    ratio = np.sum(data.w) / np.sum(weighted.w)
    ratio_mask = n_gal / n_ran
    dd, dr = _counts(binning, data), _counts(binning, data, weighted)
    rr = unweighted_rr or _counts(binning, mask)
    rr_weighted = rr if random_weights is None else _counts(binning, weighted)

    def estimate(counts):
        d, x, rw, r = (c.weight for c in counts)
        with np.errstate(invalid="ignore", divide="ignore"):
            # an auto pair is counted once, a cross pair in either order: hence no factor 2
            return (d - ratio * x + ratio**2 * rw) / (ratio_mask**2 * r)

    counts = [dd, dr, rr_weighted, rr]
    cov = None
    if patches[0] is not None:
        cov = treecorr.estimate_multi_cov(counts, "jackknife", func=estimate, cross_patch_weight="match")
    return _result(edges_arcmin, dd, estimate(counts), cov, "Landy-Szalay, catalogues")


ESTIMATORS = ("auto", "catalogue", "pixels")
MAX_OBJECTS = 1_000_000
"""Galaxies and randoms up to which ``auto`` counts pairs of objects."""

CATALOGUE_EDGES = np.geomspace(6.0, 180.0, 11)
"""Bins of catalogue correlation functions [arcmin]."""


def measure_catalogues(sample, field: Field, result, estimator: str = "auto") -> dict[str, Correlation] | None:
    """Correlation function of the catalogues, as observed and with the weights of a method.

    Parameters
    ----------
    sample : Sample
        Sample with its catalogues.
    field : Field
        Footprint of the fit.
    result : Decontamination
        Method whose pair of weights is used.
    estimator : {"auto", "catalogue", "pixels"}
        ``auto`` measures up to :data:`MAX_OBJECTS` objects.

    Returns
    -------
    dict of str to Correlation, or None
        ``"observed"`` and the method's name, without a covariance; None when pixels were asked for, or when ``auto``
        finds no catalogues or too many objects.

    Raises
    ------
    DataError
        When catalogues were asked for and the sample has none.
    """
    there = sample.galaxies is not None and sample.randoms is not None
    if estimator == "catalogue" and not there:
        msg = f"estimator is 'catalogue' and {sample.identifier} has no catalogues: take 'pixels' or 'auto'"
        raise DataError(msg)
    affordable = there and len(sample.galaxies) + len(sample.randoms) <= MAX_OBJECTS
    if estimator == "pixels" or (estimator == "auto" and not affordable):
        return None
    # full-sky maps of the weights; NaN marks what lies off the footprint
    maps = [field.full_sky(v, fill=np.nan) for v in (result.galaxy_weights, result.random_weights)]
    positions, weights = [], []
    for objects, values in zip((sample.galaxies, sample.randoms), maps, strict=True):
        weight = values[hp.ang2pix(field.nside, objects.ra, objects.dec, lonlat=True)]
        inside = np.isfinite(weight)
        positions.append((objects.ra[inside], objects.dec[inside]))
        weights.append(weight[inside])
    rr = random_pairs(positions[1], edges_arcmin=CATALOGUE_EDGES)
    common = {"edges_arcmin": CATALOGUE_EDGES, "unweighted_rr": rr}
    return {
        "observed": angular_correlation(*positions, **common),
        result.method: angular_correlation(*positions, galaxy_weights=weights[0], random_weights=weights[1], **common),
    }


def random_pairs(
    randoms: tuple[np.ndarray, np.ndarray], *, edges_arcmin: np.ndarray, patches=None, bin_slop: float = MAX_BIN_SLOP
) -> treecorr.NNCorrelation:
    """Count the pairs of the unweighted randoms, which all weights of a sample share.

    Parameters
    ----------
    randoms : tuple of ndarray
        RA and Dec [deg].
    edges_arcmin : ndarray, shape (n_theta + 1,)
        Bin edges [arcmin].
    patches : ndarray of int, optional
        Jackknife patch of every random.
    bin_slop : float
        Tolerance of TreeCorr's binning, in bins.

    Returns
    -------
    treecorr.NNCorrelation
        Pair counts.
    """
    return _counts(_binning(edges_arcmin, bin_slop), _catalogue(*randoms, None, patches))


def template_sum(
    matrix: np.ndarray, templates: TemplateSet, correlate: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    r"""Sum of template correlations, :math:`\sum_{ij} M_{ij} \xi_{ij}(\theta)`.

    Parameters
    ----------
    matrix : ndarray, shape (n_sys, n_sys)
        Symmetric matrix M.
    templates : TemplateSet
        Templates.
    correlate : callable
        Autocorrelation function of a map, (n_pix,) to (n_theta,).

    Returns
    -------
    ndarray, shape (n_theta,)
        The sum; in the eigenbasis of M it needs n_sys autocorrelations, not all pairs.
    """
    eigenvalues, vectors = np.linalg.eigh(matrix)
    keep = np.abs(eigenvalues) > 1e-12 * np.abs(eigenvalues).max(initial=0.0)
    total = 0.0
    for value, vector in zip(eigenvalues[keep], vectors.T[keep], strict=True):
        total = total + value * correlate(vector @ templates.values)
    return total


def corrected_correlation(
    observed: Correlation,
    templates: TemplateSet,
    correlate: Callable[[np.ndarray], np.ndarray],
    *,
    a: np.ndarray,
    cov_a: np.ndarray,
    b: np.ndarray | None = None,
    cov_b: np.ndarray | None = None,
) -> Correlation:
    r"""Remove the contamination from a correlation function, without its noise bias.

    Parameters
    ----------
    observed : Correlation
        Contaminated correlation function.
    templates : TemplateSet
        Templates.
    correlate : callable
        Autocorrelation function of a map in the same bins.
    a, b : ndarray, shape (n_sys,)
        Amplitudes; no ``b`` means an additive model.
    cov_a, cov_b : ndarray, shape (n_sys, n_sys)
        Their calibrated covariances.

    Returns
    -------
    Correlation
        Corrected; the covariance stays that of the observed one.

    Notes
    -----
    Berlfein et al. (2024), Eqs. 15, 16 and 21, with the full matrices of template correlations:
    :math:`w = [w_{obs} - \sum (a a^t - C_a)_{ij} \xi_{ij}] / [1 + \sum (b b^t - C_b)_{ij} \xi_{ij}]`.
    The squares of noisy amplitudes are too large by their covariance, which is taken off.
    """
    numerator = observed.w - template_sum(np.outer(a, a) - cov_a, templates, correlate)
    denominator = 1.0
    if b is not None and np.any(b):
        denominator = 1.0 + template_sum(np.outer(b, b) - cov_b, templates, correlate)
    return replace(observed, w=numerator / denominator, estimator=f"{observed.estimator}, Eqs. 15-16, noise-debiased")


def _binning(edges, bin_slop: float) -> dict:
    edges = np.asarray(edges, float)
    if bin_slop > MAX_BIN_SLOP:
        msg = f"bin_slop is {bin_slop}: take {MAX_BIN_SLOP} or less, larger ones move pairs by more than their error"
        raise DataError(msg)
    if len(edges) < 2 or not np.all(np.diff(edges) > 0):
        msg = "edges_arcmin does not increase: give bin edges in arcminutes"
        raise DataError(msg)
    common = {
        "min_sep": edges[0],
        "max_sep": edges[-1],
        "nbins": len(edges) - 1,
        "sep_units": "arcmin",
        "bin_slop": bin_slop,
        "cross_patch_weight": "match",
        "metric": "Arc",  # angles on the sphere; the default would be chords
    }
    if np.allclose(np.diff(edges), edges[1] - edges[0], rtol=1e-6):
        return {**common, "bin_type": "Linear"}
    if edges[0] > 0 and np.allclose(np.diff(np.log(edges)), np.log(edges[1] / edges[0]), rtol=1e-6):
        return {**common, "bin_type": "Log"}
    msg = "edges_arcmin are even neither in theta nor in ln theta: use numpy.linspace or numpy.geomspace"
    raise DataError(msg)


def _catalogue(ra, dec, weights, patches, **columns) -> treecorr.Catalog:
    if len(ra) != len(dec) or (weights is not None and len(weights) != len(ra)):
        n_weights = len(ra) if weights is None else len(weights)
        msg = f"{len(ra)} RA, {len(dec)} Dec and {n_weights} weights: give one each per object"
        raise DataError(msg)
    return treecorr.Catalog(ra=ra, dec=dec, ra_units="deg", dec_units="deg", w=weights, patch=patches, **columns)


def _counts(binning, first, second=None) -> treecorr.NNCorrelation:
    counts = treecorr.NNCorrelation(**binning)
    counts.process(first, second)
    return counts


def _result(edges, pairs, w, cov, estimator: str) -> Correlation:
    w = np.where(pairs.npairs > 0, w, np.nan)
    return Correlation(np.asarray(edges, float), pairs.rnom, pairs.meanr, w, cov, pairs.npairs, estimator)
