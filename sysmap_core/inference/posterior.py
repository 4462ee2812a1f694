"""Posterior of contamination amplitudes, exact and mostly without a Markov chain.

The additive model with a Gaussian likelihood has a closed form.  Everything else: guarded Newton
steps to the maximum in a whitened basis, a normal approximation there (along the skewness, where
there is one), and draws from it re-weighted to the posterior; a gradient sampler where these
weights are not reliable, and an ensemble sampler as a cross-check.  Priors are flat in the
amplitudes, in ``gamma`` and in ``sigma > 0``.  Errors are those of independent pixels.  Galaxies
cluster, so on a sky they are too small: see :mod:`sysmap_core.covariance.sandwich`.
"""

from __future__ import annotations

import time
import warnings
from dataclasses import dataclass, field, replace

import numpy as np
from scipy.special import gammaln

from ..errors import DataError, unknown_name
from ..files import plain, restored
from ..sky import CountNoise, Field
from ..templates import TemplateSet, whiten
from .chains import Chain, laplace_draws, run_emcee, run_nuts
from .contamination import MIN_EFFICIENCY, check_model
from .coordinates import Coordinates, Maximum, first_guess
from .importance import importance_draws
from .likelihood import find_likelihood
from .maximum import Mode, find_mode
from .pixel_likelihood import PixelSums

SAMPLERS = ("auto", "closed-form", "importance", "nuts", "emcee")

MIN_PIXELS_PER_PARAMETER = 10

MAX_K_HAT = 0.7

MIN_SIGMA = 1e-3
"""Smallest width of the field, relative to the rms of the overdensity, that is one."""


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

    def equal_draws(self) -> dict[str, np.ndarray]:
        """``draws`` with equal weights: as they are, or resampled by their weights with the seed of the fit."""
        if np.ptp(self.weights) == 0:
            return dict(self.draws)
        pick = np.random.default_rng(self.seed).choice(len(self.weights), len(self.weights), p=self.weights)
        return {name: values[pick] for name, values in self.draws.items()}

    def to_arviz(self):
        """Draws as ArviZ inference data; weighted draws are resampled.

        Returns
        -------
        arviz.InferenceData
            Groups ``posterior`` and ``attrs`` of it: model, likelihood, sampler.
        """
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # announces the next major version
            import arviz
        draws = {k: v[None] for k, v in self.equal_draws().items()}
        kind = {"model": self.model, "likelihood": self.likelihood, "sampler": self.sampler}
        dims = {key: ["template"] for key in "ab"}
        return arviz.from_dict(draws, coords={"template": list(self.names)}, dims=dims, posterior_attrs=kind)

    def to_dict(self) -> dict:
        """Everything in plain Python types, draws included."""
        return plain(vars(self) | {"maximum": vars(self.maximum)})

    @classmethod
    def from_dict(cls, content: dict) -> Posterior:
        """Posterior from what :meth:`to_dict` gave; DataError when something is missing."""
        draws = {k: np.array(v, float) for k, v in content.get("draws", {}).items()}
        maximum = restored(Maximum, content.get("maximum", {}), "maximum")
        return restored(cls, content | {"draws": draws, "maximum": maximum}, "posterior")


