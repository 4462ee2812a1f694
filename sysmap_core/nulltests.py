"""Tests of what a fit has not forced to zero: templates, patches and squares that it has not seen.

All errors are those of a clustered sky.  Cleaned maps enter only along directions that are
orthogonal to the fitted templates: there the error of that fit does not count, to first order.
Ranking, selection and cuts of :mod:`sysmap_core.ranking` can be imported from here as well.
"""

from __future__ import annotations

from dataclasses import dataclass

import healpy as hp
import numpy as np

from .covariance import spatial_patches
from .decontamination import decontaminate
from .errors import DataError, ParameterError, unknown_name
from .maximum import DEGENERATE
from .methods import find_method
from .ranking import (
    FootprintCuts,
    Leverage,
    NullTest,
    Selection,
    checked_spectrum,
    cut_map,
    dual_maps,
    footprint_cuts,
    forward_selection,
    leverage,
    null_test,
    rank_templates,
    sum_covariance,
)
from .resampling import KINDS
from .significance import NULL_DRAWS
from .sky import Field
from .spectra import variance
from .templates import TemplateSet

__all__ = [
    "FootprintCuts",
    "Leverage",
    "NullTest",
    "PatchGain",
    "Selection",
    "footprint_cuts",
    "footprint_mask_diagnostics",
    "forward_selection",
    "held_out_patches",
    "held_out_templates",
    "leverage",
    "null_test_cross_correlations",
    "rank_templates",
    "snr_template_ranking",
    "squares",
]

STRETCHES = 32
"""Runs of neighbouring pixels that stand in for patches where positions are not known."""


def held_out_templates(
    field: Field, templates: TemplateSet, *, result_method: str = "OLS", spectrum=None, seed: int = 0
) -> NullTest:
    """Regress the map that was cleaned with all other templates on each template in turn.

    Parameters
    ----------
    field : Field
        Observed overdensity.
    templates : TemplateSet
        Templates on the same pixels.
    result_method : str
        Row of :data:`~sysmap_core.methods.METHODS` that cleans the map.
    spectrum : ndarray, shape (3 nside,), optional
        Signal spectrum of the pixel averages [sr]; estimated from the field by default.
    seed : int
        Fixes the draws.

    Returns
    -------
    NullTest
        One row per template, in their order.

    Raises
    ------
    DataError, ParameterError
        When the inputs do not match, templates are degenerate, or the method is not known.

    Notes
    -----
    The regression is on the part of the template that the others do not have, a partial regression:
    for linear methods the slope is the amplitude of the joint fit, and its error counts that fit.
    """
    spectrum = checked_spectrum(field, templates, spectrum)
    rows = dual_maps(templates)
    if KINDS.get(find_method(result_method).name) == "linear" or templates.n_sys == 1:
        return null_test(templates.names, rows @ field.delta, sum_covariance(rows, field, spectrum), seed)
    # only the cleaned map is wanted, not the errors of the amplitudes
    options = {"spectrum": spectrum, "covariance": "independent pixels", "seed": seed}
    cleaned = (decontaminate(field, _without(templates, i), result_method, **options).cleaned for i in range(len(rows)))
    values = [row @ one for row, one in zip(rows, cleaned, strict=True)]
    return null_test(templates.names, np.array(values), sum_covariance(rows, field, spectrum), seed)


@dataclass(frozen=True)
class PatchGain:
    """What a fit predicts in parts of the sky that it has not seen.

    Parameters
    ----------
    names : tuple of str
        Templates of the fit.
    gains : ndarray, shape (n_folds,)
        Reduction of the weighted squared residual in every fold, over the number of all pixels:
        a fraction of the variance without contamination.
    gain, error : float
        Their sum, and its error from their scatter, as if folds were independent.
    expected, scatter : float
        Mean and standard deviation of the sum without contamination, on the clustered sky.
    p : float
        Probability of a larger sum without contamination.
    """

    names: tuple[str, ...]
    gains: np.ndarray
    gain: float
    error: float
    expected: float
    scatter: float
    p: float

    @property
    def z(self) -> float:
        """Distance of the gain from its expectation, over its scatter, without contamination."""
        return (self.gain - self.expected) / self.scatter


