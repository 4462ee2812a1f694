r"""Iterative decontamination: the mean galaxy density as a curve of every template.

Both families fit :math:`1 + d = F(t)\,(1 + \delta)` and weight galaxies by 1/F.  The joint one
fits polynomials of all templates at once, re-weighted until they agree with their own weights.
The binned one corrects the most significant template, weights, and looks again (Elvin-Poole et
al. 2018, arXiv:1708.01536; Rodriguez-Monroy et al. 2022, arXiv:2105.13540).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import chi2

from ..errors import DataError, ParameterError
from ..mocks import PixelField, clustered_counts
from ..sky import Field
from ..templates import TemplateSet
from .density_curves import MIN_TAIL, Polynomials, TemplateBins, populated_range, reweighted_fit

MAX_WEIGHT = 20.0
"""Largest weight 1/F of a galaxy."""

ORDERS, N_BINS, N_MOCKS = (1, 3), 10, 100

NULL_SHARE = 0.68
"""Share of the null realisations below the level that Delta chi2 is compared with."""

TOLERANCE, MAX_FITS, MAX_CORRECTIONS = 1e-6, 50, 200

_N_GRID, _BATCH, _MIN_FACTOR = 101, 8, 1e-3


@dataclass(frozen=True)
class CorrectedTemplate:
    """One step of the binned form.

    Parameters
    ----------
    template : str
        The most significant one of this step.
    delta_chi2, ratio : float
        Its Delta chi2 against a constant, and that over the level of the null.
    """

    template: str
    delta_chi2: float
    ratio: float


@dataclass(frozen=True)
class Curves:
    """Mean density as a function of the templates.

    Parameters
    ----------
    curve : ndarray, shape (n_pix,)
        Selection F of every pixel, at least 1 / :data:`MAX_WEIGHT` [1].
    a : ndarray, shape (n_sys,)
        Projection <F_i t_i> / <t_i^2> of the curve of each template, per rms of the template.
    names : tuple of str, length n_sys
        Templates.
    grid, values : ndarray, shape (n_sys, n_grid)
        Curve of each template: standardised template values, and F_i there [1]; constant beyond.
    order : int
        Of the polynomials.
    n_capped : int
        Pixels whose weight would be larger than :data:`MAX_WEIGHT`.
    iterations : int
        Fits of the joint form, corrections of the binned one.
    status : str
        ``"converged"``, or why not.
    corrected : tuple of CorrectedTemplate
        Binned form: what was corrected, in order.
    before, after : ndarray, shape (n_sys,), optional
        Binned form: Delta chi2 over the level of the null, without and with the corrections.
    calibrated : bool, optional
        Binned form: whether that level comes from realisations of the clustered sky.
    threshold, n_bins : float and int, optional
        Binned form: ratio below which a template is left alone, and bins per template.
    """

    curve: np.ndarray
    a: np.ndarray
    names: tuple[str, ...]
    grid: np.ndarray
    values: np.ndarray
    order: int
    n_capped: int
    iterations: int
    status: str
    corrected: tuple[CorrectedTemplate, ...] = ()
    before: np.ndarray | None = None
    after: np.ndarray | None = None
    calibrated: bool | None = None
    threshold: float | None = None
    n_bins: int | None = None

    @property
    def weights(self) -> np.ndarray:
        """Weight 1/F of the galaxies of every pixel, shape (n_pix,)."""
        return 1.0 / self.curve

    def at(self, template: int, t: np.ndarray) -> np.ndarray:
        """Curve F_i of one template, by its index, at standardised template values ``t``."""
        return np.interp(t, self.grid[template], self.values[template])


@dataclass(frozen=True)
class Nulls:
    """Delta chi2 of contamination-free realisations.

    Parameters
    ----------
    delta_chi2 : dict of int to ndarray, shape (n_mocks, n_sys)
        By the order of the polynomial.
    names : tuple of str, length n_sys
        Templates.
    n_bins : int
        Bins per template.
    """

    delta_chi2: dict[int, np.ndarray]
    names: tuple[str, ...]
    n_bins: int

    def level(self, order: int) -> np.ndarray:
        """Value that :data:`NULL_SHARE` of the realisations stay below, shape (n_sys,)."""
        return np.quantile(self.delta_chi2[order], NULL_SHARE, axis=0)


def iterative_regression(
    field: Field, templates: TemplateSet, *, order: int = 1, tolerance: float = TOLERANCE, max_fits: int = MAX_FITS
) -> Curves:
    r"""Fit curves of all templates together, by re-weighted least squares.

    Parameters
    ----------
    field : Field
        Observed overdensity.
    templates : TemplateSet
        Templates on the same pixels.
    order : {1, 3}
        Of the polynomial of each template.
    tolerance : float
        rms change of F over the pixels at which the iteration ends [1].
    max_fits : int
        Fits at most.

    Returns
    -------
    Curves
        With :math:`F = 1 + \sum_i (F_i - 1)`, of mean one over the pixels before the cap.

    Raises
    ------
    ParameterError
        For another order, or no fit.
    DataError
        When there are too few pixels.

    Notes
    -----
    Pixels weigh by the inverse variance :math:`\sigma^2 F^2 + F / \bar n` that the model gives them.  Each
    polynomial ends where its template has few pixels: tails of +26 rms would rule the fit.
    """
    _check_order(order)
    n_sys, n_pix = templates.values.shape
    if max_fits < 1:
        msg = f"max_fits is {max_fits}: give 1 or more, e.g. {MAX_FITS}"
        raise ParameterError(msg)
    if n_pix <= 4 * max(n_sys * order, MIN_TAIL):
        msg = f"{n_pix} pixels are too few for {n_sys} curves of order {order}: take a finer nside or fewer templates"
        raise DataError(msg)
    bases = [Polynomials.on(t, *populated_range(t), order) for t in templates.values]
    terms = np.array([base(t)[1:] for base, t in zip(bases, templates.values, strict=True)])
    design = np.vstack([np.ones((1, n_pix)), terms.reshape(-1, n_pix)])
    curve, mix, change = np.ones(n_pix), 1.0, np.inf
    for fits in range(1, max_fits + 1):  # noqa: B007  (reported)
        coefficients = reweighted_fit(design, field, curve)
        step = np.maximum(coefficients @ design, 1.0 / MAX_WEIGHT) - curve
        last, change = change, float(np.sqrt(np.mean(step**2)))
        if change < tolerance:
            break
        # where F is nearly zero the weights may go back and forth: take less of the step
        mix = mix if change < last else max(0.5 * mix, 0.1)
        curve = curve + mix * step
    late = f"not converged: F still changes by {change:.1e} (rms) after {max_fits} fits"
    parts = coefficients[1:].reshape(n_sys, order)
    grid = np.array([np.linspace(base.low, base.high, _N_GRID) for base in bases])
    return Curves(
        **_selection(templates, coefficients @ design, 1.0 + np.einsum("ik,ikp->ip", parts, terms)),
        grid=grid,
        values=np.array([1.0 + c @ base(x)[1:] for c, base, x in zip(parts, bases, grid, strict=True)]),
        order=order,
        iterations=fits,
        status="converged" if change < tolerance else late,
    )


def binned_regression(
    field: Field,
    templates: TemplateSet,
    *,
    order: int = 1,
    threshold: float = 2.0,
    n_bins: int = N_BINS,
    nulls: Nulls | None = None,
    spectrum: np.ndarray | None = None,
    n_mocks: int = N_MOCKS,
    seed: int = 0,
    calibrated: bool = True,
    max_corrections: int = MAX_CORRECTIONS,
) -> Curves:
    r"""Correct the most significant template, weight, and repeat until none is significant.

    Parameters
    ----------
    field : Field
        Observed overdensity.
    templates : TemplateSet
        Templates on the same pixels.
    order : {1, 3}
        Of the polynomial of each template.
    threshold : float
        Ratio of Delta chi2 and its level in the null, below which a template is left alone.  With 2, each
        template of a clean field is corrected with a probability of 0.16 (order 1), or 0.07 to 0.16 (3).
    n_bins : int
        Bins per template, of equal numbers of pixels.
    nulls : Nulls, optional
        From :func:`null_delta_chi2`, for the same templates and bins.
    spectrum : ndarray, shape (3 nside,), optional
        Signal spectrum of the pixel averages [sr], to draw null realisations here.
    n_mocks, seed : int
        How many to draw, and what fixes them.
    calibrated : bool
        False takes the level of independent pixels, which galaxies are not, in place of realisations.
    max_corrections : int
        Corrections at most.

    Returns
    -------
    Curves
        With :math:`F = \prod_i F_i`.

    Raises
    ------
    ParameterError
        For another order, a bad number of bins, or when there is nothing, or the wrong thing, to calibrate with.
    DataError
        When there are fewer than two pixels a bin, or no lognormal field has the spectrum.

    Notes
    -----
    Curves are constant beyond the medians of the outermost bins.  What is fitted to the density of a bin is
    the mean of such a curve over its pixels, so that a correction leaves the bins flat; the
    polynomial at the bin centre does not, and finds amplitudes that are some per cent too small.
    """
    _check_order(order)
    bins = _all_bins(field, templates, n_bins, order)
    level = chi2.ppf(NULL_SHARE, order)
    if calibrated:
        level = _null_level(field, templates, order, n_bins, nulls, spectrum, n_mocks, seed)
    factors, curve = np.ones_like(templates.values), np.ones(field.n_pix)
    grid = np.array([np.linspace(b.base.low, b.base.high, _N_GRID) for b in bins])
    values, steps, before = np.ones_like(grid), [], None
    while True:
        fits = [b.fit(*b.measure((1.0 + field.delta)[None] / curve), order) for b in bins]
        found = np.array([delta_chi2[0] for _, delta_chi2 in fits])
        ratios = found / level
        before = ratios if before is None else before
        worst = int(np.argmax(ratios))
        if ratios[worst] < threshold or len(steps) >= max_corrections:
            break
        steps.append(CorrectedTemplate(templates.names[worst], float(found[worst]), float(ratios[worst])))
        on_pixels, on_grid = (bins[worst].base(t)[: order + 1] for t in (templates.values[worst], grid[worst]))
        coefficients = fits[worst][0][0] / np.mean(fits[worst][0][0] @ on_pixels)
        # positive, as two negative factors would make a selection that looks right
        factors[worst] *= np.maximum(coefficients @ on_pixels, _MIN_FACTOR)
        values[worst] *= np.maximum(coefficients @ on_grid, _MIN_FACTOR)
        curve = np.maximum(np.prod(factors, axis=0), 1.0 / MAX_WEIGHT)
    late = f"not converged: {templates.names[worst]} has ratio {ratios[worst]:.1f} after {len(steps)} corrections"
    return Curves(
        **_selection(templates, np.prod(factors, axis=0), factors),
        grid=grid,
        values=values,
        order=order,
        iterations=len(steps),
        status="converged" if ratios[worst] < threshold else late,
        corrected=tuple(steps),
        before=before,
        after=ratios,
        calibrated=calibrated,
        threshold=threshold,
        n_bins=n_bins,
    )


def null_delta_chi2(
    field: Field,
    templates: TemplateSet,
    spectrum: np.ndarray,
    n_mocks: int,
    rng: np.random.Generator,
    *,
    n_bins: int = N_BINS,
) -> Nulls:
    """Delta chi2 of every template on clean fields with the clustering of the sample.

    Parameters
    ----------
    field : Field
        Its footprint and expected counts are used.
    templates : TemplateSet
        Templates on the same pixels.
    spectrum : ndarray, shape (3 nside,)
        Spectrum of the pixel averages, without shot noise [sr].
    n_mocks : int
        Number of lognormal fields, sampled with Poisson counts.
    rng : numpy.random.Generator
        Source of randomness; each realisation has its own child.
    n_bins : int
        Bins per template.

    Returns
    -------
    Nulls
        For all orders, from the same realisations.

    Raises
    ------
    ParameterError
        For a bad number of bins or of realisations.
    DataError
        When there are fewer than two pixels a bin, or no lognormal field has the spectrum.
    """
    if n_mocks < 1:
        msg = f"n_mocks is {n_mocks}: give 1 or more, e.g. {N_MOCKS}"
        raise ParameterError(msg)
    bins = _all_bins(field, templates, n_bins, max(ORDERS))
    clustering = PixelField.of(spectrum)
    children, found = rng.spawn(n_mocks), {order: [] for order in ORDERS}
    for start in range(0, n_mocks, _BATCH):
        batch = children[start : start + _BATCH]
        density = np.array([1.0 + clustered_counts(field, clustering, child).delta for child in batch])
        measured = [b.measure(density) for b in bins]
        for order in ORDERS:
            found[order].append([b.fit(*m, order)[1] for b, m in zip(bins, measured, strict=True)])
    stacked = {order: np.concatenate(parts, axis=1).T for order, parts in found.items()}
    return Nulls(stacked, templates.names, n_bins)


def _all_bins(field, templates, n_bins, order) -> list[TemplateBins]:
    if n_bins <= order:
        msg = f"n_bins is {n_bins} for polynomials of order {order}: take at least {order + 1}, e.g. {N_BINS}"
        raise ParameterError(msg)
    if field.n_pix < 2 * n_bins:
        msg = f"{field.n_pix} pixels cannot fill {n_bins} bins with two each: take fewer bins or a finer nside"
        raise DataError(msg)
    return [TemplateBins.of(t, field.expected, n_bins, order) for t in templates.values]


def _null_level(field, templates, order, n_bins, nulls, spectrum, n_mocks, seed):
    if nulls is None and spectrum is None:
        msg = (
            "Delta chi2 has no null to be compared with: give nulls of null_delta_chi2, or the spectrum to draw "
            "them from (estimate_spectrum), or calibrated=False for the level of independent pixels"
        )
        raise ParameterError(msg)
    if nulls is None:
        nulls = null_delta_chi2(field, templates, spectrum, n_mocks, np.random.default_rng(seed), n_bins=n_bins)
    if (nulls.names, nulls.n_bins) != (templates.names, n_bins):
        msg = (
            f"nulls are of {nulls.n_bins} bins of {', '.join(nulls.names)}, the fit is of {n_bins} bins of "
            f"{', '.join(templates.names)}: draw them with null_delta_chi2 for these"
        )
        raise ParameterError(msg)
    return nulls.level(order)


def _selection(templates, raw, factors) -> dict:
    return {
        "curve": np.maximum(raw, 1.0 / MAX_WEIGHT),
        "a": np.sum(factors * templates.values, axis=1) / np.sum(templates.values**2, axis=1),
        "names": templates.names,
        "n_capped": int(np.sum(raw < 1.0 / MAX_WEIGHT)),
    }


def _check_order(order):
    if order not in ORDERS:
        msg = f"order is {order!r}: give 1 (lines) or 3 (cubics)"
        raise ParameterError(msg)
