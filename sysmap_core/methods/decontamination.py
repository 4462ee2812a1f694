"""All methods behind one door: one function, one type of result."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from threadpoolctl import threadpool_limits

from ..covariance import SpectrumEstimate, checked_spectrum, estimate_spectrum
from ..errors import DataError, unknown_name
from ..files import plain, restored
from ..inference import invert_contamination
from ..sky import Field, Footprint, shared_footprint
from ..templates import TemplateSet, check_independent, from_pixels
from .shrinkage import SHRINKAGES, AmplitudePosterior, hierarchical_posterior
from .table import Estimate, Method, find_method
from .uncertainties import COVARIANCES, amplitude_errors

MIN_WEIGHT_DENOMINATOR = 0.01
"""Floor of the denominators of the weights."""

_MAPS = ("galaxy_weights", "random_weights", "cleaned", "spectrum", "cov_a_draws", "details")
_INPUTS = ("field", "templates")


@dataclass(frozen=True)
class Decontamination:
    """What a method found, where, and the weights that follow from it.

    Parameters
    ----------
    method, model : str
        Row of :data:`~.METHODS`, and the contamination model it estimates.
    field, templates : Field and TemplateSet
        What was fitted; everything below belongs to their footprint.
    a, b : ndarray, shape (n_sys,)
        Amplitudes, per rms of the template; ``b`` is zero for additive methods.
    a_mean, b_mean : ndarray, shape (n_sys,)
        Those that the weights are made of: posterior means under a hierarchical prior, see ``shrinkage``.
    shrinkage : {"hierarchical", "none"}
        Where they come from; without shrinkage they are the amplitudes of the fit.
    sigma : float
        rms of the field [1].
    cov_a, cov_b : ndarray, shape (n_sys, n_sys)
        Covariances on the clustered sky, see ``covariance``.
    cov_ab : ndarray, shape (n_sys, n_sys)
        Covariance of ``a`` (rows) with ``b`` (columns).
    cov_a_iid, cov_b_iid : ndarray, shape (n_sys, n_sys)
        Covariances that independent pixels would have.
    cov_a_draws : ndarray, shape (n_draws, n_sys, n_sys), or None
        ``cov_a`` for spectra that are as likely as the estimated one, for probabilities that know the
        uncertainty of the errors; None where the spectrum was given, or there is none.
    covariance : {"analytic", "realisations", "estimator", "independent pixels"}
        Where ``cov_a`` and ``cov_b`` come from: the sandwich, mocks, the estimator's own, or no
        clustering at all.
    galaxy_weights, random_weights : ndarray, shape (n_pix,)
        Weights of the galaxies and of the randoms in each pixel; together they undo the
        contamination of ``a_mean`` and ``b_mean`` exactly.
    cleaned : ndarray, shape (n_pix,)
        Overdensity without the contamination.
    clipped : float
        Fraction of pixels whose weight sits on the floor.
    spectrum : ndarray, shape (3 nside,), or None
        Signal spectrum behind the covariances [sr]; None without pixels.
    details : dict
        What else the method found.
    diagnostics : dict
        Numbers that the method reports about itself.
    seed : int
        Of its random numbers, where there are any.
    elapsed_s : float
        Wall time of the fit, without the covariance [s].
    """

    method: str
    model: str
    field: Field = dataclasses.field(repr=False)
    templates: TemplateSet = dataclasses.field(repr=False)
    a: np.ndarray
    b: np.ndarray
    a_mean: np.ndarray
    b_mean: np.ndarray
    shrinkage: str
    sigma: float
    cov_a: np.ndarray
    cov_b: np.ndarray
    cov_ab: np.ndarray
    cov_a_iid: np.ndarray
    cov_b_iid: np.ndarray
    cov_a_draws: np.ndarray | None = dataclasses.field(repr=False)
    covariance: str
    galaxy_weights: np.ndarray = dataclasses.field(repr=False)
    random_weights: np.ndarray = dataclasses.field(repr=False)
    cleaned: np.ndarray = dataclasses.field(repr=False)
    clipped: float
    spectrum: np.ndarray | None = dataclasses.field(repr=False)
    details: dict = dataclasses.field(repr=False)
    diagnostics: dict
    seed: int
    elapsed_s: float

    @property
    def names(self) -> tuple[str, ...]:
        """Templates."""
        return self.templates.names

    @property
    def footprint(self) -> Footprint:
        """Pixels of the fit."""
        return self.field.footprint

    @property
    def cov(self) -> np.ndarray:
        """Joint covariance of (a, b) on the clustered sky, shape (2 n_sys, 2 n_sys)."""
        return np.block([[self.cov_a, self.cov_ab], [self.cov_ab.T, self.cov_b]])

    def posterior(self) -> AmplitudePosterior:
        """Posterior of the amplitudes behind the weights, under the hierarchical prior.

        Returns
        -------
        AmplitudePosterior
            Of ``a``, for the combined model followed by ``b``.
        """
        return _posterior(self.model, self.a, self.b, self.cov)

    @property
    def status(self) -> str:
        """How the fit ended, in words."""
        return self.diagnostics.get("status", "exact")

    @property
    def density(self) -> np.ndarray:
        """Mean density that the weights expect in every pixel, 1 + A, shape (n_pix,) [1]."""
        return self.random_weights / self.galaxy_weights

    def corrected(self, density: np.ndarray) -> np.ndarray:
        """Overdensity of a density of galaxies under both weights.

        Parameters
        ----------
        density : ndarray, shape (n_pix,)
            Contaminated density, without Poisson noise where only the error of the fit is to be seen [any unit].

        Returns
        -------
        ndarray, shape (n_pix,)
            Weighted density over the unweighted mean, less the weight of the randoms [1].
        """
        return self.galaxy_weights * density / np.mean(density) - self.random_weights

    def to_dict(self, *, maps: bool = True) -> dict:
        """Everything in plain Python types, for a JSON file.

        Parameters
        ----------
        maps : bool
            Whether to keep what has a value per pixel, multipole or draw, the field and templates among it, and the
            details.

        Returns
        -------
        dict
            :meth:`from_dict` needs the maps.
        """
        content = {k: v for k, v in vars(self).items() if k not in _INPUTS and (maps or k not in _MAPS)}
        if not maps:
            return plain({"names": self.names} | content)
        place = {"pixels": self.footprint.pixels, "nside": self.footprint.nside}
        sky = {k: v for k, v in vars(self.field).items() if k != "footprint"}
        scales = {name: getattr(self.templates, name) for name in ("values", "names", "mean", "rms")}
        return plain(content | {"footprint": place, "field": sky, "templates": scales})

    @classmethod
    def from_dict(cls, content: dict) -> Decontamination:
        """Result from what :meth:`to_dict` gave.

        Parameters
        ----------
        content : dict
            With the maps.

        Returns
        -------
        Decontamination
            Equal to the one that was stored.

        Raises
        ------
        DataError
            When something is missing.
        """
        given = dict(content)
        if {"footprint", *_INPUTS} <= given.keys():
            place = restored(Footprint, given["footprint"], "footprint")
            given["field"] = restored(Field, given["field"] | {"footprint": place}, "field")
            given["templates"] = restored(TemplateSet, given["templates"] | {"footprint": place}, "templates")
        return restored(cls, given, "result")


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
        nothing on a clean map, or the amplitudes of the fit.
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
    errors = amplitude_errors(sky, templates, row, estimate, signal, covariance, seed)
    weighted = _for_weights(row.model, templates, estimate, errors, shrinkage)
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
        spectrum=None if signal is None else signal.cl,
        details=estimate.details,
        diagnostics=estimate.diagnostics,
        seed=seed,
        elapsed_s=elapsed,
    )


def run_methods(
    sky: Field, templates: TemplateSet, methods: Sequence[str], *, seed: int = 0, likelihood: str = "shot-noise"
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

    Returns
    -------
    dict of str to Decontamination
        In the order of ``methods``.
    """
    spectrum = estimate_spectrum(sky, templates)
    how = {"spectrum": spectrum, "seed": seed}

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


