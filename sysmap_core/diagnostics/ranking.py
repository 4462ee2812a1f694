r"""Which templates matter, and which pixels: tests with errors of a clustered sky.

Every statistic is a sum :math:`\sum_p w_p d_p` over pixels, so its covariance without further
contamination follows from the spectrum of the sample, without a simulation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..covariance import checked_spectrum, sum_covariance
from ..errors import DataError, ParameterError
from ..sky import Field
from ..templates import DEGENERATE, TemplateSet, dual_maps
from .amplitude_tests import NullTest, null_test
from .p_values import SIGNIFICANCE


def rank_templates(field: Field, templates: TemplateSet, *, spectrum=None, seed: int = 0) -> NullTest:
    """Order templates by the significance of each on its own.

    Parameters
    ----------
    field : Field
        Observed overdensity.
    templates : TemplateSet
        Templates on the same pixels.
    spectrum : ndarray, shape (3 nside,), or SpectrumEstimate, optional
        Signal spectrum of the pixel averages [sr]; estimated from the field by default.
    seed : int
        Fixes the draws behind the family-wise probability.

    Returns
    -------
    NullTest
        Amplitudes of fits of one template each, the most significant first.

    Raises
    ------
    DataError
        When the inputs are not of the same pixels.
    """
    spectrum = checked_spectrum(field, templates, spectrum)
    test = _Sums.of(field, templates, spectrum).partial([], seed)
    return _pick(test, np.argsort(-np.abs(test.z), kind="stable"))


@dataclass(frozen=True)
class Selection:
    """Templates that a field needs.

    Parameters
    ----------
    chosen : NullTest
        Selected templates in the order of selection, each tested beside those before it.
    remaining : NullTest
        All others beside the selected ones, without those that these determine.
    """

    chosen: NullTest
    remaining: NullTest


def forward_selection(
    field: Field, templates: TemplateSet, *, spectrum=None, threshold: float = SIGNIFICANCE, seed: int = 0
) -> Selection:
    """Select templates one after the other, as long as the best of the rest is significant.

    Parameters
    ----------
    field, templates, spectrum, seed
        As in :func:`rank_templates`.
    threshold : float
        Largest family-wise p, among the templates that remain, of one that is selected.

    Returns
    -------
    Selection
        What was selected, and what was not.

    Raises
    ------
    DataError, ParameterError
        When the inputs do not match, or the threshold is no probability.

    Notes
    -----
    Needs the products of the templates with each other and with the map, not the pixels again.
    """
    if not 0.0 < threshold < 1.0:
        msg = f"threshold is {threshold!r}: give a probability between 0 and 1, such as {SIGNIFICANCE}"
        raise ParameterError(msg)
    sums, chosen, steps = _Sums.of(field, templates, checked_spectrum(field, templates, spectrum)), [], []
    while True:
        remaining = sums.partial(chosen, seed)
        best = int(np.argmax(np.abs(remaining.z))) if remaining.names else -1
        if best < 0 or remaining.family_p[best] > threshold:
            break
        steps.append(_pick(remaining, [best]))
        chosen.append(templates.names.index(remaining.names[best]))
    names = tuple(name for step in steps for name in step.names)
    columns = ("values", "errors", "p", "family_p")
    chosen = NullTest(names, *(np.array([getattr(step, c)[0] for step in steps]) for c in columns))
    return Selection(chosen, remaining)


@dataclass(frozen=True)
class FootprintCuts:
    """Amplitudes without the extreme pixels of their templates.

    Parameters
    ----------
    fractions : ndarray, shape (n_fractions,)
        Fractions of the pixels that are cut.
    amplitudes : NullTest
        Amplitude of every template in the joint fit without its own extreme pixels, shape
        (n_sys, n_fractions).
    shifts : NullTest
        The same less the amplitude on the whole footprint: zero for linear contamination.
    """

    fractions: np.ndarray
    amplitudes: NullTest
    shifts: NullTest


def footprint_cuts(
    field: Field, templates: TemplateSet, fractions: Sequence[float] = (0.02, 0.05, 0.1), *, spectrum=None, seed=0
) -> FootprintCuts:
    """Refit after cutting the pixels where a template is farthest from its mean.

    Parameters
    ----------
    field, templates, spectrum, seed
        As in :func:`rank_templates`.
    fractions : sequence of float
        Fractions of the pixels to cut.

    Returns
    -------
    FootprintCuts
        Amplitudes and shifts; templates keep the scale of the whole footprint.

    Raises
    ------
    DataError, ParameterError
        When a fraction is not between 0 and 1, or a template is constant without its extremes.
    """
    spectrum, fractions = checked_spectrum(field, templates, spectrum), np.asarray(fractions, float)
    if not np.all((fractions > 0.0) & (fractions < 1.0)):
        msg = f"fractions are {fractions.tolist()}: give numbers between 0 and 1"
        raise ParameterError(msg)
    # the mean density is fitted with the amplitudes, as what is left has its own
    constant, dual = np.ones((1, field.n_pix)), dual_maps(templates)
    rows = np.array([[cut_map(templates.values, i, f, constant) for f in fractions] for i in range(templates.n_sys)])

    def test(rows):
        flat = rows.reshape(-1, field.n_pix)
        return null_test(templates.names, rows @ field.delta, sum_covariance(flat, field, spectrum), seed)

    return FootprintCuts(fractions, test(rows), test(rows - dual[:, None]))


@dataclass(frozen=True)
class Leverage:
    """How much single pixels decide about a linear fit.

    Parameters
    ----------
    values : ndarray, shape (n_pix,)
        Leverage h_p, the derivative of the fitted contamination in a pixel by its overdensity.
    mean : float
        Mean of ``values``, the number of templates over the number of pixels.
    mask : ndarray of bool, shape (n_pix,)
        Pixels above the chosen multiple of the mean.
    """

    values: np.ndarray
    mean: float
    mask: np.ndarray


def leverage(templates: TemplateSet, multiple: float = 10.0) -> Leverage:
    """Leverage h_p = t_p^t (T T^t)^-1 t_p of every pixel on the linear fit.

    Parameters
    ----------
    templates : TemplateSet
        Templates.
    multiple : float
        Pixels above this multiple of the mean are in the mask.

    Returns
    -------
    Leverage
        Of all pixels.

    Raises
    ------
    DataError
        When templates are degenerate.
    """
    values = np.sum(templates.values * dual_maps(templates), axis=0)
    mean = float(values.mean())
    return Leverage(values, mean, values > multiple * mean)


def cut_map(values: np.ndarray, i: int, fraction: float, fixed: np.ndarray) -> np.ndarray:
    """Map whose sum with the overdensity is an amplitude of a fit without some extreme pixels.

    Parameters
    ----------
    values : ndarray, shape (n_sys, n_pix)
        Templates of the fit.
    i, fraction : int and float
        Template whose amplitude is wanted, and fraction of the pixels, those farthest from its
        mean, to cut.
    fixed : ndarray, shape (n_fixed, n_pix)
        Maps that are fitted beside the templates.

    Returns
    -------
    ndarray, shape (n_pix,)
        Zero where pixels are cut.

    Raises
    ------
    DataError
        When templates are constant or degenerate without these pixels.
    """
    n_pix = values.shape[1]
    distance = np.abs(values[i] - values[i].mean())
    kept = np.argsort(distance, kind="stable")[: n_pix - round(fraction * n_pix)]
    design = np.vstack([values, fixed])[:, kept]
    gram = design @ design.T
    if len(kept) <= len(design) or np.linalg.cond(gram) > DEGENERATE**-2:
        msg = f"without {fraction:g} of the pixels templates are constant or degenerate: take smaller fractions"
        raise DataError(msg)
    row = np.zeros(n_pix)
    row[kept] = np.linalg.solve(gram, design)[i]
    return row


@dataclass(frozen=True)
class _Sums:
    """Products of templates with the map and with each other, and the covariance of the former."""

    names: tuple[str, ...]
    products: np.ndarray
    gram: np.ndarray
    cov: np.ndarray

    @classmethod
    def of(cls, field: Field, templates: TemplateSet, spectrum: np.ndarray) -> _Sums:
        values = templates.values
        return cls(templates.names, values @ field.delta, values @ values.T, sum_covariance(values, field, spectrum))

    def partial(self, chosen: list[int], seed: int) -> NullTest:
        """Test every other template beside the chosen ones, by what these do not have of it."""
        beyond = np.eye(len(self.names))
        beyond[:, chosen] -= self.gram[:, chosen] @ np.linalg.inv(self.gram[np.ix_(chosen, chosen)])
        power = np.sum(beyond @ self.gram * beyond, axis=1)
        # nothing is left of the chosen ones, nor of what they determine
        rest = np.flatnonzero(power > DEGENERATE * np.diag(self.gram))
        beyond = beyond[rest] / power[rest, None]
        names = [self.names[i] for i in rest]
        return null_test(names, beyond @ self.products, beyond @ self.cov @ beyond.T, seed)


def _pick(test: NullTest, order) -> NullTest:
    columns = (getattr(test, c)[order] for c in ("values", "errors", "p", "family_p"))
    return NullTest(tuple(test.names[i] for i in order), *columns)
