"""Table of methods: what each estimates, and the function that does it.

Adding a method is one row and one function here; :mod:`sysmap_core.methods.decontamination` attaches
errors on a clustered sky and weights, in the same way for all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from ..covariance import SpectrumEstimate
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
    expected = sky.expected if np.all(np.isfinite(sky.expected)) else None
    fit = fit_model(sky.delta, templates, "combined", likelihood, expected=expected, draws=draws, seed=seed)
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


def _power(spectrum) -> tuple[np.ndarray | None, float]:
    """Spectrum of the pixel averages, and their variance at larger multipoles: none where it was given."""
    if isinstance(spectrum, SpectrumEstimate):
        return np.concatenate([spectrum.cl, spectrum.aliased]), spectrum.beyond
    return spectrum, 0.0


def _binned_curves(order, sky, templates, spectrum, seed, **options):
    cl = spectrum.cl if isinstance(spectrum, SpectrumEstimate) else spectrum
    return _from_curves(sky, binned_regression(sky, templates, order=order, spectrum=cl, seed=seed, **options))


def _gls(sky, templates, spectrum, seed, **options):
    cl, beyond = _power(spectrum)
    found = generalised_least_squares(sky, templates, cl, **({"beyond": beyond} | options))
    cov = np.kron(np.diag([1.0, 0.0]), found.cov)
    return _linear_estimate(sky, templates, found.a, found.diagnostics, cov=cov)


def _gls_comb(sky, templates, spectrum, seed, **options):
    cl, beyond = _power(spectrum)
    found = two_moment_fit(sky, templates, cl, **({"beyond": beyond} | options))
    keep = slice(0, 2 * templates.n_sys)
    return Estimate(found.a, found.b, found.sigma, found.diagnostics, True, cov=found.cov[keep, keep])


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
        ``(field, templates, spectrum, seed, **options) -> Estimate``; ``spectrum`` is an
        array or a :class:`~.SpectrumEstimate`, None where the field does not know its
        pixels.
    on_sky : bool
        Whether it needs the pixels and their resolution.
    linestyle, marker : str or tuple
        Of its curves and points.
    """

    name: str
    label: str
    column: str
    model: str
    colour: str
    estimate: Callable[..., Estimate]
    on_sky: bool = False
    linestyle: str | tuple = "-"
    marker: str = "o"


METHODS = {
    row.name: row
    for row in (
        Method("OLS", "OLS", "WEIGHT_OLS", "additive", "#4E79A7", _ols, linestyle=":"),
        Method(
            "ElasticNet",
            "elastic net",
            "WEIGHT_ENET",
            "additive",
            "#59A14F",
            _elastic_net,
            True,
            linestyle="--",
            marker="s",
        ),
        *(
            Method(f"ISD-{order}", f"ISD (poly-{order})", f"WEIGHT_ISD{order}", "multiplicative", colour, fit, **style)
            for order, colour, fit, style in (
                (1, "#F28E2B", partial(_joint_curves, 1), {"linestyle": "-.", "marker": "^"}),
                (3, "#9C755F", partial(_joint_curves, 3), {"linestyle": (0, (3, 1, 1, 1)), "marker": "D"}),
            )
        ),
        *(
            Method(
                f"ISD-DES-{order}",
                f"ISD, DES (poly-{order})",
                f"WEIGHT_DES{order}",
                "multiplicative",
                colour,
                fit,
                True,
                **style,
            )
            for order, colour, fit, style in (
                (1, "#EDC948", partial(_binned_curves, 1), {"linestyle": (0, (1, 1)), "marker": "<"}),
                (3, "#8A7A00", partial(_binned_curves, 3), {"linestyle": (0, (4, 1, 1, 1)), "marker": ">"}),
            )
        ),
        Method(
            "MCMC-add",
            "MCMC additive",
            "WEIGHT_ADD",
            "additive",
            "#B07AA1",
            _mcmc_add,
            linestyle=(0, (5, 2)),
            marker="v",
        ),
        Method("MCMC-comb", "MCMC combined", "WEIGHT_COMB", "combined", "#D1495B", _mcmc_comb, marker="*"),
        Method("GLS", "generalised least squares", "WEIGHT_GLS", "additive", "#1B7F79", _gls, True, "--", "P"),
        Method("GLS-comb", "GLS, combined", "WEIGHT_GLSC", "combined", "#2F3E63", _gls_comb, True, "-", "X"),
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
