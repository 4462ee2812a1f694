"""Does correcting a sample help? A verdict, with the probability that it is right."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from ..methods import Decontamination
from .p_values import P_FLOOR, SIGNIFICANCE, family_wise_p, p_text
from .ratio_test import RatioTest

TAU_NODES = 64
"""Nodes of the integral over the size of the contamination."""


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
    model : {"additive", "combined"}
        The simplest model that does.
    probability : float
        Probability that a map corrected with the fitted amplitudes is nearer to the truth than the observed one; with
        their posterior means, which the weights are made of by default, it is higher.
    correct : bool
        Whether that is more likely than not.
    column : str
        Column to use in the files of galaxies and of randoms; empty when it is better not to correct.
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
    model: str
    probability: float
    correct: bool
    column: str
    sentence: str


def verdict(result: Decontamination, ratio_test: RatioTest | None = None) -> Verdict:
    r"""Decide from a fit whether to correct a sample, and for what.

    Parameters
    ----------
    result : Decontamination
        Fit of any method.
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
    :math:`A^2 = a^t C_T a - D^2`.  Correcting helps on average when :math:`A^2 > D^2`;
    the probability for this sample is that of :func:`probability_of_help`.
    """
    values = result.templates.values
    correlation = values @ values.T / values.shape[1]
    noise = float(np.sum(result.cov_a * correlation))
    power = float(result.a @ correlation @ result.a)
    signal = power - noise
    # variance of a quadratic form of normal amplitudes
    product = result.cov_a @ correlation
    spread = np.sqrt(2.0 * np.trace(product @ product) + 4.0 * result.a @ correlation @ product @ result.a)
    ratio = np.sqrt(max(signal, 0.0) / noise)
    ratio_error = spread / (2.0 * max(ratio, 1.0) * noise)
    p = family_wise_p(result.a, result.cov_a, result.seed, draws=result.cov_a_draws)
    order = np.argsort(-np.abs(result.a) / np.sqrt(np.diag(result.cov_a)))
    detected = tuple(result.names[i] for i in order if p[i] < SIGNIFICANCE)
    multiplicative = ratio_test is not None and ratio_test.p < SIGNIFICANCE
    probability = probability_of_help(result.a, result.cov_a, correlation)
    correct = probability > 0.5
    numbers = float(ratio), float(ratio_error), probability
    sentence = _sentence(*numbers, detected, multiplicative, ratio_test, result.shrinkage)
    return Verdict(
        contamination=float(np.sqrt(max(signal, 0.0))),
        fit_error=float(np.sqrt(noise)),
        ratio=float(ratio),
        ratio_error=float(ratio_error),
        detected=detected,
        p=p,
        multiplicative=multiplicative,
        model="combined" if multiplicative else "additive",
        probability=probability,
        correct=correct,
        column="WEIGHT_SYS" if correct else "",
        sentence=sentence,
    )


def probability_of_help(a: np.ndarray, cov: np.ndarray, correlation: np.ndarray) -> float:
    r"""Probability that subtracting a fitted contamination brings a map nearer to the truth.

    Parameters
    ----------
    a : ndarray, shape (n_sys,)
        Fitted amplitudes.
    cov : ndarray, shape (n_sys, n_sys)
        Their covariance.
    correlation : ndarray, shape (n_sys, n_sys)
        Mean products of the templates over the pixels, :math:`C_T`.

    Returns
    -------
    float
        Between zero and one.

    Notes
    -----
    Subtracting :math:`\hat a` helps when the true a has :math:`a^t C_T \hat a > \hat a^t C_T \hat a / 2`.  Given
    the fit, a is normal for a prior of normal amplitudes with a common rms :math:`\tau`, which is marginalised
    over with the likelihood of the fit and a half-Cauchy prior of the scale of the errors (Gelman 2006,
    Bayesian Analysis 1, 515).
    """
    variances, axes = np.linalg.eigh(cov)
    fitted, gradient = axes.T @ a, axes.T @ (correlation @ a)
    scale = np.exp(0.5 * np.mean(np.log(variances)))
    tau = scale * np.geomspace(1e-2, 1e2, TAU_NODES)[:, None]
    total = variances + tau**2
    log_weight = -0.5 * np.sum(np.log(total) + fitted**2 / total, axis=1)
    # equal steps of ln tau: the density carries a factor tau
    weight = np.exp(log_weight - log_weight.max()) * (tau / (scale**2 + tau**2))[:, 0]
    shrunk = tau**2 / total
    margin = shrunk @ (gradient * fitted) - 0.5 * (a @ correlation @ a)
    spread = np.sqrt((shrunk * variances) @ gradient**2)
    helps = norm.cdf(margin / np.maximum(spread, np.finfo(float).tiny))
    return float(weight @ helps / weight.sum())


def _sentence(ratio, ratio_error, probability, detected, multiplicative, test: RatioTest | None, shrinkage: str) -> str:
    correct = probability > 0.5
    sure = min(max(probability, 0.01), 0.99)
    odds = f"{'more than ' if probability > sure else 'less than ' if probability < sure else ''}{100 * sure:.0f} %"
    found = f"detected: {', '.join(detected)}" if detected else "no template is detected"
    parts = [
        f"**{'Correct' if correct else 'Do not correct'}** this sample: the contamination is "
        f"{ratio:.1f} ± {ratio_error:.1f} times the error of its own fit ({found}, family-wise p < {SIGNIFICANCE}), "
        f"and the probability that correcting with the fitted amplitudes helps is {odds}."
    ]
    if test is not None:
        kind = "Both kinds are needed" if multiplicative else "The additive model is enough"
        probability = f"p {p_text(test.p)}" if test.p <= P_FLOOR else f"p = {p_text(test.p)}"
        parts.append(f"{kind}: the test for multiplicative contamination has {probability} on a clustered sky.")
    if correct:
        use = "use WEIGHT_SYS on the galaxies together with WEIGHT_SYS on the randoms"
        parts.append(f"To correct, {use}.")
    else:
        harm = "using them would add noise" if shrinkage == "none" else "posterior means are in them, so they do little"
        parts.append(f"The weights are written all the same; {harm}.")
    return " ".join(parts)
