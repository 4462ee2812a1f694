r"""Covariance of amplitudes from the sample itself, in patches, or from realisations of it.

:mod:`sysmap_core.covariance.sandwich` gives the same matrices without drawing anything.  Patches see only
the clustering that varies between them: for templates that are smooth over the footprint the
bootstrap and the jackknife are too small, and realisations are not.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field

import numpy as np

from ..covariance import SpectrumEstimate, checked_spectrum
from ..errors import DataError, ParameterError
from ..files import plain
from ..inference import PixelSums, fit_model
from ..mocks import PixelField, clustered_counts, map_realisations
from ..sky import Field, patch_members, shared_footprint
from ..templates import TemplateSet
from .linear import least_squares
from .table import METHODS, Method, find_method


@dataclass(frozen=True)
class ResampledCovariance:
    """Covariance of amplitudes from resamples or realisations.

    Parameters
    ----------
    estimator : {"block bootstrap", "jackknife", "mocks"}
        Where the covariance comes from.
    method : str
        Row of :data:`~.METHODS`.
    names : tuple of str
        Templates.
    cov_a, cov_b : ndarray, shape (n_sys, n_sys)
        Covariances; that of ``b`` is zero for linear methods.
    samples_a, samples_b : ndarray, shape (n, n_sys)
        Amplitudes of every resample or realisation, per rms of the template.
    n_used : int
        Patches, or realisations that could be fitted.
    relative_error : float
        Relative standard deviation of every standard deviation, for normal amplitudes: from
        the number of realisations, or of patches and resamples.
    seed : int or None
        Of the draws; the jackknife has none.
    """

    estimator: str
    method: str
    names: tuple[str, ...]
    cov_a: np.ndarray
    cov_b: np.ndarray
    samples_a: np.ndarray = field(repr=False)
    samples_b: np.ndarray = field(repr=False)
    n_used: int
    relative_error: float
    seed: int | None

    def to_dict(self) -> dict:
        """Everything in plain Python types, for a JSON file."""
        return plain(vars(self))


def block_bootstrap(
    field: Field, templates: TemplateSet, method: str = "OLS", *, n_patches: int = 50, n_resamples=1000, seed: int = 0
) -> ResampledCovariance:
    r"""Covariance of amplitudes by drawing compact patches of the sky with replacement.

    Parameters
    ----------
    field : Field
        Observed overdensity.
    templates : TemplateSet
        Templates on the same pixels.
    method : str
        Row of :data:`~.METHODS` that can be resampled.
    n_patches, n_resamples : int
        Patches of about equal numbers of pixels, and resamples of as many patches.
    seed : int
        Fixes the draws.

    Returns
    -------
    ResampledCovariance
        With the amplitudes of every resample.

    Raises
    ------
    ParameterError, DataError
        When the method cannot be resampled, inputs do not match, or there are too few patches.

    Notes
    -----
    A resample is a weighted sum of the normal equations of the patches, with its own mean density,
    and never touches the pixels.  The combined model makes one Newton step from the maximum, with
    the derivatives of every patch there.  A factor n / (n - 1) makes n patches unbiased.
    """
    row, n_free = _check(field, templates, method)
    check_number("n_patches", n_patches, n_free)
    check_number("n_resamples", n_resamples, n_free)
    rng = np.random.default_rng(seed)
    weights = rng.multinomial(n_patches, np.full(n_patches, 1.0 / n_patches), n_resamples).astype(float)
    samples = _resampled(field, templates, row.resampled, weights)
    factor, freedom = n_patches / (n_patches - 1.0) / (n_resamples - 1.0), (n_patches - 1, n_resamples - 1)
    return _result("block bootstrap", row.name, templates, samples, factor, n_patches, freedom, seed)


def jackknife(field: Field, templates: TemplateSet, method: str = "OLS", *, n_patches: int = 50) -> ResampledCovariance:
    r"""Covariance of amplitudes by leaving out one compact patch of the sky after the other.

    Parameters
    ----------
    field, templates, method, n_patches
        As in :func:`block_bootstrap`, with the same errors.

    Returns
    -------
    ResampledCovariance
        :math:`(n - 1) / n \sum_k (a_k - \bar a)(a_k - \bar a)^t` over the n patches left out, with
        the amplitudes without each; fits as in :func:`block_bootstrap`.
    """
    row, n_free = _check(field, templates, method)
    check_number("n_patches", n_patches, n_free)
    samples = _resampled(field, templates, row.resampled, 1.0 - np.eye(n_patches))
    freedom, factor = n_patches - 1, (n_patches - 1.0) / n_patches
    return _result("jackknife", row.name, templates, samples, factor, n_patches, (freedom,), None)


def mock_covariance(
    field: Field,
    templates: TemplateSet,
    spectrum: np.ndarray | SpectrumEstimate | None,
    method: str = "OLS",
    *,
    n_mocks: int = 200,
    seed: int = 0,
    a=None,
    b=None,
    executor: Executor | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> ResampledCovariance:
    r"""Covariance of amplitudes over lognormal realisations of a sample.

    Parameters
    ----------
    field : Field
        Sample whose footprint and expected counts the realisations have.
    templates : TemplateSet
        Templates on the same pixels.
    spectrum : ndarray, shape (3 nside,), SpectrumEstimate, or None
        Spectrum of the pixel averages, without shot noise [sr]; estimated from the field where there is none.
    method : str
        Row of :data:`~.METHODS` that can be resampled.
    n_mocks, seed : int
        Realisations, and what fixes them for any number of workers.
    a, b : ndarray, shape (n_sys,), optional
        Contamination of the realisations, per rms of the template; none by default.
    executor : concurrent.futures.Executor, optional
        Where to make them, by default here; processes have to be spawned, as JAX has threads.
    progress : callable, optional
        Called with the number of realisations that are done, and ``n_mocks``.

    Returns
    -------
    ResampledCovariance
        With the amplitudes of every realisation that could be fitted.

    Raises
    ------
    ParameterError, DataError
        When the method cannot be resampled, inputs do not match, no lognormal field has the
        spectrum, or there are too few realisations.

    Notes
    -----
    Poisson counts of :math:`\bar n_p [1 + (1 + B_p) \delta_p + A_p]`, turned into an overdensity
    with the mean density of each realisation, as the sample was.
    """
    row, n_free = _check(field, templates, method)
    spectrum = checked_spectrum(field, templates, spectrum)
    check_number("n_mocks", n_mocks, n_free)
    contamination = [_contamination(name, x, templates) for name, x in (("a", a), ("b", b))]
    task = _Realisation(field, templates, PixelField.of(spectrum), row.resampled, *contamination)
    samples = map_realisations(task, n_mocks, seed, executor=executor, progress=progress)
    fitted = np.array([s for s in samples if np.isfinite(s).all()])
    n_used = len(fitted)
    check_number("number of mocks that could be fitted", n_used, n_free, DataError)
    return _result("mocks", row.name, templates, fitted, 1.0 / (n_used - 1.0), n_used, (n_used - 1,), seed)


@dataclass(frozen=True)
class _Realisation:
    """Amplitudes (a, b) of one realisation, from its seed; not finite when it cannot be fitted."""

    field: Field
    templates: TemplateSet
    clustering: PixelField
    kind: str
    additive: np.ndarray
    multiplicative: np.ndarray

    def __call__(self, seed: np.random.SeedSequence) -> np.ndarray:
        try:
            rng = np.random.default_rng(seed)
            drawn = clustered_counts(self.field, self.clustering, rng, self.additive, self.multiplicative)
            if self.kind == "linear":
                return np.concatenate([least_squares(drawn, self.templates), np.zeros(self.templates.n_sys)])
            best = _maximum(drawn, self.templates)
        except DataError:
            return np.full(2 * self.templates.n_sys, np.nan)
        return np.concatenate([best.a, best.b])


def _maximum(field: Field, templates: TemplateSet):
    return fit_model(field, templates, "combined", "shot-noise", sampler="importance", draws=16).maximum


def _resampled(field: Field, templates: TemplateSet, kind: str, weights: np.ndarray) -> np.ndarray:
    """Amplitudes (a, b) from weights of the patches, shape (n_resamples, n_patches)."""
    parts, n_sys = patch_members(field.pixels, field.nside, weights.shape[1]), templates.n_sys
    if kind == "linear":
        # the mean density is fitted with the amplitudes: every resample has its own
        rows = np.vstack([np.ones(field.n_pix), templates.values])
        grams = np.array([rows[:, part] @ rows[:, part].T for part in parts])
        products = np.array([rows[:, part] @ field.delta[part] for part in parts])
        a = _solve(np.tensordot(weights, grams, 1), weights @ products)[:, 1:]
        return np.hstack([a, np.zeros_like(a)])
    x, gradients, information = _patch_derivatives(field, templates, parts)
    return (x + _solve(np.tensordot(weights, information, 1), weights @ gradients))[:, : 2 * n_sys]


def _patch_derivatives(field: Field, templates: TemplateSet, parts: list[np.ndarray]):
    """Maximum (a, b, ln sigma), and gradient and minus Hessian of every patch there."""
    best, values = _maximum(field, templates), templates.values
    x = np.concatenate([best.a, best.b, [np.log(best.sigma)]])
    sums = [PixelSums(field.delta[p], values[:, p], "combined", "shot-noise", field.noise[p]) for p in parts]
    found = [s.derivatives(x) for s in sums]
    gradients, information = np.array([f[1] for f in found]), np.array([-f[2] for f in found])
    left = gradients.sum(0) @ _solve(information.sum(0)[None], gradients.sum(0)[None])[0]
    if not 0.0 <= left < 1e-6:
        msg = f"the combined fit is not at a maximum (Newton decrement {left:.1e}): mask the outliers of the templates"
        raise DataError(msg)
    return x, gradients, information


def _solve(matrices: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    try:
        return np.linalg.solve(matrices, vectors[..., None])[..., 0]
    except np.linalg.LinAlgError:
        msg = "templates are linear combinations of each other in a resample: take fewer, larger patches"
        raise DataError(msg) from None


def _result(estimator, method, templates, samples, factor, n_used, freedom, seed) -> ResampledCovariance:
    halves = np.hsplit(samples, 2)
    covs = [factor * (half - half.mean(0)).T @ (half - half.mean(0)) for half in halves]
    error = float(np.sqrt(sum(0.5 / n for n in freedom)))
    return ResampledCovariance(estimator, method, templates.names, *covs, *halves, n_used, error, seed)


def _check(field: Field, templates: TemplateSet, method: str) -> tuple[Method, int]:
    """Row of the method and number of its amplitudes, after checking what is fitted."""
    row = find_method(method)
    if not row.resampled:
        known = ", ".join(other.name for other in METHODS.values() if other.resampled)
        msg = f"method {row.name!r} cannot be resampled from sums over patches: take one of {known}"
        raise ParameterError(msg)
    shared_footprint(need_place=True, field=field, templates=templates)
    return row, templates.n_sys * (2 if row.resampled == "combined" else 1)


def check_number(name: str, n: int, n_free: int, error: type[Exception] = ParameterError) -> None:
    """Refuse fewer resamples than a covariance needs.

    Parameters
    ----------
    name : str
        What is counted, for the message.
    n, n_free : int
        How many there are, and the numbers whose covariance is wanted.
    error : type of exception
        What to raise.

    Raises
    ------
    ParameterError
        When the covariance would be singular.
    """
    if n <= n_free:
        msg = f"{name} is {n}: give at least {n_free + 1}, or the covariance of {n_free} amplitude(s) is singular"
        raise error(msg)


def _contamination(name: str, amplitudes, templates: TemplateSet) -> np.ndarray:
    amplitudes = np.zeros(templates.n_sys) if amplitudes is None else np.asarray(amplitudes, float)
    if amplitudes.shape != (templates.n_sys,):
        msg = f"{name} has shape {amplitudes.shape} for {templates.n_sys} templates: give one amplitude each"
        raise DataError(msg)
    return amplitudes @ templates.values