def held_out_patches(
    field: Field, templates: TemplateSet, *, n_folds: int = 10, spectrum=None, seed: int = 0
) -> PatchGain:
    r"""Cross-validate the linear fit over compact parts of the sky.

    Parameters
    ----------
    field, templates, spectrum, seed
        As in :func:`held_out_templates`.
    n_folds : int
        Compact patches, each predicted from the fit to all others.

    Returns
    -------
    PatchGain
        Negative gains are usual without contamination, as the fit then adds noise.

    Raises
    ------
    DataError, ParameterError
        When the inputs do not match, or there are fewer than two folds.

    Notes
    -----
    Weights are the inverse variances of the pixels.  With :math:`c_k = \sum_{p \in k} w t d` and
    :math:`S_k = \sum_{p \in k} w t t^t` the gain is :math:`\sum_k 2 a_k^t c_k - a_k^t S_k a_k`, where
    :math:`a_k` solves the sums of the other folds: a quadratic form in all c, whose null follows
    from their covariance as a weighted sum of :math:`\chi^2_1`.
    """
    spectrum = checked_spectrum(field, templates, spectrum)
    if n_folds < 2:
        msg = f"n_folds is {n_folds}: give at least 2"
        raise ParameterError(msg)
    inside = spatial_patches(field.pixels, field.nside, n_folds) == np.arange(n_folds)[:, None]
    weights = 1.0 / (variance(spectrum) + 1.0 / field.expected)
    rows = np.einsum("kp,ip->kip", inside * weights, templates.values).reshape(-1, field.n_pix)
    forms = _gain_forms((rows @ templates.values.T).reshape(n_folds, templates.n_sys, -1))
    sums = rows @ field.delta
    gains = np.einsum("i,kij,j->k", sums, forms, sums) / field.n_pix
    cov = sum_covariance(rows, field, spectrum)
    product = forms.sum(0) @ cov / field.n_pix
    expected, scatter = np.trace(product), np.sqrt(2.0 * np.trace(product @ product))
    draws = np.random.default_rng(seed).chisquare(1, (NULL_DRAWS // 10, len(cov))) @ np.linalg.eigvals(product).real
    p = (1.0 + np.sum(draws >= gains.sum())) / (1.0 + len(draws))
    error = np.sqrt(n_folds) * gains.std(ddof=1)
    return PatchGain(templates.names, gains, gains.sum(), float(error), float(expected), float(scatter), float(p))


def squares(
    field: Field, templates: TemplateSet, cleaned: np.ndarray | None = None, *, spectrum=None, seed: int = 0
) -> NullTest:
    """Regress a cleaned map on the squares of the templates: is the contamination linear in them?

    Parameters
    ----------
    field, templates, spectrum, seed
        As in :func:`held_out_templates`.
    cleaned : ndarray, shape (n_pix,), optional
        Overdensity without the fitted contamination, of any method; of the linear fit by default.

    Returns
    -------
    NullTest
        Slopes per rms of what a square has beyond a constant and the templates.  Templates of two
        values have no such part and are left out.

    Raises
    ------
    DataError
        When the inputs do not match, or no template has more than two values.
    """
    spectrum = checked_spectrum(field, templates, spectrum)
    cleaned = field.delta if cleaned is None else np.asarray(cleaned, float)
    if cleaned.shape != field.delta.shape:
        msg = f"cleaned has shape {cleaned.shape} for {field.n_pix} pixels: give the cleaned map on the footprint"
        raise DataError(msg)
    squared = templates.values**2 - 1.0
    rest = squared - (squared @ templates.values.T) @ dual_maps(templates)
    rms = rest.std(1)
    kept = np.flatnonzero(rms > np.sqrt(DEGENERATE) * squared.std(1))
    if not kept.size:
        msg = "every template has two values only: their squares hold nothing beyond the templates"
        raise DataError(msg)
    rows = rest[kept] / rms[kept, None] / field.n_pix
    names = tuple(templates.names[i] for i in kept)
    return null_test(names, rows @ cleaned, sum_covariance(rows, field, spectrum), seed)


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
        raise unknown_name("method", method, RANKINGS)
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


def _without(templates: TemplateSet, i: int) -> TemplateSet:
    values, mean, rms = (np.delete(x, i, axis=0) for x in (templates.values, templates.mean, templates.rms))
    names = templates.names[:i] + templates.names[i + 1 :]
    return TemplateSet(values, names, templates.pixels, templates.nside, mean, rms)


def _gain_forms(grams: np.ndarray) -> np.ndarray:
    """Gain of every fold as a quadratic form in the sums c of all, from the sums S of the folds."""
    n_folds, n_sys, _ = grams.shape
    own = np.eye(n_folds * n_sys).reshape(n_folds, n_sys, -1)
    forms = []
    for gram, select in zip(grams, own, strict=True):
        others = grams.sum(0) - gram
        if np.linalg.cond(others) > DEGENERATE**-2:
            msg = "templates are degenerate without one of the folds: take more folds, or leave a template out"
            raise DataError(msg)
        fit = np.linalg.solve(others, own.sum(0) - select)
        crossed = fit.T @ select
        forms.append(crossed + crossed.T - fit.T @ gram @ fit)
    return np.array(forms)