def fit_model(
    delta: np.ndarray | Field,
    templates: TemplateSet | np.ndarray,
    model: str = "combined",
    likelihood: str | None = None,
    *,
    expected=None,
    sampler: str = "auto",
    draws: int = 2048,
    seed: int = 0,
    degenerate: str = "error",
    precision: str = "float32",
    device: str = "auto",
) -> Posterior:
    """Infer additive and multiplicative contamination jointly.

    Parameters
    ----------
    delta : Field or ndarray, shape (n_pix,)
        Observed overdensity [1]; a field knows the noise of its counts.
    templates : TemplateSet or ndarray, shape (n_sys, n_pix)
        Standardised templates [1].
    model : {"additive", "multiplicative", "combined"}
        Contamination model.
    likelihood : {"gaussian", "skew-normal", "shot-noise"}, optional
        By default shot-noise-aware where the noise of the counts is known, Gaussian otherwise.
    expected : ndarray, shape (n_pix,), optional
        Expected galaxies per pixel, without weights and on a known coverage, beside an array.
    sampler : {"auto", "closed-form", "importance", "nuts", "emcee"}
        ``auto`` takes the closed form where it exists, else importance draws, and the No-U-Turn
        sampler where their weights are unreliable (k-hat above 0.7).
    draws : int
        Number of posterior draws; emcee keeps its own number.
    seed : int
        Fixes every draw.
    degenerate : {"error", "project"}
        What to do with linear combinations of templates that vanish: stop, or leave them out.
    precision : {"float64", "float32"}
        Of the likelihoods of importance draws and of emcee; sums over pixels, maxima and NUTS are
        always in double precision.
    device : {"auto", "cpu", "gpu"}
        Where to compute; ``auto`` is JAX's own choice.

    Returns
    -------
    Posterior
        With its diagnostics.

    Raises
    ------
    ParameterError
        For a name that is not known.
    DataError
        For data that cannot be fitted: shapes, values, degenerate templates, too few pixels, or too few randoms for
        amplitudes of the variance.

    References
    ----------
    Berlfein et al. (2024), section 3.
    """
    start = time.perf_counter()
    delta, noise = _delta_and_noise(delta, expected)
    likelihood = likelihood or ("gaussian" if noise is None else "shot-noise")
    closed = _check_names(model, likelihood, sampler)
    if noise is not None and model != "additive" and find_likelihood(likelihood).needs_noise:
        noise.check_randoms()
    values, names = _values_and_names(templates)
    basis, white = whiten(values, names, degenerate)
    sums = PixelSums(delta, white, model, likelihood, noise, precision=precision, device=device)
    _check_size(sums, delta)
    if closed and sampler in ("auto", "closed-form"):
        sampler, result = "closed-form", _closed_form(delta, white, basis, draws, seed)
    else:
        mode = find_mode(sums, first_guess(sums, delta, white))
        _check_width(sums, mode, delta)
        coordinates = Coordinates(sums, basis, model)
        sampler, result = _sampled(sums, mode, coordinates, sampler, draws, seed)
    result["diagnostics"]["condition_number"] = _condition_number(basis)
    elapsed = time.perf_counter() - start
    return Posterior(
        model=model, likelihood=likelihood, sampler=sampler, names=names, seed=seed, elapsed_s=elapsed, **result
    )


def posterior_starts(
    delta: np.ndarray, templates: np.ndarray, model: str, likelihood: str, number: int, seed: int
) -> dict[str, np.ndarray]:
    """Where the walkers of a chain may start: draws of the normal approximation at the maximum.

    Parameters
    ----------
    delta, templates, model, likelihood
        As in :func:`fit_model`, for a likelihood that needs no expected counts.
    number : int
        Points wanted.
    seed : int
        Fixes them.

    Returns
    -------
    dict of ndarray
        ``a``, ``b`` of shape (number, n_sys), ``sigma``, ``gamma`` of shape (number,), above the efficiency floor.

    Raises
    ------
    DataError
        For data that cannot be fitted: shapes, values, degenerate templates.
    """
    values, names = _values_and_names(templates)
    _check_varies(delta)
    basis, white = whiten(values, names)
    sums = PixelSums(delta, white, model, likelihood)
    mode = find_mode(sums, first_guess(sums, delta, white))
    return Coordinates(sums, basis, model).physical(laplace_draws(sums, mode, number, seed))


def _delta_and_noise(delta, expected) -> tuple[np.ndarray, CountNoise | None]:
    if isinstance(delta, Field):
        if expected is not None:
            msg = "expected came beside a Field, which carries its own: leave it out"
            raise DataError(msg)
        # an overdensity of unknown counts has infinitely many of them
        return delta.delta, delta.noise if np.all(np.isfinite(delta.expected)) else None
    if expected is None:
        return np.asarray(delta, float), None
    with np.errstate(divide="ignore"):
        return np.asarray(delta, float), CountNoise.poisson(expected)


def _check_names(model: str, likelihood: str, sampler: str) -> bool:
    """Whether the posterior has a closed form, after checking all names."""
    check_model(model)
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
    return closed


def _values_and_names(templates) -> tuple[np.ndarray, tuple[str, ...]]:
    if isinstance(templates, TemplateSet):
        return templates.values, templates.names
    values = np.asarray(templates, float)
    return values, tuple(f"template {i}" for i in range(len(values)))


def _check_size(sums: PixelSums, delta: np.ndarray) -> None:
    needed = MIN_PIXELS_PER_PARAMETER * sums.n_params
    if sums.n_pix < needed:
        msg = f"{sums.n_pix} pixels for {sums.n_params} parameters: give at least {needed}, or fewer templates"
        raise DataError(msg)
    _check_varies(delta)


def _check_varies(delta: np.ndarray) -> None:
    if np.std(delta) == 0.0:
        msg = f"delta is constant ({delta[0]:.6g}): there is no field whose width could be fitted"
        raise DataError(msg)


