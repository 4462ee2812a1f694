"""Counts of pairs of points on the sphere, by two engines.

Positions are RA and Dec in degrees, separations are arcminutes on the sphere.
TreeCorr (Jarvis, Bernstein & Jain 2004, MNRAS 352, 338) knows patches; Corrfunc (Sinha & Garrison
2020, MNRAS 491, 3022), where installed, is faster on small scales.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

import numpy as np
import treecorr

from ..errors import DataError, MissingDataError, unknown_name
from ..sky import catalogue_checksum
from .bins import Bins
from .points import Points

ENGINES = ("treecorr", "corrfunc")

MAX_BIN_SLOP = 0.05
"""TreeCorr's default is several Poisson errors off on small scales."""


@dataclass(frozen=True)
class PairCounts:
    """Counts of pairs in bins of separation.

    Parameters
    ----------
    bins : Bins
        Bins.
    pairs : ndarray, shape (n_theta,)
        Pairs; a pair of objects of one catalogue counts once.
    weight : ndarray, shape (n_theta,)
        Sum of their products of weights [1].
    mean : ndarray, shape (n_theta,)
        Mean separation [arcmin], weighted by TreeCorr and not by Corrfunc; NaN where there is none.
    total : float
        Sum of the products of weights over all separations [1]; n^2 / 2 for a catalogue with itself.
    key : str
        Checksum of what was counted, and how; empty where it was not asked for.
    tree : treecorr.NNCorrelation, optional
        Counts patch by patch.
    """

    bins: Bins
    pairs: np.ndarray
    weight: np.ndarray
    mean: np.ndarray
    total: float
    key: str = ""
    tree: treecorr.NNCorrelation | None = None


def count_pairs(
    first: Points,
    second: Points | None = None,
    *,
    bins: Bins,
    engine: str = "treecorr",
    bin_slop: float = MAX_BIN_SLOP,
    mean: bool = True,
    threads: int | None = None,
    seed: int = 0,
) -> PairCounts:
    """Count the pairs of one catalogue, or between two.

    Parameters
    ----------
    first, second : Points
        Objects; no ``second`` counts those of the first with themselves.
    bins : Bins
        Bins of separation.
    engine : {"treecorr", "corrfunc"}
        Who counts.
    bin_slop : float
        Tolerance of TreeCorr's binning, in bins; Corrfunc has none.
    mean : bool
        Whether the mean separation is needed, which Corrfunc is slower with.
    threads : int, optional
        As many as OpenMP has by default.
    seed : int
        Fixes the draws of a bootstrap.

    Returns
    -------
    PairCounts
        Counts; those of TreeCorr with every patch where there are patches.

    Raises
    ------
    ParameterError
        For another engine.
    DataError
        For a larger bin_slop.
    MissingDataError
        When Corrfunc is asked for and not installed.
    """
    if check_engine(engine) == "corrfunc":
        return _corrfunc_pairs(first, second, bins, mean, threads)
    tree = treecorr.NNCorrelation(**tree_options(bins, bin_slop, seed))
    tree.process(first.catalogue(), None if second is None else second.catalogue(), num_threads=threads)
    return PairCounts(bins, tree.npairs, tree.weight, _where(tree.npairs, tree.meanr), tree.tot, tree=tree)


def value_pairs(
    first: tuple[Points, np.ndarray],
    second: tuple[Points, np.ndarray] | None = None,
    *,
    bins: Bins,
    bin_slop: float,
    seed: int = 0,
) -> treecorr.KKCorrelation:
    """Correlate values at positions, of one set or between two.

    Parameters
    ----------
    first, second : tuple of Points and ndarray, shape (n_obj,)
        Positions and values; no ``second`` correlates the first set with itself.
    bins, bin_slop, seed
        As in :func:`count_pairs`.

    Returns
    -------
    treecorr.KKCorrelation
        With the mean products of values, the pairs and their weights in every bin, patch by patch.

    Raises
    ------
    DataError
        For a larger bin_slop.
    """
    tree = treecorr.KKCorrelation(**tree_options(bins, bin_slop, seed))
    tree.process(*(points.catalogue(values) for points, values in (first, *([second] if second else []))))
    return tree


def random_counts(points: Points, *, bins: Bins, engine: str, bin_slop: float, threads=None) -> PairCounts:
    """Pairs of the randoms of a survey, with the checksum of what was counted.

    Parameters
    ----------
    points : Points
        Randoms, with their weights in the survey.
    bins, engine, bin_slop, threads
        As in :func:`count_pairs`.

    Returns
    -------
    PairCounts
        With the checksum of positions, weights, bins, patches and engine as their key: other randoms never get them.
    """
    counts = count_pairs(points, bins=bins, engine=engine, bin_slop=bin_slop, mean=False, threads=threads)
    return replace(counts, key=random_key(points, bins, engine, bin_slop))


