"""All methods behind one door: a table, one function, one type of result."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from .contamination import invert_contamination
from .covariance import Calibrated, combined_covariance, linear_covariance
from .errors import DataError, unknown_name
from .files import plain
from .likelihood import field_rms
from .posterior import fit_model
from .regression import elastic_net, least_squares
from .sky import Field
from .spectra import signal_spectrum
from .templates import TemplateSet

MIN_WEIGHT_DENOMINATOR = 0.01
"""Floor of the denominators of the weights."""


@dataclass(frozen=True)
class Decontamination:
    """What a method found, and the weights that follow from it.

    Parameters
    ----------
    method, model : str
        Row of :data:`METHODS`, and the contamination model it estimates.
    names : tuple of str
        Templates.
    a, b : ndarray, shape (n_sys,)
        Amplitudes, per rms of the template; ``b`` is zero for additive methods.
    sigma : float
        rms of the field [1].
    cov_a, cov_b : ndarray, shape (n_sys, n_sys)
        Covariances on the clustered sky.
    cov_a_iid, cov_b_iid : ndarray, shape (n_sys, n_sys)
        Covariances that independent pixels would have.
    galaxy_weights, random_weights : ndarray, shape (n_pix,)
        Weights of the galaxies and of the randoms in each pixel; together they undo the
        contamination exactly.
    cleaned : ndarray, shape (n_pix,)
        Overdensity without the contamination.
    clipped : float
        Fraction of pixels whose weight sits on the floor.
    spectrum : ndarray, shape (3 nside,)
        Signal spectrum behind the covariances [sr].
    diagnostics : dict
        Numbers that the method reports about itself.
    seed : int
        Of its random numbers, where there are any.
    elapsed_s : float
        Wall time of the fit, without the covariance [s].
    """

    method: str
    model: str
    names: tuple[str, ...]
    a: np.ndarray
    b: np.ndarray
    sigma: float
    cov_a: np.ndarray
    cov_b: np.ndarray
    cov_a_iid: np.ndarray
    cov_b_iid: np.ndarray
    galaxy_weights: np.ndarray = field(repr=False)
    random_weights: np.ndarray = field(repr=False)
    cleaned: np.ndarray = field(repr=False)
    clipped: float
    spectrum: np.ndarray = field(repr=False)
    diagnostics: dict
    seed: int
    elapsed_s: float

    @property
    def status(self) -> str:
        """How the fit ended, in words."""
        return self.diagnostics.get("status", "exact")

    def to_dict(self) -> dict:
        """Everything but the maps, in plain Python types, for a JSON file."""
        skipped = ("galaxy_weights", "random_weights", "cleaned", "spectrum")
        return plain({k: v for k, v in vars(self).items() if k not in skipped})


@dataclass(frozen=True)
class Estimate:
    """Amplitudes as a method gives them, before errors on the clustered sky are attached.

    Parameters
    ----------
    a, b : ndarray, shape (n_sys,)
        Amplitudes, per rms of the template.
    sigma : float
        rms of the field [1].
    diagnostics : dict
        Numbers that the method reports about itself.
    shot_aware : bool
        Whether its likelihood models the shot noise.
    """

    a: np.ndarray
    b: np.ndarray
    sigma: float
    diagnostics: dict
    shot_aware: bool = False


def _linear_estimate(field: Field, templates: TemplateSet, a: np.ndarray, diagnostics: dict) -> Estimate:
    return Estimate(a, np.zeros_like(a), float(np.std(field.delta - a @ templates.values)), diagnostics)


def _ols(field, templates, seed):
    return _linear_estimate(field, templates, least_squares(field, templates), {})


def _elastic_net(field, templates, seed, *, l1_ratio: float = 0.5, n_folds: int = 5):
    return _linear_estimate(field, templates, *elastic_net(field, templates, l1_ratio=l1_ratio, n_folds=n_folds))


def _mcmc_add(field, templates, seed, *, draws: int = 2048):
    fit = fit_model(field.delta, templates, "additive", "gaussian", draws=draws, seed=seed)
    return Estimate(fit.a, fit.b, fit.sigma, {**fit.diagnostics, "status": fit.status, "lnl": fit.maximum.lnl})


def _mcmc_comb(field, templates, seed, *, likelihood: str = "shot-noise", draws: int = 2048):
    fit = fit_model(field.delta, templates, "combined", likelihood, expected=field.expected, draws=draws, seed=seed)
    diagnostics = {**fit.diagnostics, "status": fit.status, "lnl": fit.maximum.lnl, "gamma": fit.gamma}
    return Estimate(fit.a, fit.b, field_rms(fit.sigma, fit.gamma), diagnostics, likelihood == "shot-noise")


@dataclass(frozen=True)
class Method:
    """One row of the table of methods.

    Parameters
    ----------
    name, label : str
        Name in the interface, and in figures.
    column : str
        Column of the weights file.
    model : str
        Contamination model it estimates.
    colour : str
        Of its curves, everywhere.
    estimate : callable
        ``(field, templates, seed, **options) -> Estimate``.
    """

    name: str
    label: str
    column: str
    model: str
    colour: str
    estimate: Callable[..., Estimate]


METHODS = {
    row.name: row
    for row in (
        Method("OLS", "OLS", "WEIGHT_OLS", "additive", "#4E79A7", _ols),
        Method("ElasticNet", "elastic net", "WEIGHT_ENET", "additive", "#59A14F", _elastic_net),
        Method("MCMC-add", "MCMC additive", "WEIGHT_ADD", "additive", "#B07AA1", _mcmc_add),
        Method("MCMC-comb", "MCMC combined", "WEIGHT_COMB", "combined", "#D1495B", _mcmc_comb),
    )
}


def find_method(name: str) -> Method:
    """Row of the table of methods.

    Parameters
    ----------
    name : str
        Name of a method; case does not matter.

    Returns
    -------
    Method
        The row.

    Raises
    ------
    ParameterError
        When there is none of that name.
    """
    folded = {key.lower(): row for key, row in METHODS.items()}
    if str(name).lower() not in folded:
        raise unknown_name("method", name, METHODS)
    return folded[str(name).lower()]


def decontaminate(
    field: Field,
    templates: TemplateSet,
    method: str = "MCMC-comb",
    *,
    spectrum: np.ndarray | None = None,
    seed: int = 0,
    **options,
) -> Decontamination:
    """Estimate the contamination of a field, its errors, and the weights that undo it.

    Parameters
    ----------
    field : Field
        Observed overdensity.
    templates : TemplateSet
        Templates on the same pixels.
    method : str
        Row of :data:`METHODS`.
    spectrum : ndarray, shape (3 nside,), optional
        Signal spectrum of the pixel averages [sr]; estimated from the field by default.
    seed : int
        Fixes the draws of the methods that draw.
    **options
        Of the method: ``likelihood`` and ``draws`` (MCMC-comb), ``draws`` (MCMC-add),
        ``l1_ratio`` and ``n_folds`` (ElasticNet).

    Returns
    -------
    Decontamination
        Amplitudes with both kinds of errors, weights, cleaned map.

    Raises
    ------
    ParameterError
        For an unknown method.
    DataError
        When field and templates are on different pixels, or the fit cannot be made.

    Notes
    -----
    The elastic net has the calibrated errors of the linear fit without a penalty, which
    shrinks amplitudes and makes them scatter less: they are an upper bound.  Errors of the
    skew-normal likelihood are those of the Gaussian one with the same rms, an upper bound for ``b``.
    """
    row = find_method(method)
    if field.nside != templates.nside or not np.array_equal(field.pixels, templates.pixels):
        msg = (
            f"the field has {field.n_pix} pixels at nside {field.nside} and the templates {len(templates.pixels)} "
            f"at nside {templates.nside}, or in another order: standardise the templates on field.pixels"
        )
        raise DataError(msg)
    start = time.perf_counter()
    estimate = row.estimate(field, templates, seed, **options)
    elapsed = time.perf_counter() - start
    if spectrum is None:
        spectrum = signal_spectrum(field, templates)
    covariances = _covariances(field, templates, row, estimate, spectrum)
    return Decontamination(
        method=row.name,
        model=row.model,
        names=templates.names,
        a=estimate.a,
        b=estimate.b,
        sigma=estimate.sigma,
        **covariances,
        **_weights(field, templates, estimate),
        spectrum=spectrum,
        diagnostics=estimate.diagnostics,
        seed=seed,
        elapsed_s=elapsed,
    )


def _covariances(field, templates, row: Method, estimate: Estimate, spectrum) -> dict:
    n_sys = templates.n_sys
    if row.model == "additive":
        calibrated: Calibrated = linear_covariance(field, templates, spectrum, estimate.a)
        none = np.zeros((n_sys, n_sys))
        iid = estimate.sigma**2 * np.linalg.inv(calibrated.fisher)
        return {"cov_a": calibrated.cov, "cov_b": none, "cov_a_iid": iid, "cov_b_iid": none}
    calibrated = combined_covariance(
        field, templates, spectrum, estimate.a, estimate.b, estimate.sigma, shot_aware=estimate.shot_aware
    )
    iid = np.linalg.inv(calibrated.fisher)
    of_a, of_b = slice(0, n_sys), slice(n_sys, 2 * n_sys)
    return {
        "cov_a": calibrated.cov[of_a, of_a],
        "cov_b": calibrated.cov[of_b, of_b],
        "cov_a_iid": iid[of_a, of_a],
        "cov_b_iid": iid[of_b, of_b],
    }


def _weights(field, templates, estimate: Estimate) -> dict:
    r"""Weights of galaxies 1 / (1 + B) and of randoms (1 + A) / (1 + B)."""
    density = 1.0 + estimate.a @ templates.values
    efficiency = 1.0 + estimate.b @ templates.values
    floored = np.maximum(efficiency, MIN_WEIGHT_DENOMINATOR)
    return {
        "galaxy_weights": 1.0 / floored,
        "random_weights": density / floored,
        "cleaned": invert_contamination(field.delta, templates.values, estimate.a, estimate.b),
        "clipped": float(np.mean(efficiency < MIN_WEIGHT_DENOMINATOR)),
    }


def run_methods(
    field: Field, templates: TemplateSet, methods: Sequence[str], *, seed: int = 0, likelihood: str = "shot-noise"
) -> dict[str, Decontamination]:
    """Run several methods on one field, with one signal spectrum.

    Parameters
    ----------
    field : Field
        Observed overdensity.
    templates : TemplateSet
        Templates on the same pixels.
    methods : sequence of str
        Rows of :data:`METHODS`.
    seed : int
        Fixes the draws.
    likelihood : str
        Of the combined method.

    Returns
    -------
    dict of str to Decontamination
        In the order of ``methods``.
    """
    spectrum = signal_spectrum(field, templates)
    options = {"MCMC-comb": {"likelihood": likelihood}}
    rows = [find_method(name).name for name in methods]
    return {
        name: decontaminate(field, templates, name, spectrum=spectrum, seed=seed, **options.get(name, {}))
        for name in rows
    }
