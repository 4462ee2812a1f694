r"""Correlations of templates, in the bins of the correlation function that they contaminate.

Contamination adds :math:`\sum_{ij} a_i a_j \xi_{ij}(\theta)` to a correlation function.  The mean behind
:math:`\xi_{ij}` is over the pairs that the estimator of w counts, so there is one function for each
estimator: :func:`at_objects` for catalogues, :func:`from_pixels` for pairs of pixel centres and
:func:`from_harmonics` for their harmonic sums.  Angles are in arcminutes.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import healpy as hp
import numpy as np

from ..errors import DataError, MissingDataError, ParameterError
from ..files import plain, replacing, restored
from ..templates import TemplateSet
from ..two_point import angular_bins, harmonic_cross_sums, harmonic_sums
from .pixel_pairs import pixel_products
from .sampled_pairs import sampled_products, start_points

FAR = 5.0
"""Separation in pixels beyond which pairs of objects are pairs of pixel centres."""


@dataclass(frozen=True)
class TemplateCorrelations:
    r"""Correlations of all pairs of templates.

    Parameters
    ----------
    theta_edges : ndarray, shape (n_theta + 1,)
        Bin edges [arcmin].
    theta_nominal : ndarray, shape (n_theta,)
        Bin centres [arcmin].
    theta_mean : ndarray, shape (n_theta,)
        Mean separation of the pairs [arcmin].
    xi : ndarray, shape (n_sys, n_sys, n_theta)
        :math:`\xi_{ij}(\theta)`, symmetric in the templates [1]; NaN in bins without pairs.
    names : tuple of str, length n_sys
        Templates.
    where : str
        Which pairs the mean is over, in words.
    error : ndarray, shape (n_sys, n_sys, n_theta)
        Standard error of what was sampled [1]; zero where all pairs are counted.
    zero_lag : ndarray, shape (n_sys, n_sys)
        Mean of the products of two templates at one place [1].
    metadata : dict
        How it was measured.
    """

    theta_edges: np.ndarray
    theta_nominal: np.ndarray
    theta_mean: np.ndarray
    xi: np.ndarray
    names: tuple[str, ...]
    where: str
    error: np.ndarray
    zero_lag: np.ndarray
    metadata: dict

    @property
    def n_sys(self) -> int:
        """Number of templates."""
        return len(self.names)

    def contract(self, matrix: np.ndarray) -> np.ndarray:
        r"""Sum over all pairs of templates, :math:`\sum_{ij} M_{ij} \xi_{ij}(\theta)`.

        Parameters
        ----------
        matrix : ndarray, shape (..., n_sys, n_sys)
            One or more matrices M.

        Returns
        -------
        ndarray, shape (..., n_theta)
            One sum for each.

        Raises
        ------
        DataError
            When the matrix has another shape.
        """
        return np.einsum("...ij,ijk->...k", self._checked(matrix), self.xi)

    def contraction_error(self, matrix: np.ndarray) -> np.ndarray:
        """Standard error of :meth:`contract` from the sampling of pairs.

        Parameters
        ----------
        matrix : ndarray, shape (n_sys, n_sys)
            Matrix M.

        Returns
        -------
        ndarray, shape (n_theta,)
            An upper bound: the errors of all pairs of templates are added up.
        """
        return np.einsum("ij,ijk->k", np.abs(self._checked(matrix)), self.error)

    def to_dict(self) -> dict:
        """Everything in plain Python types, for a JSON file."""
        return plain(vars(self))

    @classmethod
    def from_dict(cls, content: dict) -> TemplateCorrelations:
        """Result from what :meth:`to_dict` gave.

        Parameters
        ----------
        content : dict
            Stored result.

        Returns
        -------
        TemplateCorrelations
            Equal to the one that was stored.

        Raises
        ------
        DataError
            When something is missing.
        """
        return restored(cls, content, "template correlation")

    def save(self, path: str | Path) -> Path:
        """Write a JSON file that :func:`read` reads.

        Parameters
        ----------
        path : str or Path
            File to write or replace.

        Returns
        -------
        Path
            The file.
        """
        with replacing(path) as partial:
            partial.write_text(json.dumps(self.to_dict(), indent=1) + "\n")
        return Path(path)

    def _checked(self, matrix):
        matrix = np.asarray(matrix, float)
        if matrix.shape[-2:] != (self.n_sys, self.n_sys):
            msg = f"the matrix has shape {matrix.shape} for {self.n_sys} templates: give (..., n_sys, n_sys)"
            raise DataError(msg)
        return matrix


def read(path: str | Path) -> TemplateCorrelations:
    """Read what :meth:`TemplateCorrelations.save` wrote.

    Parameters
    ----------
    path : str or Path
        JSON file.

    Returns
    -------
    TemplateCorrelations
        As it was saved.

    Raises
    ------
    MissingDataError
        When there is no such file.
    DataError
        When it holds something else.
    """
    path = Path(path)
    if not path.is_file():
        msg = f"{path} is not a file: check the name and the folder"
        raise MissingDataError(msg)
    try:
        return TemplateCorrelations.from_dict(json.loads(path.read_text()))
    except (json.JSONDecodeError, TypeError, UnicodeDecodeError) as error:
        msg = f"{path} holds no template correlations ({error}): give a file written by save()"
        raise DataError(msg) from None


def from_pixels(
    templates: TemplateSet, *, edges_arcmin: np.ndarray, weights: np.ndarray | None = None
) -> TemplateCorrelations:
    r"""Correlations of templates from pairs of pixel centres.

    Parameters
    ----------
    templates : TemplateSet
        Templates.
    edges_arcmin : ndarray, shape (n_theta + 1,)
        Bin edges, evenly spaced in theta or in its logarithm [arcmin].
    weights : ndarray, shape (n_pix,), optional
        Weight of every pixel, its coverage; one by default.

    Returns
    -------
    TemplateCorrelations
        To go with :func:`~.pixel_correlation`.  NaN in bins below the pixels, where there are
        no pairs.

    Raises
    ------
    DataError
        When shapes differ or bins are not even.

    Notes
    -----
    All pairs are counted, and found once for all templates: see :func:`~.pixel_products`.
    """
    weights, bins = _pixel_weights(templates, weights), angular_bins(edges_arcmin)
    xi, theta = pixel_products(templates.values, weights, templates.footprint, bins)
    return _result(templates, weights, bins.edges, theta, xi, None, "pairs of pixel centres", {"engine": "pairs"})


def from_harmonics(
    templates: TemplateSet, *, edges_arcmin: np.ndarray, weights: np.ndarray | None = None
) -> TemplateCorrelations:
    r"""Correlations of templates from pairs of pixel centres, by spherical harmonic transforms.

    Parameters
    ----------
    templates : TemplateSet
        Templates.
    edges_arcmin : ndarray, shape (n_theta + 1,)
        Bin edges, evenly spaced in theta or in its logarithm [arcmin].
    weights : ndarray, shape (n_pix,), optional
        Weight of every pixel, its coverage; one by default.

    Returns
    -------
    TemplateCorrelations
        To go with the harmonic engine of :func:`~.pixel_correlation`.  NaN in bins below the
        pixels and beyond the footprint.

    Raises
    ------
    DataError
        When shapes differ or bins are not even.

    Notes
    -----
    :math:`\sum_{p \ne q} W_p W_q t_{ip} t_{jq} f(\theta_{pq}) / \sum_{p \ne q} W_p W_q f(\theta_{pq})` with f the
    indicator of a bin, cut off at the band limit :math:`3 N_{side} - 1`.  Within a few pixels bins overlap.
    """
    weights, bins = _pixel_weights(templates, weights), angular_bins(edges_arcmin)
    maps = np.vstack([templates.values, np.ones(templates.footprint.n_pix)]) * weights
    sums = harmonic_cross_sums(maps, maps, templates.footprint, bins)
    measured, theta = (x[0] for x in harmonic_sums(weights[None], templates.footprint, bins))
    sums[..., ~np.isfinite(measured)] = np.nan
    xi = sums[:-1, :-1] / sums[-1, -1]
    where, engine = "harmonic sums over pairs of pixel centres", {"engine": "harmonic"}
    return _result(templates, weights, bins.edges, theta, xi, None, where, engine)


def at_objects(
    templates: TemplateSet,
    positions: tuple[np.ndarray, np.ndarray] | None = None,
    *,
    edges_arcmin: np.ndarray,
    coverage: np.ndarray | None = None,
    n_samples: int = 1_000_000,
    seed: int = 0,
) -> TemplateCorrelations:
    r"""Correlations of templates at objects, each with the template values of its pixel.

    Parameters
    ----------
    templates : TemplateSet
        Templates.
    positions : tuple of ndarray, optional
        RA and Dec of the objects [deg]; by default points that follow ``coverage`` and are uniform
        within a pixel.
    edges_arcmin : ndarray, shape (n_theta + 1,)
        Bin edges [arcmin].
    coverage : ndarray, shape (n_pix,), optional
        Expected counts of the pixels, or the observed share of them; counts of the objects by default.
    n_samples : int
        Pairs that are drawn for a bin.
    seed : int
        Of the drawn pairs.

    Returns
    -------
    TemplateCorrelations
        With the sampling error.  Well below the pixels it is the covariance of the templates at the objects.

    Raises
    ------
    DataError
        When there are neither objects nor a coverage, or shapes differ, or an object is off the footprint.
    ParameterError
        When ``n_samples`` is not positive.

    Notes
    -----
    One end of a pair is an object, the other lies in a random direction at a separation within the bin, and
    counts as much as its pixel is covered.  Beyond :data:`FAR` pixels the sums are those of pairs of pixel centres,
    which have no sampling error.

    Take the randoms, or the expected counts.  The estimator of Landy and Szalay is a mean over pairs of
    *randoms*: :math:`\langle d\,d' \rangle_{RR}` holds :math:`\sum a_i a_j \langle t_i t_j' \rangle_{RR}`.  Pairs of
    galaxies weigh a place by the clustering and the contamination that are to be found there, which changes the mean
    in the next order of the amplitudes.
    """
    if n_samples < 1:
        msg = f"n_samples is {n_samples}: give a positive number of pairs for each bin"
        raise ParameterError(msg)
    edges = angular_bins(edges_arcmin).edges
    rng = np.random.default_rng(seed)
    if coverage is not None or templates.nside is None:
        coverage = _pixel_weights(templates, coverage)
    starts = start_points(templates.footprint, positions, coverage, n_samples, rng)
    far = from_harmonics(templates, edges_arcmin=edges, weights=starts.coverage)
    xi, error, theta = far.xi, far.error, far.theta_mean
    reach = FAR * _pixel_arcmin(templates.nside)
    for k in np.flatnonzero(edges[:-1] < reach):
        xi[..., k], error[..., k], theta[k] = sampled_products(templates.values, starts, edges[k : k + 2], rng)
    where = f"pairs of objects, sampled below {reach:.0f} arcmin, pairs of pixel centres beyond"
    engine = {"engine": "sampled", "n_samples": len(starts.points), "seed": seed}
    return _result(templates, starts.coverage, edges, theta, xi, error, where, engine)


def _pixel_weights(templates: TemplateSet, weights):
    if templates.nside is None:
        msg = "the templates do not know where their pixels are: make them with pixels and nside"
        raise DataError(msg)
    weights = np.ones(len(templates.pixels)) if weights is None else np.asarray(weights, float)
    if weights.shape != templates.pixels.shape:
        msg = f"weights have shape {weights.shape} for {len(templates.pixels)} pixels: give one value per pixel"
        raise DataError(msg)
    if not np.all(weights >= 0) or not weights.sum() > 0:
        msg = "weights are negative or not finite somewhere, or zero everywhere: give the coverage of the pixels"
        raise DataError(msg)
    return weights


def _pixel_arcmin(nside: int) -> float:
    return 60.0 * np.degrees(hp.nside2resol(nside))


def _result(templates, weights, edges, theta_mean, xi, error, where, metadata) -> TemplateCorrelations:
    edges = np.asarray(edges, float)
    return TemplateCorrelations(
        theta_edges=edges,
        theta_nominal=angular_bins(edges).nominal,
        theta_mean=theta_mean,
        xi=xi,
        names=templates.names,
        where=where,
        error=np.zeros_like(xi) if error is None else error,
        zero_lag=(templates.values * weights) @ templates.values.T / weights.sum(),
        metadata={"nside": templates.nside, "n_pix": len(templates.pixels)} | metadata,
    )
