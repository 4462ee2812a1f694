"""Table of methods: what each estimates, and the function that does it.

Adding a method is one row and one function here; :mod:`sysmap_core.methods.decontamination` attaches
errors on a clustered sky and weights, in the same way for all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from ..errors import unknown_name
from ..inference import field_rms, fit_model
from ..sky import Field
from ..templates import TemplateSet
from .gls import generalised_least_squares, two_moment_fit
from .isd import Curves, binned_regression, iterative_regression
from .linear import elastic_net, least_squares


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
    cov : ndarray, shape (2 n_sys, 2 n_sys), optional
        Covariance of ``(a, b)`` on the clustered sky, of a method that knows its own.
    selection : ndarray, shape (n_pix,), optional
        Expected density and selection efficiency, where they are a curve of the templates rather
        than linear in them.
    details : dict
        What else the method found, e.g. its curves.
    """

    a: np.ndarray
    b: np.ndarray
    sigma: float
    diagnostics: dict
    shot_aware: bool = False
    cov: np.ndarray | None = None
    selection: np.ndarray | None = None
    details: dict = field(default_factory=dict)


def _linear_estimate(sky: Field, templates: TemplateSet, a: np.ndarray, diagnostics: dict, **more) -> Estimate:
    return Estimate(a, np.zeros_like(a), float(np.std(sky.delta - a @ templates.values)), diagnostics, **more)


def _ols(sky, templates, spectrum, seed):
    return _linear_estimate(sky, templates, least_squares(sky, templates), {})


def _elastic_net(sky, templates, spectrum, seed, *, l1_ratio: float = 0.5, n_folds: int = 5):
    return _linear_estimate(sky, templates, *elastic_net(sky, templates, l1_ratio=l1_ratio, n_folds=n_folds))


def _mcmc_add(sky, templates, spectrum, seed, *, draws: int = 2048):
    fit = fit_model(sky.delta, templates, "additive", "gaussian", draws=draws, seed=seed)
    return Estimate(fit.a, fit.b, fit.sigma, {**fit.diagnostics, "status": fit.status, "lnl": fit.maximum.lnl})


def _mcmc_comb(sky, templates, spectrum, seed, *, likelihood: str | None = None, draws: int = 2048):
    fit = fit_model(sky, templates, "combined", likelihood, draws=draws, seed=seed)
    diagnostics = {**fit.diagnostics, "status": fit.status, "lnl": fit.maximum.lnl, "gamma": fit.gamma}
    return Estimate(fit.a, fit.b, field_rms(fit.sigma, fit.gamma), diagnostics, fit.likelihood == "shot-noise")


def _from_curves(sky, found: Curves) -> Estimate:
    """Curves are what the pixels are corrected with; amplitudes are their projections."""
    details = {k: getattr(found, k) for k in ("grid", "values", "order", "before", "after", "calibrated", "threshold")}
    details["corrected"] = [vars(step) for step in found.corrected]
    diagnostics = {"iterations": found.iterations, "n_capped": found.n_capped, "status": found.status}
    sigma = float(np.std((1.0 + sky.delta) / found.curve - 1.0))
    return Estimate(found.a, found.a, sigma, diagnostics, selection=found.curve, details=details)


def _joint_curves(order, sky, templates, spectrum, seed, **options):
    return _from_curves(sky, iterative_regression(sky, templates, order=order, **options))


def _binned_curves(order, sky, templates, spectrum, seed, **options):
    found = binned_regression(sky, templates, order=order, spectrum=spectrum, seed=seed, **options)
    return _from_curves(sky, found)


def _gls(sky, templates, spectrum, seed, **options):
    found = generalised_least_squares(sky, templates, spectrum, **options)
    cov = np.kron(np.diag([1.0, 0.0]), found.cov)
    return _linear_estimate(sky, templates, found.a, found.diagnostics, cov=cov)


def _gls_comb(sky, templates, spectrum, seed, **options):
    found = two_moment_fit(sky, templates, spectrum, **options)
    keep = slice(0, 2 * templates.n_sys)
    return Estimate(found.a, found.b, found.sigma, found.diagnostics, True, cov=found.cov[keep, keep])


