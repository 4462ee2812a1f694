"""Tests of templates, over plain arrays."""

from __future__ import annotations

import healpy as hp
import numpy as np

from ..diagnostics import cut_map
from ..errors import DataError, ParameterError

STRETCHES = 32
"""Runs of neighbouring pixels that stand in for patches where positions are not known."""


def null_test_cross_correlations(
    weights: np.ndarray, delta_t: np.ndarray, n_bootstrap: int = 100, seed: int = 0
) -> dict[str, np.ndarray]:
    """Correlate weights with templates, from arrays without positions.

    Parameters
    ----------
    weights : ndarray, shape (n_pix,)
        Weights, or any map to be tested.
    delta_t : ndarray, shape (n_sys, n_pix)
        Templates.
    n_bootstrap, seed : int
        Realisations of the null, and what fixes them.

    Returns
    -------
    dict
        ``correlations``, Pearson's coefficients, and ``p_values``, both of shape (n_sys,).

    Raises
    ------
    DataError
        When shapes differ.

    Notes
    -----
    The null shifts the weights cyclically along the order of the pixels, which keeps neighbours
    together.  Shuffling single pixels would take every pixel for independent; shifts still know
    nothing about neighbours across rings.  With positions, use :func:`held_out_templates`.
    """
    weights, values = _centred(weights, delta_t)
    norms = np.sqrt(np.sum(weights**2) * np.sum(values**2, axis=1))
    scale = np.divide(1.0, norms, out=np.zeros_like(norms), where=norms > 0.0)
    correlations = values @ weights * scale
    shifts = np.random.default_rng(seed).integers(1, len(weights), n_bootstrap)
    null = np.array([values @ np.roll(weights, shift) * scale for shift in shifts])
    p = (1.0 + np.sum(np.abs(null) >= np.abs(correlations), axis=0)) / (1.0 + n_bootstrap)
    return {"correlations": correlations, "p_values": p}


def snr_template_ranking(delta_g_obs: np.ndarray, delta_t: np.ndarray, *, method: str = "template") -> np.ndarray:
    """Signal-to-noise ratio of every template, from arrays without positions.

    Parameters
    ----------
    delta_g_obs : ndarray, shape (n_pix,)
        Observed overdensity [1].
    delta_t : ndarray, shape (n_sys, n_pix)
        Templates.
    method : {"template", "data", "peak"}
        Amplitude of a fit of one template over its error; absolute correlation with the map; or
        the largest multipole of the cross spectrum of full-sky maps over its Gaussian error.

    Returns
    -------
    ndarray, shape (n_sys,)
        Not negative, in the order of the templates.

    Raises
    ------
    DataError
        When shapes differ, or ``"peak"`` is asked for and the maps are not of the full sky.
    ParameterError
        For an unknown method.

    Notes
    -----
    The error of ``"template"`` adds up the residuals of runs of neighbouring pixels before it
    squares them: for pixels along a ring it sees a part of the clustering, where independent
    pixels see none.  It is not calibrated; :func:`rank_templates` is.
    """
    if method not in RANKINGS:
        msg = f"method must be {' or '.join(map(repr, RANKINGS))}, got {method!r}; for 'isd' take binned_regression"
        raise ParameterError(msg)
    delta, values = _centred(delta_g_obs, delta_t)
    return RANKINGS[method](delta, values)


def footprint_mask_diagnostics(
    delta_g_obs: np.ndarray, delta_t: np.ndarray, mask_fractions: np.ndarray, good_pixels: np.ndarray
) -> dict[str, np.ndarray]:
    """Amplitudes without the extreme pixels of each template, from arrays without positions.

    Parameters
    ----------
    delta_g_obs, delta_t : ndarray, shapes (n_pix,) and (n_sys, n_pix)
        Observed overdensity and templates, on the footprint or with ``good_pixels`` choosing it.
    mask_fractions : ndarray, shape (n_fractions,)
        Fractions of the footprint to cut, zero for none.
    good_pixels : ndarray of bool
        Footprint.

    Returns
    -------
    dict
        ``alpha_hat``, shape (n_fractions, n_sys), the amplitude of every template in the joint fit
        without its own extremes, and ``scatter``, shape (n_sys,), its standard deviation over the
        fractions, which has no error here: see :func:`footprint_cuts` for one.

    Raises
    ------
    DataError
        When shapes differ, or a cut leaves constant templates.
    """
    delta, values, good = np.asarray(delta_g_obs, float), np.asarray(delta_t, float), np.asarray(good_pixels)
    if good.dtype == bool and good.shape == delta.shape:
        delta, values = delta[good], values[:, good]
    _centred(delta, values)
    nothing = np.zeros((0, len(delta)))
    alpha = [[cut_map(values, i, f, nothing) @ delta for i in range(len(values))] for f in mask_fractions]
    return {"alpha_hat": np.array(alpha), "scatter": np.std(alpha, axis=0)}


def _centred(delta, values) -> tuple[np.ndarray, np.ndarray]:
    delta, values = np.asarray(delta, float), np.asarray(values, float)
    if delta.ndim != 1 or values.ndim != 2 or values.shape[1] != len(delta):
        msg = f"the map has shape {delta.shape} and the templates {values.shape}: give (n_pix,) and (n_sys, n_pix)"
        raise DataError(msg)
    return delta - delta.mean(), values - values.mean(1, keepdims=True)


def _snr_template(delta, values):
    power = np.sum(values**2, axis=1)
    a = values @ delta / power
    residual = values * (delta - a[:, None] * values)
    runs = np.add.reduceat(residual, np.arange(0, len(delta), -(-len(delta) // STRETCHES)), axis=1)
    errors = np.sqrt(np.sum(runs**2, axis=1)) / power
    return np.divide(np.abs(a), errors, out=np.zeros_like(a), where=errors > 0.0)


def _snr_data(delta, values):
    norms = np.sqrt(np.sum(delta**2) * np.sum(values**2, axis=1))
    return np.divide(np.abs(values @ delta), norms, out=np.zeros_like(norms), where=norms > 0.0)


def _snr_peak(delta, values):
    if not hp.isnpixok(len(delta)):
        msg = f"maps have {len(delta)} pixels: method 'peak' needs full-sky maps, 12 nside^2 pixels"
        raise DataError(msg)
    own, *others = (hp.map2alm(m, iter=0) for m in (delta, *values))
    ell, auto = np.arange(len(hp.alm2cl(own))), hp.alm2cl(own)
    ratios = []
    for alm in others:
        cross = hp.alm2cl(own, alm)
        error = np.sqrt((auto * hp.alm2cl(alm) + cross**2) / (2.0 * ell + 1.0))
        ratios.append(np.max(np.abs(cross[2:]) / np.maximum(error[2:], np.finfo(float).tiny)))
    return np.array(ratios)


RANKINGS = {"template": _snr_template, "data": _snr_data, "peak": _snr_peak}
"""Statistics of :func:`snr_template_ranking`."""
