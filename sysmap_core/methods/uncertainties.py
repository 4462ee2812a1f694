"""Errors of the amplitudes of every method, and where they come from."""

from __future__ import annotations

import numpy as np

from ..covariance import (
    SpectrumEstimate,
    combined_covariance,
    linear_covariance,
    linear_covariance_draws,
    pixel_variance,
)
from ..sky import Field
from ..templates import TemplateSet
from .resampling import mock_covariance
from .table import Estimate, Method

COVARIANCES = ("auto", "analytic", "realisations", "independent pixels")

MAX_ANALYTIC_RMS = 0.7
"""rms of the field above which errors of b come from realisations."""

MAX_ABSORBED = 0.06
"""Share of the field's variance taken up by the fit above which errors of b come from realisations."""

N_MOCKS = 100


def amplitude_errors(
    sky: Field,
    templates: TemplateSet,
    row: Method,
    estimate: Estimate,
    spectrum: SpectrumEstimate | None,
    covariance: str,
    seed: int,
) -> dict:
    """Covariances of the amplitudes of a fit.

    Parameters
    ----------
    sky : Field
        Observed overdensity.
    templates : TemplateSet
        Templates on the same pixels.
    row : Method
        Method of the fit.
    estimate : Estimate
        What it found.
    spectrum : SpectrumEstimate, or None
        Signal spectrum of the pixel averages; None without pixels.
    covariance : str
        One of :data:`COVARIANCES`.
    seed : int
        Fixes the realisations.

    Returns
    -------
    dict
        ``cov_a``, ``cov_b``, ``cov_ab``, ``cov_a_iid``, ``cov_b_iid``, ``cov_a_draws`` and ``covariance`` of
        :class:`~.Decontamination`.
    """
    calibrated, iid = _analytic(sky, templates, row, estimate, spectrum)
    if covariance == "auto":
        covariance = _best_kind(row, estimate, templates, calibrated, spectrum)
    cov = {"analytic": calibrated, "estimator": estimate.cov, "independent pixels": iid}.get(covariance)
    if covariance == "realisations":
        cov = _realised(sky, templates, row, estimate, spectrum, seed)
    of_a, of_b = slice(0, templates.n_sys), slice(templates.n_sys, None)
    spread = None
    if spectrum is not None and len(spectrum.draws) and covariance != "independent pixels":
        spread = _spread(sky, templates, estimate, spectrum, cov[of_a, of_a])
    return {
        "cov_a": cov[of_a, of_a],
        "cov_b": cov[of_b, of_b],
        "cov_ab": cov[of_a, of_b],
        "cov_a_iid": iid[of_a, of_a],
        "cov_b_iid": iid[of_b, of_b],
        "cov_a_draws": spread,
        "covariance": covariance,
    }


def absorbed_share(templates: TemplateSet, cov_a: np.ndarray, spectrum: np.ndarray) -> float:
    """Share of the variance of a clean field that a fit of the templates takes up.

    Parameters
    ----------
    templates : TemplateSet
        Templates of the fit.
    cov_a : ndarray, shape (n_sys, n_sys)
        Covariance of the amplitudes.
    spectrum : ndarray, shape (3 nside,), or SpectrumEstimate
        Signal spectrum of the pixel averages [sr].

    Returns
    -------
    float
        Where it is large, a few modes hold much of the field, and errors to first order in its square are too large.
    """
    return float(np.mean(np.sum(templates.values * (cov_a @ templates.values), axis=0)) / pixel_variance(spectrum))


def _best_kind(row: Method, estimate: Estimate, templates, calibrated, spectrum) -> str:
    if estimate.cov is not None:
        return "estimator"
    if row.model != "combined" or not row.resampled:
        return "analytic"
    few_modes = absorbed_share(templates, calibrated[: templates.n_sys, : templates.n_sys], spectrum) > MAX_ABSORBED
    return "realisations" if few_modes or pixel_variance(spectrum) > MAX_ANALYTIC_RMS**2 else "analytic"


def _realised(sky, templates, row: Method, estimate: Estimate, spectrum, seed: int) -> np.ndarray:
    mocks = {"n_mocks": N_MOCKS, "a": estimate.a, "b": estimate.b, "seed": seed}
    drawn = mock_covariance(sky, templates, spectrum, row.name, **mocks)
    return np.cov(np.hstack([drawn.samples_a, drawn.samples_b]), rowvar=False)


def _analytic(sky, templates, row: Method, estimate: Estimate, spectrum) -> tuple[np.ndarray, np.ndarray]:
    """Joint covariances of (a, b), with clustering and without."""
    n_sys = templates.n_sys
    if row.model == "combined":
        fitted, keep = (estimate.a, estimate.b, estimate.sigma), slice(0, 2 * n_sys)
        both, iid = (
            combined_covariance(sky, templates, given, *fitted, shot_aware=estimate.shot_aware).cov[keep, keep]
            for given in (spectrum, None)
        )
        return both, iid
    linear = linear_covariance(sky, templates, spectrum, estimate.a, estimate.b)
    # the multiplicative model has b = a, the additive one b = 0
    copies = np.array([[1.0, 1.0], [1.0, 1.0]]) if row.model == "multiplicative" else np.diag([1.0, 0.0])
    iid = estimate.sigma**2 * np.linalg.inv(linear.fisher)
    return np.kron(copies, linear.cov), np.kron(copies, iid)


def _spread(sky, templates, estimate: Estimate, spectrum: SpectrumEstimate, cov_a) -> np.ndarray:
    """Covariances of a for likely spectra: those of the linear fit, brought to the covariance of this method."""
    draws = np.vstack([spectrum.cl, spectrum.draws])
    known = {"unresolved": spectrum.unresolved}
    best, *others = np.linalg.cholesky(linear_covariance_draws(sky, templates, draws, estimate.a, estimate.b, **known))
    to_method = np.linalg.cholesky(cov_a) @ np.linalg.inv(best)
    return np.array([to_method @ root @ root.T @ to_method.T for root in others])
