"""All methods behind one door."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from threadpoolctl import threadpool_limits

from ..covariance import SpectrumEstimate, checked_spectrum, estimate_spectrum
from ..errors import DataError, ParameterError, unknown_name
from ..inference import invert_contamination
from ..sky import Field, Footprint, shared_footprint
from ..templates import TemplateSet, check_independent, from_pixels
from .priors import AmplitudePrior, FittedAmplitudes, with_prior
from .results import Decontamination
from .shrinkage import SHRINKAGES, AmplitudePosterior, amplitude_posterior
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
    prior: AmplitudePrior | None = None,
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
    prior : AmplitudePrior, optional
        What is known of some amplitudes beside the map.  It changes amplitudes, errors and weights; an amplitude with
        a prior is not shrunk beyond that.  Amplitudes ``b`` of additive methods are zero whatever their prior.
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
        For an unknown method, option or covariance, and for a prior of another template or beside a method that finds
        curves.
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
    _check_prior(row, prior, templates)
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
    before = None
    if prior is not None:
        before = FittedAmplitudes(estimate.a, estimate.b, _joint(errors), errors["cov_a_draws"])
        errors = with_prior(prior, templates, estimate.a, estimate.b, errors)
        estimate = replace(estimate, a=errors.pop("a"), b=errors.pop("b"))
    known = None if prior is None else prior.named(templates)
    weighted = _for_weights(row.model, estimate, errors, shrinkage, known)
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
        prior=prior,
        before_prior=before,
    )


def run_methods(
    sky: Field,
    templates: TemplateSet,
    methods: Sequence[str],
    *,
    seed: int = 0,
    likelihood: str = "shot-noise",
    shrinkage: str = "hierarchical",
    prior: AmplitudePrior | None = None,
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
    prior : AmplitudePrior, optional
        As there, for all methods but those that find curves: these have none.

    Returns
    -------
    dict of str to Decontamination
        In the order of ``methods``.
    """
    spectrum = estimate_spectrum(sky, templates)
    how = {"spectrum": spectrum, "seed": seed, "shrinkage": shrinkage}

    def fit(row: Method) -> Decontamination:
        options = {"likelihood": likelihood} if "likelihood" in row.options else {}
        return decontaminate(sky, templates, row.name, prior=None if _finds_curves(row) else prior, **how, **options)

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


def with_posterior(result: Decontamination, posterior: AmplitudePosterior) -> Decontamination:
    """The same fit, with weights from another posterior of its amplitudes, such as that of several parts of a sample.

    Parameters
    ----------
    result : Decontamination
        Fit of one part, of an additive or a combined method.
    posterior : AmplitudePosterior
        Of ``a``, for the combined model followed by ``b``, per rms of the template.

    Returns
    -------
    Decontamination
        Posterior means, weights and cleaned map are those of ``posterior``; amplitudes and errors stay those of the
        fit.

    Raises
    ------
    DataError
        When the weights follow a curve, or the posterior has another number of amplitudes.
    """
    if result.model == "multiplicative":
        msg = f"weights of {result.method} follow a curve and not amplitudes: take a method such as GLS"
        raise DataError(msg)
    a, b = _of_model(result.model, posterior.mean, len(result.a))
    undone = undone_contamination(result.field.delta, result.templates.values, a, b)
    return replace(result, a_mean=a, b_mean=b, shrinkage="pooled", pooled=posterior, **undone)


def _for_weights(model: str, estimate: Estimate, errors: dict, shrinkage: str, known: np.ndarray | None) -> Estimate:
    """The estimate that the weights are made of."""
    if shrinkage == "none":
        return estimate
    on_floor = bool(estimate.diagnostics.get("on_floor", False))
    found = amplitude_posterior(model, estimate.a, estimate.b, _joint(errors), on_floor=on_floor, known=known)
    a_mean, b_mean = _of_model(model, found.mean, len(estimate.a))
    return replace(estimate, a=a_mean, b=b_mean)


def _of_model(model: str, free: np.ndarray, n_sys: int) -> tuple[np.ndarray, np.ndarray]:
    """Amplitudes a and b from those that a model leaves free."""
    if len(free) != (2 * n_sys if model == "combined" else n_sys):
        msg = (
            f"the posterior has {len(free)} amplitudes for {n_sys} templates of the {model} model: give that of the fit"
        )
        raise DataError(msg)
    a = free[:n_sys]
    return a, {"additive": 0.0 * a, "multiplicative": a}.get(model, free[n_sys:])


def _joint(errors: dict) -> np.ndarray:
    crossed = errors["cov_ab"]
    return np.block([[errors["cov_a"], crossed], [crossed.T, errors["cov_b"]]])


def _finds_curves(row: Method) -> bool:
    # density and efficiency that are the same function are what regressions of the binned density find
    return row.model == "multiplicative"


def _check_prior(row: Method, prior: AmplitudePrior | None, templates: TemplateSet) -> None:
    if prior is None:
        return
    prior.places(templates)
    if _finds_curves(row):
        msg = f"a prior of amplitudes came for {row.name}, whose weights follow curves: leave it out, or take GLS"
        raise ParameterError(msg)


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