@dataclass(frozen=True)
class Method:
    """One row of the table of methods: all that the package knows about a method stands here.

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
        ``(field, templates, spectrum, seed, **options) -> Estimate``; ``spectrum`` is a :class:`~.SpectrumEstimate`,
        None where the field does not know its pixels.
    linestyle, marker : str or tuple
        Of its curves and points.
    options : tuple of str
        Keyword arguments that it takes.
    on_sky : bool
        Whether it needs the pixels and their resolution.
    resampled : {"linear", "combined", ""}
        Fit behind its amplitudes, where resamples and realisations can repeat it.
    preference : int
        The converged method with the largest one is behind WEIGHT_SYS; zero for those that never are by choice.
    cards : mapping of str to str
        Cards of the weights file that hold its amplitudes, and which of them.
    """

    name: str
    label: str
    column: str
    model: str
    colour: str
    estimate: Callable[..., Estimate]
    linestyle: str | tuple = "-"
    marker: str = "o"
    options: tuple[str, ...] = ()
    on_sky: bool = False
    resampled: str = ""
    preference: int = 0
    cards: Mapping[str, str] = field(default_factory=dict)


def _isd(order: int, colour: str, linestyle, marker: str) -> Method:
    label, options = f"ISD (poly-{order})", ("tolerance", "max_fits")
    fit, column = partial(_joint_curves, order), f"WEIGHT_ISD{order}"
    return Method(f"ISD-{order}", label, column, "multiplicative", colour, fit, linestyle, marker, options)


def _isd_des(order: int, colour: str, linestyle, marker: str) -> Method:
    label, column, fit = f"ISD, DES (poly-{order})", f"WEIGHT_DES{order}", partial(_binned_curves, order)
    options = ("threshold", "n_bins", "nulls", "n_mocks", "calibrated", "max_corrections")
    looks = {"linestyle": linestyle, "marker": marker}
    return Method(
        f"ISD-DES-{order}", label, column, "multiplicative", colour, fit, **looks, options=options, on_sky=True
    )


METHODS = {
    row.name: row
    for row in (
        Method("OLS", "OLS", "WEIGHT_OLS", "additive", "#4E79A7", _ols, linestyle=":", resampled="linear"),
        Method(
            "ElasticNet",
            "elastic net",
            "WEIGHT_ENET",
            "additive",
            "#59A14F",
            _elastic_net,
            linestyle="--",
            marker="s",
            options=("l1_ratio", "n_folds"),
            on_sky=True,
        ),
        _isd(1, "#F28E2B", "-.", "^"),
        _isd(3, "#9C755F", (0, (3, 1, 1, 1)), "D"),
        _isd_des(1, "#EDC948", (0, (1, 1)), "<"),
        _isd_des(3, "#8A7A00", (0, (4, 1, 1, 1)), ">"),
        Method(
            "MCMC-add",
            "MCMC additive",
            "WEIGHT_ADD",
            "additive",
            "#B07AA1",
            _mcmc_add,
            linestyle=(0, (5, 2)),
            marker="v",
            options=("draws",),
            resampled="linear",
            cards={"A_ADD": "a_mean"},
        ),
        Method(
            "MCMC-comb",
            "MCMC combined",
            "WEIGHT_COMB",
            "combined",
            "#D1495B",
            _mcmc_comb,
            marker="*",
            options=("likelihood", "draws"),
            resampled="combined",
            preference=2,
            cards={"A_CMB": "a_mean", "B_CMB": "b_mean"},
        ),
        Method(
            "GLS",
            "generalised least squares",
            "WEIGHT_GLS",
            "additive",
            "#1B7F79",
            _gls,
            linestyle="--",
            marker="P",
            options=("a", "beyond", "tolerance"),
            on_sky=True,
            preference=1,
        ),
        Method(
            "GLS-comb",
            "GLS, combined",
            "WEIGHT_GLSC",
            "combined",
            "#2F3E63",
            _gls_comb,
            marker="X",
            options=("beyond", "tolerance", "steps"),
            on_sky=True,
            preference=3,
        ),
    )
}
"""The methods, by name."""


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