def _check_width(sums: PixelSums, mode: Mode, delta: np.ndarray) -> None:
    sigma = np.exp(mode.x[sums.n_free])
    if sigma < MIN_SIGMA * np.std(delta):
        msg = (
            f"sigma fell to {sigma:.1e} where delta has an rms of {np.std(delta):.3g}: there is no variance beyond "
            "the shot noise or the templates; take a coarser nside, or likelihood 'gaussian'"
        )
        raise DataError(msg)


def _condition_number(basis: np.ndarray) -> float:
    """Of the template covariance; the basis holds the inverse roots of its eigenvalues."""
    return float(np.linalg.cond(basis) ** 2) if basis.size else 1.0


def _sampled(
    sums: PixelSums, mode: Mode, coordinates: Coordinates, sampler: str, n_draws: int, seed: int
) -> tuple[str, dict]:
    """Draws of one of the samplers; ``auto`` falls back on a chain when the weights are unreliable."""
    floored = {"min_efficiency": mode.efficiency, "on_floor": bool(mode.efficiency < 1.05 * MIN_EFFICIENCY)}
    common = floored | {"newton_steps": mode.steps, "newton_decrement": mode.decrement}
    found = importance_draws(sums, mode, n_draws, np.random.default_rng(seed))
    reliable = found.k_hat <= MAX_K_HAT
    if sampler == "importance" or (sampler == "auto" and reliable):
        status = "converged" if reliable else f"importance weights are unreliable (k-hat {found.k_hat:.2f})"
        diagnostics = common | {"k_hat": found.k_hat, "importance_ess": found.effective}
        result = coordinates.result(mode, found.mean, found.cov, found.draws, found.weights)
        return "importance", result | _state(mode, diagnostics, status)
    if sampler == "auto":
        common["k_hat"] = found.k_hat
    # chains start on the posterior, which the curvature at the maximum does not tell near gamma = 0
    start = replace(mode, x=found.mean, information=np.linalg.inv(found.cov)) if reliable else mode
    chain: Chain = run_emcee(sums, start, seed) if sampler == "emcee" else run_nuts(sums, start, n_draws, seed)
    flat = chain.draws.reshape(-1, sums.n_params)
    weights = np.full(len(flat), 1.0 / len(flat))
    result = coordinates.result(mode, flat.mean(0), np.cov(flat.T), flat, weights)
    return "emcee" if sampler == "emcee" else "nuts", result | _state(mode, common | chain.diagnostics, chain.status)


def _state(mode: Mode, diagnostics: dict, status: str) -> dict:
    """Diagnostics with the verdict on the fit; a bad maximum comes before a bad sampler."""
    if diagnostics["on_floor"]:
        status = f"the maximum sits on the efficiency floor of {MIN_EFFICIENCY}: mask the outliers of the templates"
    elif mode.decrement > 1e-6:
        status = f"the maximum was not reached (Newton decrement {mode.decrement:.1e})"
    return {"diagnostics": diagnostics, "converged": status == "converged", "status": status}


def _closed_form(delta, white, basis, n_draws: int, seed: int) -> dict:
    """Additive Gaussian posterior: normal amplitudes given an inverse-gamma variance."""
    rng = np.random.default_rng(seed)
    n_pix, n_free = len(delta), len(white)
    free = white @ delta / n_pix
    rss = float(delta @ delta - n_pix * free @ free)
    if not rss > MIN_SIGMA**2 * (delta @ delta):
        msg = "templates reproduce delta: there is no field left whose width could be fitted"
        raise DataError(msg)
    shape = 0.5 * (n_pix - n_free - 1)
    variance = 0.5 * rss / rng.gamma(shape, size=n_draws)
    noise = rng.standard_normal((n_draws, n_free)) @ basis.T / np.sqrt(n_pix)
    sigma2 = 0.5 * rss / (shape - 1.0)
    sigma = float(np.sqrt(0.5 * rss) * np.exp(gammaln(shape - 0.5) - gammaln(shape)))
    n_sys = len(basis)
    cov = np.zeros((2 * n_sys + 2, 2 * n_sys + 2))
    cov[:n_sys, :n_sys] = sigma2 * basis @ basis.T / n_pix
    cov[-2, -2] = sigma2 - sigma**2
    sigma_max = np.sqrt(rss / n_pix)
    lnl = -0.5 * n_pix * (np.log(2.0 * np.pi * sigma_max**2) + 1.0)
    a, zeros = basis @ free, np.zeros(n_sys)
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
        "diagnostics": {},
        "converged": True,
        "status": "exact",
    }
