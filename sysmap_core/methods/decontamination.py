"""All methods behind one door."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from threadpoolctl import threadpool_limits

from ..covariance import SpectrumEstimate, checked_spectrum, estimate_spectrum
from ..errors import DataError, unknown_name
from ..inference import invert_contamination
from ..sky import Field, Footprint, shared_footprint
from ..templates import TemplateSet, check_independent, from_pixels
from .results import Decontamination
from .shrinkage import SHRINKAGES, amplitude_posterior
from .table import Estimate, Method, find_method
from .uncertainties import COVARIANCES, amplitude_errors

MIN_WEIGHT_DENOMINATOR = 0.01
"""Floor of the denominators of the weights."""


# products of a fit are small; threads that wait for the next one hold up transforms and JAX (factor 4)
@threadpool_limits.wrap(limits=1, user_api="blas")
def decontaminate(
    sky: Field | np.ndarray,
    templates: TemplateSet | np.ndarray,
    method: str = "MCMC-comb",
    *,
    expected: np.ndarray | None = None,
    pixels: np.ndarray | None = None,
    nside: int | None = None,
    spectrum: np.ndarray | SpectrumEstimate | None = None,
    covariance: str = "auto",
    shrinkage: str = "hierarchical",
    seed: int = 0,
    **options,
) -> Decontamination:
    """Estimate the contamination of a field, its errors, and the weights that undo it.

    Parameters
    ----------
    sky : Field or ndarray, shape (n_pix,)
        Observed overdensity [1].
    templates : TemplateSet or ndarray, shape (n_sys, n_pix)
        Templates on the same pixels; an array is standardised there.
    method : str
        Row of :data:`~.METHODS`.
    expected : ndarray, shape (n_pix,), optional
        Expected galaxies per pixel, beside an overdensity array.
    pixels : ndarray of int, shape (n_pix,), optional
        HEALPix indices, RING, equatorial, beside an overdensity array.
    nside : int, optional
        Their resolution.
    spectrum : ndarray, shape (3 nside,), or SpectrumEstimate, optional
        Signal spectrum of the pixel averages [sr], taken as known when it is an array; estimated from the
        field by default.
    covariance : {"auto", "analytic", "realisations", "independent pixels"}
        Where the errors come from.  ``auto`` is analytic, except for methods that know their own covariance,
        for arrays without pixels or expected counts (independent pixels), and for combined methods where the
        field is strong (rms above 0.7) or a few modes decide (realisations); see
        :mod:`sysmap_core.methods.uncertainties`.
    shrinkage : {"hierarchical", "none"}
        What weights and cleaned map are made of: posterior means of the amplitudes, which lose least on average and
        nothing on a clean map, or the amplitudes of the fit.  Methods that find curves keep them as they are.  Where
        a combined fit was held at the floor of its efficiency, posterior means of ``b`` are zero.
    seed : int
        Fixes the draws of the methods that draw, and the realisations.
    **options
        Of the method, named in its row: ``likelihood`` and ``draws`` (MCMC-comb), ``draws`` (MCMC-add),
        ``l1_ratio`` and ``n_folds`` (ElasticNet), ...

    Returns
    -------
    Decontamination
        Amplitudes with both kinds of errors, weights, cleaned map.

    Raises
    ------
    ParameterError
        For an unknown method, option or covariance.
    DataError
        When field and templates are on different pixels, templates are linear combinations of each
        other or reproduce the field, the method needs to know the pixels, or the fit cannot be made.

    Notes
    -----
    The elastic net and the iterative methods have the calibrated errors of the linear fit: an
    upper bound for the elastic net, whose penalty shrinks amplitudes and makes them scatter less.
    Errors of the skew-normal likelihood are those of the Gaussian one with the same rms, an upper
    bound for ``b``.
    """
    row = find_method(method)
    unknown = [name for name in options if name not in row.options]
    if unknown:
        raise unknown_name(f"option of {row.name}", unknown[0], row.options)
    if covariance not in COVARIANCES:
        raise unknown_name("covariance", covariance, COVARIANCES)
    if shrinkage not in SHRINKAGES:
        raise unknown_name("shrinkage", shrinkage, SHRINKAGES)
    sky, templates = _on_common_pixels(sky, templates, expected, pixels, nside)
    clustered = sky.nside is not None and bool(np.all(np.isfinite(sky.expected)))
    _check_possible(row, covariance, clustered)
    signal = checked_spectrum(sky, templates, spectrum) if clustered else None
    start = time.perf_counter()
    estimate = row.estimate(sky, templates, signal, seed, **options)
    elapsed = time.perf_counter() - start
    if not clustered:
        covariance = "independent pixels"
    if estimate.selection is not None:
        shrinkage = "none"  # a curve has no posterior, and its amplitudes are only its linear part
    errors = amplitude_errors(sky, templates, row, estimate, signal, covariance, seed)
    weighted = _for_weights(row.model, estimate, errors, shrinkage)
    return Decontamination(
        method=row.name,
        model=row.model,
        field=sky,
        templates=templates,
        a=estimate.a,
        b=estimate.b,
        a_mean=weighted.a,
        b_mean=weighted.b,
        shrinkage=shrinkage,
        sigma=estimate.sigma,
        **errors,
        **undone_contamination(sky.delta, templates.values, weighted.a, weighted.b, weighted.selection),
        spectrum=signal,
        details=estimate.details,
        diagnostics=estimate.diagnostics,
        seed=seed,
        elapsed_s=elapsed,
    )


def run_methods(
    sky: Field,
    templates: TemplateSet,
    methods: Sequence[str],
    *,
    seed: int = 0,
    likelihood: str = "shot-noise",
    shrinkage: str = "hierarchical",
) -> dict[str, Decontamination]:
    """Run several methods on one field, with one signal spectrum.

    Parameters
    ----------
    sky : Field
        Observed overdensity.
    templates : TemplateSet
        Templates on the same pixels.
    methods : sequence of str
        Rows of :data:`~.METHODS`.
    seed : int
        Fixes the draws.
    likelihood : str
        Of the methods that have one.
    shrinkage : {"hierarchical", "none"}
        As in :func:`decontaminate`.

    Returns
    -------
    dict of str to Decontamination
        In the order of ``methods``.
    """
    spectrum = estimate_spectrum(sky, templates)
    how = {"spectrum": spectrum, "seed": seed, "shrinkage": shrinkage}

    def fit(row: Method) -> Decontamination:
        options = {"likelihood": likelihood} if "likelihood" in row.options else {}
        return decontaminate(sky, templates, row.name, **how, **options)

    return {row.name: fit(row) for row in map(find_method, methods)}


def undone_contamination(
    delta: np.ndarray, templates: np.ndarray, a: np.ndarray, b: np.ndarray, selection: np.ndarray | None = None
) -> dict:
    r"""What follows from amplitudes: weights that undo the contamination, and the overdensity without it.

    Parameters
    ----------
    delta : ndarray, shape (n_pix,)
        Observed overdensity [1].
    templates : ndarray, shape (n_sys, n_pix)
        Templates [1].
    a, b : ndarray, shape (n_sys,)
        Amplitudes.
    selection : ndarray, shape (n_pix,), optional
        Expected density and selection efficiency, of a method that finds a curve [1].

    Returns
    -------
    dict
        ``galaxy_weights`` :math:`1 / (1 + B)` and ``random_weights`` :math:`(1 + A) / (1 + B)`, with a floor of
        :data:`MIN_WEIGHT_DENOMINATOR`, ``cleaned``, and ``clipped``, the share of pixels on the floor.
    """
    if selection is None:
        density, efficiency = 1.0 + a @ templates, 1.0 + b @ templates
        cleaned = invert_contamination(delta, templates, a, b)
    else:
        density = efficiency = selection
        cleaned = (1.0 + delta) / selection - 1.0
    floored = np.maximum(efficiency, MIN_WEIGHT_DENOMINATOR)
    return {
        "galaxy_weights": 1.0 / floored,
        "random_weights": density / floored,
        "cleaned": cleaned,
        "clipped": float(np.mean(efficiency < MIN_WEIGHT_DENOMINATOR)),
    }


def _for_weights(model: str, estimate: Estimate, errors: dict, shrinkage: str) -> Estimate:
    """The estimate that the weights are made of."""
    if shrinkage == "none":
        return estimate
    a, b, crossed = estimate.a, estimate.b, errors["cov_ab"]
    cov = np.block([[errors["cov_a"], crossed], [crossed.T, errors["cov_b"]]])
    on_floor = bool(estimate.diagnostics.get("on_floor", False))
    parts = np.split(amplitude_posterior(model, a, b, cov, on_floor=on_floor).mean, 2 if model == "combined" else 1)
    a_mean, b_mean = parts[0], {"additive": 0.0 * b, "multiplicative": parts[0]}.get(model, parts[-1])
    return replace(estimate, a=a_mean, b=b_mean)


def _on_common_pixels(sky, templates, expected, pixels, nside) -> tuple[Field, TemplateSet]:
    """Field and templates from whatever came, after checking that they belong together."""
    if isinstance(sky, Field):
        given = [n for n, v in (("expected", expected), ("pixels", pixels), ("nside", nside)) if v is not None]
        if given:
            msg = f"{' and '.join(given)} came beside a Field, which carries its own: leave it out"
            raise DataError(msg)
    else:
        sky = _field_of_arrays(np.asarray(sky, float), expected, pixels, nside)
    if not isinstance(templates, TemplateSet):
        templates = from_pixels(np.asarray(templates, float), sky.footprint)
    shared_footprint(field=sky, templates=templates)
    check_independent(templates.values, templates.names)
    return sky, templates


def _field_of_arrays(delta, expected, pixels, nside) -> Field:
    if (pixels is None) != (nside is None):
        came = "pixels without nside" if nside is None else "nside without pixels"
        msg = f"{came} came: give both, or neither for errors of independent pixels"
        raise DataError(msg)
    # no shot noise is that of infinitely many galaxies
    expected = np.full(len(delta), np.inf) if expected is None else np.asarray(expected, float)
    places = np.arange(len(delta)) if pixels is None else np.asarray(pixels)
    for name, values in (("expected", expected), ("pixels", places)):
        if values.shape != delta.shape:
            msg = f"{name} has shape {values.shape} and delta {delta.shape}: give one value per pixel"
            raise DataError(msg)
    return Field(delta, expected, Footprint(places, nside))


def _check_possible(row: Method, covariance: str, clustered: bool) -> None:
    if clustered:
        return
    needed = "pixels, nside and expected"
    if row.on_sky:
        msg = f"{row.name} needs to know where the pixels are and came without: give {needed}, or a Field"
        raise DataError(msg)
    if covariance in ("analytic", "realisations"):
        msg = f"covariance is {covariance!r} for plain arrays: give {needed}, or take 'independent pixels'"
        raise DataError(msg)
