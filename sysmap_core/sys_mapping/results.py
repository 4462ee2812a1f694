"""What a method found on arrays, under the keys that users of sys_mapping read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..inference import Posterior, pack_params
from ..templates import TemplateSet
from .correction import rotate_templates

LOWEST, LARGEST = 0.05, 20.0
"""Range of the single weight of a pixel."""


KEYS = (
    *("flat_chain", "sampler", "a_rot", "b_rot", "cov_a_rot", "cov_b_rot", "R", "acceptance_fraction"),
    *("n_iterations", "isd_outlier_mask", "isd_masked_fraction", "cv_info"),
    *("preselect_indices", "preselect_result", "preselect_isd"),
)
"""Keys that every result has, with None where they do not apply."""


@dataclass(frozen=True)
class SamplerSummary:
    """How a posterior was sampled.

    Parameters
    ----------
    backend : str
        Sampler of :func:`~.fit_model`.
    acceptance_fraction, rhat : float
        Of the chains; one for independent draws.
    ess : float
        Independent draws that the draws are worth.
    num_divergences : int
        Of the gradient sampler.
    """

    backend: str
    acceptance_fraction: float
    rhat: float
    ess: float
    num_divergences: int

    @classmethod
    def of(cls, fit: Posterior) -> SamplerSummary:
        """Summary of a posterior."""
        told = fit.diagnostics
        effective = told.get("importance_ess", told.get("ess_bulk", len(fit.weights)))
        chain = told.get("acceptance", 1.0), told.get("r_hat", 1.0), effective
        return cls(fit.sampler, *(float(number) for number in chain), int(told.get("divergences", 0)))


def single_weight(density: np.ndarray) -> np.ndarray:
    """Weight of galaxies that undoes an expected density alone, without weights of the randoms.

    Parameters
    ----------
    density : ndarray, shape (n_pix,)
        Expected density 1 + A, or the curve of a method that finds one [1].

    Returns
    -------
    ndarray, shape (n_pix,)
        Its inverse, between :data:`LOWEST` and :data:`LARGEST`.
    """
    return 1.0 / np.clip(density, 1.0 / LARGEST, 1.0 / LOWEST)


def as_dict(method: str, found: dict, delta: np.ndarray, templates: TemplateSet) -> dict:
    """Result of a method in the units of the templates that came.

    Parameters
    ----------
    method : str
        Row of :data:`~.METHODS`.
    found : dict
        ``a``, ``b``, ``cov_a``, ``cov_b`` per rms of the template, ``sigma``, ``galaxy_weights``,
        ``random_weights``, ``cleaned`` and ``diagnostics``.
    delta : ndarray, shape (n_pix,)
        Observed overdensity [1].
    templates : TemplateSet
        Standardised templates, with their rms.

    Returns
    -------
    dict
        All keys, those of :data:`KEYS` still None.
    """
    unit = np.outer(templates.rms, templates.rms)
    a, b = (found[name] / templates.rms for name in "ab")
    cov_a, cov_b = (found[f"cov_{name}"] / unit for name in "ab")
    return dict.fromkeys(KEYS) | {
        "method": method,
        "a_hat": a,
        "alpha_hat": a,
        "b_hat": b,
        "var_a": np.diag(cov_a).copy(),
        "var_b": np.diag(cov_b).copy(),
        "cov_a": cov_a,
        "cov_b": cov_b,
        "sigma_hat": float(found["sigma"]),
        "chi2_residual": float(np.mean((delta - found["a"] @ templates.values) ** 2)),
        "weights": single_weight(found["random_weights"] / found["galaxy_weights"]),
        "galaxy_weights": found["galaxy_weights"],
        "random_weights": found["random_weights"],
        "cleaned": found["cleaned"],
        "diagnostics": found["diagnostics"],
    }


def chain_keys(fit: Posterior, result: dict, delta_t: np.ndarray, rms: np.ndarray) -> dict:
    """Draws and moments in the basis of uncorrelated templates, as the original fitted them.

    Parameters
    ----------
    fit : Posterior
        Posterior, per rms of the template.
    result : dict
        From :func:`as_dict`.
    delta_t : ndarray, shape (n_sys, n_pix)
        Templates as they came.
    rms : ndarray, shape (n_sys,)
        Their rms.

    Returns
    -------
    dict
        ``flat_chain``, ``R``, what is rotated, ``sampler`` and its numbers.
    """
    _, rotation, _ = rotate_templates(delta_t)
    draws = fit.equal_draws()
    draws |= {name: draws[name] / rms @ rotation.T for name in "ab"}
    gamma = draws.pop("gamma")
    skewed = fit.likelihood == "skew-normal"
    summary = SamplerSummary.of(fit)
    return {
        "flat_chain": pack_params(**draws, gamma=gamma if skewed else None, model=fit.model),
        "R": rotation,
        "sampler": summary,
        "sampler_backend": summary.backend,
        **{key: getattr(summary, key) for key in ("acceptance_fraction", "rhat", "ess", "num_divergences")},
        **{f"{name}_rot": rotation @ result[f"{name}_hat"] for name in "ab"},
        **{f"cov_{name}_rot": rotation @ result[f"cov_{name}"] @ rotation.T for name in "ab"},
    }