def _for_weights(model: str, templates: TemplateSet, estimate: Estimate, errors: dict, shrinkage: str) -> Estimate:
    """The estimate that the weights are made of."""
    if shrinkage == "none":
        return estimate
    a, b, crossed = estimate.a, estimate.b, errors["cov_ab"]
    cov = np.block([[errors["cov_a"], crossed], [crossed.T, errors["cov_b"]]])
    parts = np.split(_posterior(model, a, b, cov).mean, 2 if model == "combined" else 1)
    a_mean, b_mean = parts[0], {"additive": 0.0 * b, "multiplicative": parts[0]}.get(model, parts[-1])
    selection = estimate.selection
    if selection is not None:
        # a curve has no posterior of its own: it shrinks as its linear part does
        products = templates.values @ templates.values.T
        share = (a_mean @ products @ a) / max(a @ products @ a, np.finfo(float).tiny)
        selection = 1.0 + np.clip(share, 0.0, 1.0) * (selection - 1.0)
    return replace(estimate, a=a_mean, b=b_mean, selection=selection)


def _posterior(model: str, a, b, cov) -> AmplitudePosterior:
    if model == "combined":
        return hierarchical_posterior(np.concatenate([a, b]), cov, 2)
    return hierarchical_posterior(a, cov[: len(a), : len(a)])


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
