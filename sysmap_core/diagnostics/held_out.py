"""Tests of what a fit has not forced to zero: templates, patches and squares that it has not seen.

All errors are those of a clustered sky.  Cleaned maps enter only along directions that are
orthogonal to the fitted templates: there the error of that fit does not count, to first order.
Ranking, selection and cuts of :mod:`sysmap_core.diagnostics.ranking` can be imported from here as well.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..covariance import checked_spectrum, pixel_variance, sum_covariance
from ..errors import DataError, ParameterError
from ..methods import decontaminate, find_method
from ..sky import Field, spatial_patches
from ..templates import DEGENERATE, TemplateSet, dual_maps
from .amplitude_tests import NullTest, null_test
from .p_values import NULL_DRAWS


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
        Row of :data:`~.METHODS` that cleans the map.
    spectrum : ndarray, shape (3 nside,), or SpectrumEstimate, optional
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
    if find_method(result_method).resampled == "linear" or templates.n_sys == 1:
        return null_test(templates.names, rows @ field.delta, sum_covariance(rows, field, spectrum), seed)
    # only the cleaned map of the fit itself is wanted, not the errors of the amplitudes
    options = {"spectrum": spectrum, "covariance": "independent pixels", "shrinkage": "none", "seed": seed}
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
    weights = 1.0 / (pixel_variance(spectrum) + field.noise.variance())
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


def _without(templates: TemplateSet, i: int) -> TemplateSet:
    values, mean, rms = (np.delete(x, i, axis=0) for x in (templates.values, templates.mean, templates.rms))
    names = templates.names[:i] + templates.names[i + 1 :]
    return TemplateSet(values, names, templates.footprint, mean, rms)


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