def random_key(points: Points, bins: Bins, engine: str, bin_slop: float) -> str:
    """Checksum of everything that the pairs of the randoms of a survey depend on.

    Parameters
    ----------
    points, bins, engine, bin_slop
        As in :func:`random_counts`.

    Returns
    -------
    str
        64 hexadecimal digits.
    """
    digest = hashlib.sha256(catalogue_checksum(points.ra, points.dec).encode())
    digest.update(bins.edges.tobytes())
    if points.weights is not None:
        digest.update(points.weights.astype("<f8").tobytes())
    if points.patches is not None:
        digest.update(points.patches.astype("<i8").tobytes())
    tolerance, kinds = bin_slop if engine == "treecorr" else 0, (points.patches is None, points.weights is None)
    digest.update(f"{engine} {tolerance} {kinds}".encode())
    return digest.hexdigest()


def check_engine(engine: str, known: tuple[str, ...] = ENGINES) -> str:
    """Name of an engine, if there is one of that name.

    Parameters
    ----------
    engine : str
        Name to check.
    known : tuple of str
        Those that exist.

    Returns
    -------
    str
        The same name.

    Raises
    ------
    ParameterError
        When there is none.
    """
    if engine in known:
        return engine
    raise unknown_name("engine", engine, known)


def tree_options(bins: Bins, bin_slop: float, seed: int = 0) -> dict:
    """Options of TreeCorr's correlations.

    Parameters
    ----------
    bins : Bins
        Bins of separation.
    bin_slop : float
        Tolerance of the binning, in bins.
    seed : int
        Fixes the draws of a bootstrap.

    Returns
    -------
    dict
        Keyword arguments.

    Raises
    ------
    DataError
        When the tolerance is not between zero and :data:`MAX_BIN_SLOP`.
    """
    if not 0 <= bin_slop <= MAX_BIN_SLOP:
        larger = "larger ones move pairs by more than their error"
        msg = f"bin_slop is {bin_slop}: take {MAX_BIN_SLOP} or less and no negative one, {larger}"
        raise DataError(msg)
    low, high = bins.edges[:2]
    # TreeCorr asks for less in bins that are wide themselves
    most = 0.05 * (high + low) / (high - low) if bins.kind == "Linear" else 0.1 / np.log(high / low)
    return {
        "min_sep": bins.edges[0],
        "max_sep": bins.edges[-1],
        "nbins": len(bins.edges) - 1,
        "sep_units": "arcmin",
        "bin_type": bins.kind,
        "bin_slop": min(bin_slop, most),
        "metric": "Arc",  # angles on the sphere; the default would be chords
        "rng": np.random.default_rng(seed),
    }


def _corrfunc_pairs(first: Points, second: Points | None, bins: Bins, mean: bool, threads) -> PairCounts:
    try:
        from Corrfunc.mocks import DDtheta_mocks
    except ImportError:
        install = "pip install 'sysmap-core[corrfunc]', which needs a C compiler and the headers of GSL (libgsl-dev)"
        msg = f"engine is 'corrfunc' and Corrfunc is not installed: {install}, or take engine 'treecorr'"
        raise MissingDataError(msg) from None
    arguments = {}
    for number, points in enumerate((first, second), 1):
        if points is not None:
            # Corrfunc wraps negative RA by half a turn
            arguments |= {f"RA{number}": np.mod(points.ra, 360.0), f"DEC{number}": points.dec.copy()}
            arguments[f"weights{number}"] = np.ones(len(points)) if points.weights is None else points.weights
    arguments |= {"weight_type": "pair_product", "output_thetaavg": mean}
    found = DDtheta_mocks(second is None, threads or treecorr.get_omp_threads(), bins.edges / 60.0, **arguments)
    pairs, weight = found["npairs"].astype(float), found["npairs"] * found["weightavg"]
    angle = 60.0 * pairs * found["thetaavg"]
    if second is None:  # every pair comes twice, and in a bin from zero every object with itself
        own = bins.edges[0] == 0
        pairs[0] -= own * len(first)
        weight[0] -= own * np.sum(arguments["weights1"] ** 2)
        pairs, weight, angle = 0.5 * pairs, 0.5 * weight, 0.5 * angle
    separation = _where(pairs, angle / np.maximum(pairs, 1.0)) if mean else np.full(len(pairs), np.nan)
    total = first.sum_weights * (0.5 * first.sum_weights if second is None else second.sum_weights)
    return PairCounts(bins, pairs, weight, separation, total)


def _where(pairs: np.ndarray, values: np.ndarray) -> np.ndarray:
    return np.where(pairs > 0, values, np.nan)
