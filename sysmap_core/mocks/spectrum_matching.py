r"""Spectra of simulated fields that reproduce a measured correlation function or power spectrum.

The measurement of the simulated fields is the one that the data went through: footprint, mean of the survey, shot
noise, binning.  What these steps do to the expectation, and what a lognormal field with clipped Gaussian power cannot
do, is therefore made up for.  The logarithm of the spectrum is moved by a smooth function of :math:`\ln \ell` in
Gauss-Newton steps until the simulated mean agrees with the measurement; fields that were not used tell how well.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..errors import DataError, ParameterError
from ..harmonic import default_lmax, masked_sky, pixel_window
from ..sky import Field
from ..two_point import BandEstimator, BandPowers, Correlation, bin_integrals, pixel_correlation
from .galaxy_spectrum import shape_spectrum
from .lognormal import gaussian_spectrum
from .realisations import null_realisations

N_NODES = 9
"""Nodes in ln l of the function that moves the spectrum, at most."""

MAX_STEP = 0.7
"""Largest change of ln C_l at a node in one iteration."""

FLOOR = 0.02
"""Error of a bin relative to its value, where the measurement claims a smaller one or has none."""

STIFFNESS = 0.3
"""Prior width of the second difference between nodes of the change of ln C_l in one iteration."""

_RIDGE = 1e-2


@dataclass(frozen=True)
class MatchedSpectrum:
    """Spectrum whose simulated fields reproduce a measurement.

    Parameters
    ----------
    cl : ndarray, shape (3 nside,)
        Spectrum of the pixel averages [sr], for :func:`~.null_realisations` and
        :func:`~.gaussian_spectrum`.
    field : ndarray, shape (3 nside,)
        Spectrum of the field itself, without the pixel window [sr], for
        :func:`~.simulate_catalogue`.
    clipped : float
        Negative Gaussian power that was set to zero, relative to all.
    edges : ndarray, shape (n_bins + 1,)
        Edges of the bins of the measurement, in its unit.
    used : ndarray of bool, shape (n_bins,)
        Bins that were matched.
    ratio, ratio_error : ndarray, shape (n_bins,)
        Mean of the validation fields over the measurement, and its Monte Carlo error; NaN in bins not used.
    pull : ndarray, shape (n_bins,)
        Mean of the validation fields less the measurement, over the error of the measurement that was fitted with.
    history : ndarray, shape (n_iterations,)
        Rms of that difference of the fields of every iteration, before its step.
    n_validation : int
        Validation fields, of seeds that the iterations did not use.
    """

    cl: np.ndarray
    field: np.ndarray
    clipped: float
    edges: np.ndarray
    used: np.ndarray
    ratio: np.ndarray
    ratio_error: np.ndarray
    pull: np.ndarray
    history: np.ndarray
    n_validation: int


def match_band_powers(sky: Field, target: BandPowers, **options) -> MatchedSpectrum:
    """Match simulated fields to band powers.

    Parameters
    ----------
    sky : Field
        Sample whose footprint and expected counts the fields have.
    target : BandPowers
        Measured band powers, mask deconvolved and without shot noise.
    **options
        ``start``, ``n_iterations``, ``n_fields``, ``n_validation`` and ``seed`` of :func:`match_measurement`.

    Returns
    -------
    MatchedSpectrum
        With the ratio in every band.

    Raises
    ------
    DataError
        When the bands are not of this resolution, still hold mask or noise, or cannot be matched.
    """
    if not (target.deconvolved and target.noise_subtracted) or target.nside != sky.nside:
        came = f"nside {target.nside}, deconvolved {target.deconvolved}, noise subtracted {target.noise_subtracted}"
        msg = f"the band powers have {came}: measure them on the sample at nside {sky.nside}, with both"
        raise DataError(msg)
    # the simulated maps hold no power beyond 3 nside that could be aliased
    estimator = BandEstimator(masked_sky(sky), target.edges, tail=None)
    response = target.window[:, : 3 * sky.nside]
    return match_measurement(
        sky, target.edges, target.cl, target.error, lambda field: estimator.measure(field).cl, response, **options
    )


def match_correlation(sky: Field, target: Correlation, **options) -> MatchedSpectrum:
    """Match simulated fields to a correlation function.

    Parameters
    ----------
    sky : Field
        Sample whose footprint and expected counts the fields have.
    target : Correlation
        Measured w(theta), of pixels or of catalogues.
    **options
        ``start``, ``n_iterations``, ``n_fields``, ``n_validation`` and ``seed`` of :func:`match_measurement`.

    Returns
    -------
    MatchedSpectrum
        With the ratio in every bin; bins below the size of a pixel, or empty ones, are not used.

    Raises
    ------
    DataError
        When no bin can be used, or the correlation function cannot be matched.
    """
    _check_sky(sky)
    edges = target.theta_edges
    weights = sky.expected / sky.expected.max()

    def measure(field: Field) -> np.ndarray:
        how = {"edges_arcmin": edges, "weights": weights, "engine": "harmonic"}
        return pixel_correlation(field.delta, field.pixels, field.nside, **how).w

    lmax = default_lmax(sky.nside)
    integrals, _ = bin_integrals(tuple(edges), lmax)
    modes = (2.0 * np.arange(lmax + 1) + 1.0) / (4.0 * np.pi)
    response = modes * integrals / integrals[:, :1] * pixel_window(sky.nside, lmax) ** 2
    return match_measurement(sky, edges, target.w, target.error, measure, response, **options)


def match_measurement(
    sky: Field,
    edges: np.ndarray,
    target: np.ndarray,
    error: np.ndarray,
    measure: Callable[[Field], np.ndarray],
    response: np.ndarray,
    *,
    start: np.ndarray | None = None,
    n_iterations: int = 4,
    n_fields: int = 64,
    n_validation: int = 64,
    seed: int = 0,
) -> MatchedSpectrum:
    r"""Match simulated fields to any two-point measurement.

    Parameters
    ----------
    sky : Field
        Sample whose footprint and expected counts the fields have.
    edges : ndarray, shape (n_bins + 1,)
        Edges of the bins, carried along.
    target, error : ndarray, shape (n_bins,)
        Measurement and its standard deviation; NaN errors stand for none.
    measure : callable
        From a field to the same statistic, shape (n_bins,); NaN in bins that it cannot measure.
    response : ndarray, shape (n_bins, 3 nside)
        Derivative of the statistic with respect to the spectrum of the field without a pixel window, roughly:
        it directs the steps and does not bias the result.
    start : ndarray, shape (3 nside,), optional
        First guess of that spectrum [sr]; by default that of the LS10 galaxies, scaled to the measurement.
    n_iterations, n_fields, n_validation : int
        Iterations, fields that all of them share, and fields of other seeds for the ratio.
    seed : int
        Fixes all fields.

    Returns
    -------
    MatchedSpectrum
        With the ratio of validation fields to the measurement, bin by bin.

    Raises
    ------
    DataError
        When no bin can be used, shapes differ, or the spectrum is not that of a lognormal field.
    ParameterError
        When there are too few fields or iterations.

    Notes
    -----
    The noise of the measurement is matched too, where a smooth spectrum can follow it: see ``pull`` beside ``ratio``.
    Multipoles that the measurement does not constrain keep the shape of ``start``.
    """
    if n_iterations < 1 or n_fields < 2 or n_validation < 2:
        msg = f"n_iterations is {n_iterations}, n_fields {n_fields}, n_validation {n_validation}: give 1, 2, 2 or more"
        raise ParameterError(msg)
    _check_sky(sky)
    target, error = np.asarray(target, float), np.asarray(error, float)
    cl, window = _checked_start(start, sky, target), pixel_window(sky.nside, default_lmax(sky.nside)) ** 2
    of_fields, of_validation = np.random.SeedSequence(seed).spawn(2)

    def simulate(seeds, number):
        # the same seeds in every iteration: what is left to change is the spectrum
        children = np.random.SeedSequence(seeds.entropy, spawn_key=seeds.spawn_key)
        fields = null_realisations(sky, cl * window, number, seed=children)
        return np.array([measure(field) for field in fields])

    used = np.isfinite(target) & np.isfinite(response).all(1) & (target != 0)
    scale = np.maximum(np.nan_to_num(error), FLOOR * np.abs(target))
    history = []
    for i in range(n_iterations):
        if i == 0:
            used, cl = _first(used, target, scale, response, cl, start is None)
        mean = simulate(of_fields, n_fields).mean(0)
        used &= np.isfinite(mean)
        if not used.any():
            msg = f"none of {len(target)} bins can be measured on these pixels: give wider bins, or a finer resolution"
            raise DataError(msg)
        history.append(np.sqrt(np.mean(((mean - target)[used] / scale[used]) ** 2)))
        cl = cl * np.exp(_step((target - mean)[used] / scale[used], response[used] / scale[used, None], cl))
    checked = simulate(of_validation, n_validation)
    ratio = np.where(used, checked / target, np.nan)
    return MatchedSpectrum(
        cl=cl * window,
        field=cl,
        clipped=gaussian_spectrum(cl * window)[1],
        edges=np.asarray(edges),
        used=used,
        ratio=ratio.mean(0),
        ratio_error=ratio.std(0, ddof=1) / np.sqrt(n_validation),
        pull=np.where(used, (checked.mean(0) - target) / scale, np.nan),
        history=np.array(history),
        n_validation=n_validation,
    )


def _check_sky(sky: Field) -> None:
    if sky.nside is None or not np.all(np.isfinite(sky.expected)):
        msg = "the sample has no pixels or no expected counts: give a Field with both"
        raise DataError(msg)


def _checked_start(start, sky: Field, target: np.ndarray) -> np.ndarray:
    if target.ndim != 1:
        msg = f"the measurement has shape {target.shape}: give one value per bin"
        raise DataError(msg)
    lmax = default_lmax(sky.nside)
    cl = shape_spectrum(lmax) if start is None else np.array(start, float)
    if cl.shape != (lmax + 1,) or not np.all(np.isfinite(cl)) or np.any(cl[1:] <= 0) or cl[0] != 0:
        msg = f"start has shape {cl.shape}, or is not positive beyond a zero monopole: give ({lmax + 1},)"
        raise DataError(msg)
    return cl


def _first(used, target, scale, response, cl, free):
    """Bins with a value, and the start scaled to them."""
    if not used.any():
        msg = f"none of {len(target)} bins holds a measured value: give bins with pairs, or bands with power"
        raise DataError(msg)
    if not free:
        return used, cl
    model = response[used] @ cl
    weight = model / scale[used] ** 2
    return used, cl * max((weight @ target[used]) / (weight @ model), 1e-3)


def _step(residual: np.ndarray, response: np.ndarray, cl: np.ndarray) -> np.ndarray:
    """Change of ln C_l of every multipole: least squares on nodes, pulled towards a smooth and small one."""
    ell = np.arange(1, len(cl))
    n_nodes = min(N_NODES, len(residual) + 2)
    nodes = np.linspace(0.0, np.log(ell[-1]), n_nodes)
    hats = np.array([np.interp(np.log(ell), nodes, one) for one in np.eye(n_nodes)])
    slopes = (response[:, 1:] * cl[1:]) @ hats.T
    bend = np.diff(np.eye(n_nodes), 2, axis=0) / STIFFNESS
    matrix = slopes.T @ slopes + bend.T @ bend + np.eye(n_nodes) * _RIDGE
    move = np.linalg.solve(matrix, slopes.T @ residual)
    return np.concatenate([[0.0], np.clip(move, -MAX_STEP, MAX_STEP) @ hats])
