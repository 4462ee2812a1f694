"""Posterior of contamination amplitudes, exact and without a Markov chain.

The additive model with a Gaussian likelihood has a closed form.  Everything else: guarded
Newton steps to the maximum in a whitened basis, the Laplace approximation there, and draws
from it re-weighted to the posterior.  Priors are flat in the amplitudes, in ``gamma`` and in
``sigma > 0``.

The errors here are those of independent pixels.  Galaxies cluster, so on a sky they are too
small: see :mod:`sysmap_core.covariance`.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import numpy as np

from .contamination import MIN_EFFICIENCY, amplitude_basis, check_model
from .errors import DataError, unknown_name
from .importance import effective_draws, smoothed_weights
from .likelihood import PixelSums, find_likelihood
from .maximum import Mode, find_mode, whiten
from .templates import TemplateSet

SAMPLERS = ("auto", "closed-form", "importance")

MIN_PIXELS_PER_PARAMETER = 10
MAX_K_HAT = 0.7
PROPOSAL_WIDTH = 1.04
"""The proposal is slightly wider than the Laplace approximation, to cover heavier tails."""


@dataclass(frozen=True)
class Maximum:
    """Maximum of a likelihood.

    Parameters
    ----------
    a, b : ndarray, shape (n_sys,)
        Amplitudes, per rms of the template.
    sigma, gamma : float
        Width and skewness of the field; ``gamma`` is zero unless the likelihood is skewed.
    lnl : float
        Log-likelihood.
    """

    a: np.ndarray
    b: np.ndarray
    sigma: float
    gamma: float
    lnl: float


@dataclass(frozen=True)
class Posterior:
    """Posterior of amplitudes and field parameters, for independent pixels.

    Parameters
    ----------
    model, likelihood, sampler : str
        What was fitted, and how.
    names : tuple of str
        Templates.
    a, b : ndarray, shape (n_sys,)
        Posterior means, per rms of the template.
    sigma, gamma : float
        Posterior means.
    cov : ndarray, shape (2 n_sys + 2, 2 n_sys + 2)
        Joint covariance of ``(a, b, sigma, gamma)``; zero rows for what is fixed.
    maximum : Maximum
        Maximum of the likelihood.
    draws : dict of ndarray
        ``a``, ``b`` of shape (n_draws, n_sys), ``sigma``, ``gamma`` of shape (n_draws,).
    weights : ndarray, shape (n_draws,)
        Weights of the draws, sum one.
    diagnostics : dict
        Numbers that apply to this sampler only.
    converged : bool
        Whether the result can be used.
    status : str
        Why, in a sentence.
    seed : int
        Of the draws.
    elapsed_s : float
        Wall time [s].
    """

    model: str
    likelihood: str
    sampler: str
    names: tuple[str, ...]
    a: np.ndarray
    b: np.ndarray
    sigma: float
    gamma: float
    cov: np.ndarray
    maximum: Maximum
    draws: dict[str, np.ndarray] = field(repr=False)
    weights: np.ndarray = field(repr=False)
    diagnostics: dict
    converged: bool
    status: str
    seed: int
    elapsed_s: float

    @property
    def cov_a(self) -> np.ndarray:
        """Covariance of ``a``, shape (n_sys, n_sys)."""
        return self.cov[: len(self.a), : len(self.a)]

    @property
    def cov_b(self) -> np.ndarray:
        """Covariance of ``b``, shape (n_sys, n_sys)."""
        return self.cov[len(self.a) : 2 * len(self.a), len(self.a) : 2 * len(self.a)]


def fit_model(
    delta,
    templates,
    model: str = "combined",
    likelihood: str | None = None,
    *,
    expected=None,
    sampler: str = "auto",
    draws: int = 2048,
    seed: int = 0,
) -> Posterior:
    """Infer additive and multiplicative contamination jointly.

    Parameters
    ----------
    delta : ndarray, shape (n_pix,)
        Observed overdensity [1].
    templates : TemplateSet or ndarray, shape (n_sys, n_pix)
        Standardised templates [1].
    model : {"additive", "multiplicative", "combined"}
        Contamination model.
    likelihood : {"gaussian", "skew-normal", "shot-noise"}, optional
        By default shot-noise-aware when ``expected`` is given, Gaussian otherwise.
    expected : ndarray, shape (n_pix,), optional
        Expected galaxies per pixel.
    sampler : {"auto", "closed-form", "importance"}
        ``auto`` takes the closed form where it exists.
    draws : int
        Number of posterior draws.
    seed : int
        Fixes every draw.

    Returns
    -------
    Posterior
        With its diagnostics.

    Raises
    ------
    ParameterError
        For a name that is not known.
    DataError
        For data that cannot be fitted: shapes, values, degenerate templates, too few pixels.

    References
    ----------
    Berlfein et al. (2024), section 3.
    """
    start = time.perf_counter()
    check_model(model)
    likelihood = likelihood or ("gaussian" if expected is None else "shot-noise")
    find_likelihood(likelihood)
    if sampler not in SAMPLERS:
        raise unknown_name("sampler", sampler, SAMPLERS)
    closed = model == "additive" and likelihood == "gaussian"
    if sampler == "closed-form" and not closed:
        msg = (
            f"sampler is 'closed-form' for the {model} model with the {likelihood} likelihood: "
            "it exists for the additive model with the gaussian one; take 'auto'"
        )
        raise DataError(msg)
    values, names = _values_and_names(templates)
    delta = np.asarray(delta, float)
    rng = np.random.default_rng(seed)
    if closed and sampler != "importance":
        sums = PixelSums(delta, values, model, likelihood)
        _check_size(sums)
        result = _closed_form(delta, values, names, draws, rng)
        sampler = "closed-form"
    else:
        basis, white = whiten(values, names)
        sums = PixelSums(delta, white, model, likelihood, expected)
        _check_size(sums)
        result = _importance(sums, _start(sums, delta, white), basis, model, draws, rng)
        sampler = "importance"
    elapsed = time.perf_counter() - start
    return Posterior(
        model=model, likelihood=likelihood, sampler=sampler, names=names, seed=seed, elapsed_s=elapsed, **result
    )


def _values_and_names(templates) -> tuple[np.ndarray, tuple[str, ...]]:
    if isinstance(templates, TemplateSet):
        return templates.values, templates.names
    values = np.asarray(templates, float)
    return values, tuple(f"template {i}" for i in range(len(values)))


def _check_size(sums: PixelSums) -> None:
    needed = MIN_PIXELS_PER_PARAMETER * sums.n_params
    if sums.n_pix < needed:
        msg = f"{sums.n_pix} pixels for {sums.n_params} parameters: give at least {needed}, or fewer templates"
        raise DataError(msg)


def _start(sums: PixelSums, delta: np.ndarray, white: np.ndarray) -> np.ndarray:
    """No contamination beyond the linear fit, which is exact for the additive Gaussian model."""
    x = np.zeros(sums.n_params)
    x[: sums.n_sys] = white @ delta / len(delta)
    if not np.std(delta) > 0:
        msg = f"delta is constant ({delta[0]:.6g}): there is no field whose width could be fitted"
        raise DataError(msg)
    x[sums.n_free] = np.log(np.std(delta))
    # the multiplicative model ties b to a: the linear fit may lie outside the allowed region
    while sums.values(x)[0][0] == -np.inf:
        x[: sums.n_free] /= 2.0
    return x


def _importance(sums: PixelSums, x: np.ndarray, basis: np.ndarray, model: str, n_draws: int, rng) -> dict:
    mode = find_mode(sums, x)
    draws, weights, k_hat = _reweighted_draws(sums, mode, n_draws, rng)
    mean, cov = _moments(sums, mode, draws, weights)
    to_physical = _to_physical(sums, basis, model)
    means, maximum = to_physical(mean), to_physical(mode.x)
    transform = _jacobian(sums, basis, model, means["sigma"])
    on_floor = mode.efficiency < 1.05 * MIN_EFFICIENCY
    newton = mode.decrement < 1e-6
    status = (
        f"the maximum sits on the efficiency floor of {MIN_EFFICIENCY}: mask the outliers of the templates"
        if on_floor
        else f"the maximum was not reached (Newton decrement {mode.decrement:.1e})"
        if not newton
        else f"importance weights are unreliable (k-hat {k_hat:.2f} above {MAX_K_HAT})"
        if k_hat > MAX_K_HAT
        else "converged"
    )
    return {
        **means,
        "cov": transform @ cov @ transform.T,
        "maximum": Maximum(**maximum, lnl=mode.lnl),
        "draws": to_physical(draws),
        "weights": weights,
        "diagnostics": {
            "k_hat": k_hat,
            "importance_ess": effective_draws(weights),
            "min_efficiency": mode.efficiency,
            "newton_steps": mode.steps,
            "newton_decrement": mode.decrement,
        },
        "converged": status == "converged",
        "status": status,
    }


def _reweighted_draws(sums: PixelSums, mode: Mode, n_draws: int, rng):
    half = rng.standard_normal((-(-n_draws // 2), sums.n_params))
    z = np.concatenate([half, -half])[:n_draws]  # antithetic: the mean of the proposal is exact
    cholesky = np.linalg.cholesky(np.linalg.inv(mode.information))
    draws = mode.x + PROPOSAL_WIDTH * z @ cholesky.T
    lnl, _ = sums.values(draws)
    # flat in sigma, so the density of ln sigma carries a factor sigma
    log_ratio = lnl + draws[:, sums.n_free] + 0.5 * np.square(z).sum(1)
    weights, k_hat = smoothed_weights(log_ratio)
    return draws, weights, k_hat


def _moments(sums: PixelSums, mode: Mode, draws, weights):
    """Mean and covariance; what is known of the proposal serves as control variate."""
    offset = draws - mode.x
    excess = weights - 1.0 / len(weights)
    shift = excess @ offset
    proposal = PROPOSAL_WIDTH**2 * np.linalg.inv(mode.information)
    cov = proposal + (offset * excess[:, None]).T @ offset - np.outer(shift, shift)
    return mode.x + shift, cov


def _to_physical(sums: PixelSums, basis: np.ndarray, model: str):
    to_a, to_b = amplitude_basis(sums.n_sys, model)

    def convert(x):
        free = x[..., : sums.n_free]
        gamma = x[..., sums.n_free + 1] if sums.row.skewed else np.zeros(x.shape[:-1])
        sigma = np.exp(x[..., sums.n_free])
        scalar = np.ndim(sigma) == 0
        return {
            "a": free @ to_a.T @ basis.T,
            "b": free @ to_b.T @ basis.T,
            "sigma": float(sigma) if scalar else sigma,
            "gamma": float(gamma) if scalar else gamma,
        }

    return convert


def _jacobian(sums: PixelSums, basis: np.ndarray, model: str, sigma: float) -> np.ndarray:
    """Derivatives of (a, b, sigma, gamma) with respect to the free parameters."""
    to_a, to_b = amplitude_basis(sums.n_sys, model)
    jacobian = np.zeros((2 * sums.n_sys + 2, sums.n_params))
    jacobian[: sums.n_sys, : sums.n_free] = basis @ to_a
    jacobian[sums.n_sys : 2 * sums.n_sys, : sums.n_free] = basis @ to_b
    jacobian[-2, sums.n_free] = sigma
    if sums.row.skewed:
        jacobian[-1, sums.n_free + 1] = 1.0
    return jacobian


def _closed_form(delta, values, names, n_draws: int, rng) -> dict:
    """Additive Gaussian posterior: normal amplitudes given an inverse-gamma variance."""
    n_pix, n_sys = len(delta), len(values)
    whiten(values, names)  # names degenerate templates
    gram_inverse = np.linalg.inv(values @ values.T)
    a = gram_inverse @ (values @ delta)
    rss = float(delta @ delta - a @ (values @ delta))
    if not rss > 1e-12 * max(delta @ delta, 1e-300):
        msg = "templates reproduce delta exactly: there is no field left whose width could be fitted"
        raise DataError(msg)
    shape = 0.5 * (n_pix - n_sys - 1)
    variance = 0.5 * rss / rng.gamma(shape, size=n_draws)
    noise = rng.standard_normal((n_draws, n_sys)) @ np.linalg.cholesky(gram_inverse).T
    sigma2 = 0.5 * rss / (shape - 1.0)
    sigma = float(np.sqrt(0.5 * rss) * np.exp(_log_gamma_ratio(shape)))
    cov = np.zeros((2 * n_sys + 2, 2 * n_sys + 2))
    cov[:n_sys, :n_sys] = sigma2 * gram_inverse
    cov[-2, -2] = sigma2 - sigma**2
    sigma_max = np.sqrt(rss / n_pix)
    lnl = -0.5 * n_pix * (np.log(2.0 * np.pi * sigma_max**2) + 1.0)
    zeros = np.zeros(n_sys)
    return {
        "a": a,
        "b": zeros,
        "sigma": sigma,
        "gamma": 0.0,
        "cov": cov,
        "maximum": Maximum(a, zeros, float(sigma_max), 0.0, float(lnl)),
        "draws": {
            "a": a + np.sqrt(variance)[:, None] * noise,
            "b": np.zeros((n_draws, n_sys)),
            "sigma": np.sqrt(variance),
            "gamma": np.zeros(n_draws),
        },
        "weights": np.full(n_draws, 1.0 / n_draws),
        "diagnostics": {"condition_number": float(np.linalg.cond(gram_inverse)) if n_sys else 1.0},
        "converged": True,
        "status": "exact",
    }


def _log_gamma_ratio(shape: float) -> float:
    """Logarithm of Gamma(shape - 1/2) / Gamma(shape), for the mean of an inverse-gamma's root."""
    from scipy.special import gammaln

    return float(gammaln(shape - 0.5) - gammaln(shape))
