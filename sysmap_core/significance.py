"""Is a sample contaminated, by what, and does correcting it help?

Every probability here is calibrated: it uses covariances on the clustered sky.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import chi2

from .covariance import combined_covariance, ratio_null_weights
from .likelihood import field_rms
from .methods import Decontamination
from .posterior import fit_model
from .sky import Field
from .spectra import signal_spectrum
from .templates import TemplateSet

NULL_DRAWS = 100_000
P_FLOOR = 1.0 / (1.0 + NULL_DRAWS)
"""Smallest probability that the draws can give."""

SIGNIFICANCE = 0.05


def p_text(p: float) -> str:
    """Text of a probability, never below what the draws can tell.

    Parameters
    ----------
    p : float
        Probability from :data:`NULL_DRAWS` draws.

    Returns
    -------
    str
        Two digits, or ``<`` and the floor.
    """
    return f"{p:.2g}" if p > P_FLOOR else f"<{P_FLOOR:.0e}"


@dataclass(frozen=True)
class RatioTest:
    r"""Likelihood ratio of the additive model in the combined one.

    Parameters
    ----------
    ratio : float
        lambda = 2 [ln L(combined) - ln L(additive)], both at their maxima.
    p : float
        Probability of a larger ratio on a clustered sky without multiplicative contamination.
    p_floor : float
        Smallest p that the draws of the null can give.
    p_wilks : float
        The same for independent Gaussian pixels, which galaxies are not.
    null_mean : float
        Mean of the ratio under the null; Wilks: the number of templates.
    """

    ratio: float
    p: float
    p_floor: float
    p_wilks: float
    null_mean: float


def likelihood_ratio(
    field: Field, templates: TemplateSet, *, likelihood: str = "shot-noise", spectrum=None, seed: int = 0
) -> RatioTest:
    r"""Test whether there is multiplicative contamination beside the additive one.

    Parameters
    ----------
    field : Field
        Observed overdensity.
    templates : TemplateSet
        Templates on the same pixels.
    likelihood : str
        Likelihood of both fits.
    spectrum : ndarray, shape (3 nside,), optional
        Signal spectrum of the pixel averages [sr]; estimated from the field by default.
    seed : int
        Fixes the draws of the null.

    Returns
    -------
    RatioTest
        The ratio with its calibrated probability.

    Notes
    -----
    Berlfein et al. (2024), Eq. 19.  The null is :math:`\sum_k w_k \chi^2_1` with weights
    from the covariance of the scores on a lognormal field, evaluated at the additive fit.
    """
    spectrum = signal_spectrum(field, templates) if spectrum is None else spectrum
    fits = {
        model: fit_model(field.delta, templates, model, likelihood, expected=field.expected, draws=64, seed=seed)
        for model in ("additive", "combined")
    }
    null = fits["additive"].maximum
    ratio = max(2.0 * (fits["combined"].maximum.lnl - null.lnl), 0.0)
    shot_aware = likelihood == "shot-noise"
    rms = field_rms(null.sigma, null.gamma)
    calibrated = combined_covariance(
        field, templates, spectrum, null.a, np.zeros_like(null.a), rms, shot_aware=shot_aware
    )
    weights = ratio_null_weights(calibrated, templates.n_sys)
    draws = np.random.default_rng(seed).chisquare(1, (NULL_DRAWS, templates.n_sys)) @ weights
    p = (1 + np.sum(draws >= ratio)) / (1 + NULL_DRAWS)
    p_wilks = float(chi2.sf(ratio, templates.n_sys))
    return RatioTest(ratio, float(p), P_FLOOR, p_wilks, float(weights.sum()))


def family_wise_p(values: np.ndarray, cov: np.ndarray, seed: int = 0) -> np.ndarray:
    """Probability that the largest of many correlated amplitudes exceeds each one, by chance.

    Parameters
    ----------
    values : ndarray, shape (n_sys,)
        Amplitudes.
    cov : ndarray, shape (n_sys, n_sys)
        Their covariance.
    seed : int
        Fixes the draws.

    Returns
    -------
    ndarray, shape (n_sys,)
        p of every template, for the largest ``|a|`` over its error in the family.
    """
    error = np.sqrt(np.diag(cov))
    root = np.linalg.cholesky(cov / np.outer(error, error))
    draws = np.random.default_rng(seed).standard_normal((NULL_DRAWS, len(values))) @ root.T
    largest = np.sort(np.abs(draws).max(1))
    above = NULL_DRAWS - np.searchsorted(largest, np.abs(values) / error)
    return (1.0 + above) / (1.0 + NULL_DRAWS)


@dataclass(frozen=True)
class Verdict:
    """What to do with a sample.

    Parameters
    ----------
    contamination : float
        rms of the additive contamination over the footprint, without its noise bias; zero
        when the noise exceeds it.
    fit_error : float
        rms of the error of the fitted contamination.
    ratio : float
        contamination / fit_error.
    ratio_error : float
        Standard deviation of the ratio, from the covariance of the amplitudes.
    detected : tuple of str
        Templates with a family-wise p below 0.05, strongest first.
    p : ndarray, shape (n_sys,)
        Family-wise p of every template.
    multiplicative : bool
        Whether multiplicative contamination is detected beside the additive one.
    correct : bool
        Whether correcting removes more than it adds.
    sentence : str
        All of this in words.
    """

    contamination: float
    fit_error: float
    ratio: float
    ratio_error: float
    detected: tuple[str, ...]
    p: np.ndarray
    multiplicative: bool
    correct: bool
    sentence: str


def verdict(result: Decontamination, templates: TemplateSet, ratio_test: RatioTest | None = None) -> Verdict:
    r"""Decide from a fit whether to correct a sample, and for what.

    Parameters
    ----------
    result : Decontamination
        Fit of any method.
    templates : TemplateSet
        Templates of the fit.
    ratio_test : RatioTest, optional
        Test for multiplicative contamination.

    Returns
    -------
    Verdict
        Decision with its numbers.

    Notes
    -----
    With :math:`C_T = T T^t / N`: the fit error as a field has variance
    :math:`D^2 = \mathrm{tr}(\mathrm{Cov}\, C_T)` and the contamination
    :math:`A^2 = a^t C_T a - D^2`.  Correcting helps when :math:`A^2 > D^2`.
    """
    values = templates.values
    correlation = values @ values.T / values.shape[1]
    noise = float(np.sum(result.cov_a * correlation))
    power = float(result.a @ correlation @ result.a)
    signal = power - noise
    # variance of a quadratic form of normal amplitudes
    product = result.cov_a @ correlation
    spread = np.sqrt(2.0 * np.trace(product @ product) + 4.0 * result.a @ correlation @ product @ result.a)
    ratio = np.sqrt(max(signal, 0.0) / noise)
    ratio_error = spread / (2.0 * max(ratio, 1.0) * noise)
    p = family_wise_p(result.a, result.cov_a, result.seed)
    order = np.argsort(-np.abs(result.a) / np.sqrt(np.diag(result.cov_a)))
    detected = tuple(result.names[i] for i in order if p[i] < SIGNIFICANCE)
    multiplicative = ratio_test is not None and ratio_test.p < SIGNIFICANCE
    correct = signal > noise
    sentence = _sentence(float(ratio), float(ratio_error), detected, multiplicative, correct, ratio_test)
    return Verdict(
        contamination=float(np.sqrt(max(signal, 0.0))),
        fit_error=float(np.sqrt(noise)),
        ratio=float(ratio),
        ratio_error=float(ratio_error),
        detected=detected,
        p=p,
        multiplicative=multiplicative,
        correct=correct,
        sentence=sentence,
    )


def _sentence(ratio, ratio_error, detected, multiplicative, correct, test: RatioTest | None) -> str:
    found = f"detected: {', '.join(detected)}" if detected else "no template is detected"
    parts = [
        f"**{'Correct' if correct else 'Do not correct'}** this sample: the contamination is "
        f"{ratio:.1f} ± {ratio_error:.1f} times the error of its own fit ({found}, family-wise p < {SIGNIFICANCE})."
    ]
    if test is not None:
        kind = "Both kinds are needed" if multiplicative else "The additive model is enough"
        probability = f"p {p_text(test.p)}" if test.p <= P_FLOOR else f"p = {p_text(test.p)}"
        parts.append(f"{kind}: the test for multiplicative contamination has {probability} on a clustered sky.")
    if correct:
        use = "use WEIGHT_SYS on the galaxies together with WEIGHT_SYS on the randoms"
        parts.append(f"To correct, {use}.")
    else:
        parts.append("The weights are written all the same, for tests; using them would add noise.")
    return " ".join(parts)
