"""Does correcting a sample help? A verdict, with the probability that it is right."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..covariance import pixel_variance
from ..methods import Decontamination
from .p_values import P_FLOOR, SIGNIFICANCE, family_wise_p, p_text
from .ratio_test import RatioTest


@dataclass(frozen=True)
class Verdict:
    """What to do with a sample.

    Parameters
    ----------
    contamination : float
        rms of the contamination over the footprint, without its noise bias; zero when the noise exceeds it.  For a
        combined fit of both kinds, what multiplies the field counts with its rms.
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
    model : {"none", "additive", "multiplicative", "combined"}
        The correction with the fitted amplitudes that is most likely nearest to the truth.
    probability : float
        Probability that a map corrected with the fitted amplitudes is nearer to the truth than the observed one.
    probability_b : float
        Probability that fitted amplitudes ``b`` beside ``a`` bring it nearer than ``a`` alone; NaN without them.
    correct : bool
        Whether ``probability`` is above one half.
    losses : dict of str to float
        rms of the contamination that is expected to be left in the map without weights (``none``), and with the
        amplitudes of the weights: ``additive`` and, where they are fitted, ``combined``, or ``multiplicative``.
    removed : float
        Share of the mean square of the contamination that the weights are expected to take away.
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
    probability_b: float
    correct: bool
    losses: dict[str, float]
    removed: float
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
    Amplitudes :math:`\theta'` leave the contamination :math:`(\theta - \theta')^t G (\theta - \theta')` in the mean
    square of a map, with the metric of :func:`contamination_metric`.  The fit error has the mean square
    :math:`D^2 = \mathrm{tr}(C G)`, and the contamination :math:`A^2 = \hat\theta^t G \hat\theta - D^2`.  Correcting
    helps on average when :math:`A^2 > D^2`; what is likely for this sample follows from the posterior of its
    amplitudes, :meth:`~.Decontamination.posterior`.
    """
    metric = contamination_metric(result)
    fitted, cov = _free(result, result.a, result.b), _free_cov(result)
    noise, power = float(np.sum(cov * metric)), float(fitted @ metric @ fitted)
    signal = power - noise
    # variance of a quadratic form of normal amplitudes
    product = cov @ metric
    spread = np.sqrt(2.0 * np.trace(product @ product) + 4.0 * fitted @ metric @ product @ fitted)
    ratio = np.sqrt(max(signal, 0.0) / noise)
    p = family_wise_p(result.a, result.cov_a, result.seed, draws=result.cov_a_draws)
    order = np.argsort(-np.abs(result.a) / np.sqrt(np.diag(result.cov_a)))
    detected = tuple(result.names[i] for i in order if p[i] < SIGNIFICANCE)
    found = {
        "contamination": float(np.sqrt(max(signal, 0.0))),
        "fit_error": float(np.sqrt(noise)),
        "ratio": float(ratio),
        "ratio_error": float(spread / (2.0 * max(ratio, 1.0) * noise)),
        "detected": detected,
        "p": p,
        "multiplicative": ratio_test is not None and ratio_test.p < SIGNIFICANCE,
    }
    found |= _expectation(result, metric)
    correct = found["probability"] > 0.5
    found |= {"correct": correct, "column": "WEIGHT_SYS" if correct else ""}
    return Verdict(**found, sentence=_sentence(found, ratio_test, result.shrinkage))


def contamination_metric(result: Decontamination) -> np.ndarray:
    r"""Mean square of a map, per square of the amplitudes of its contamination.

    Parameters
    ----------
    result : Decontamination
        Fit, whose model says which amplitudes are free.

    Returns
    -------
    ndarray, shape (n, n)
        For additive amplitudes :math:`C_T = T T^t / N`, the products of the templates over the pixels; ``b`` multiplies
        a field of variance :math:`\sigma^2`, and has :math:`\sigma^2 C_T`.
    """
    values = result.templates.values
    correlation = values @ values.T / values.shape[1]
    field = result.sigma**2 if result.spectrum is None else pixel_variance(result.spectrum)
    kinds = {"combined": np.diag([1.0, field]), "multiplicative": np.array([[1.0 + field]])}
    return np.kron(kinds.get(result.model, np.eye(1)), correlation)


def _expectation(result: Decontamination, metric: np.ndarray) -> dict:
    """What the posterior of the amplitudes says of the fitted ones, and of those of the weights."""
    posterior, n_sys = result.posterior(), len(result.a)
    fitted, weighted = (_free(result, *pair) for pair in ((result.a, result.b), (result.a_mean, result.b_mean)))
    nothing, model, probability_b = 0.0 * fitted, result.model, float("nan")
    choices = {"none": nothing, result.model: weighted}
    if result.model == "combined":
        alone = np.where(np.arange(len(fitted)) < n_sys, fitted, 0.0)
        choices["additive"] = np.where(np.arange(len(fitted)) < n_sys, weighted, 0.0)
        probability_b = posterior.probability_nearer(fitted, alone, metric)
        if probability_b <= 0.5:
            fitted, model = alone, "additive"
    probability = posterior.probability_nearer(fitted, nothing, metric)
    losses = {name: np.sqrt(posterior.loss(choice, metric)) for name, choice in choices.items()}
    return {
        "model": model if probability > 0.5 else "none",
        "probability": probability,
        "probability_b": probability_b,
        "losses": losses,
        "removed": 1.0 - (losses[result.model] / losses["none"]) ** 2,
    }


def _free(result: Decontamination, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.concatenate([a, b]) if result.model == "combined" else a


def _free_cov(result: Decontamination) -> np.ndarray:
    return result.cov if result.model == "combined" else result.cov_a


def _percent(probability: float) -> str:
    sure = min(max(probability, 0.01), 0.99)
    return f"{'more than ' if probability > sure else 'less than ' if probability < sure else ''}{100 * sure:.0f} %"


def _sentence(found: dict, test: RatioTest | None, shrinkage: str) -> str:
    correct, losses = found["correct"], found["losses"]
    detected = f"detected: {', '.join(found['detected'])}" if found["detected"] else "no template is detected"
    parts = [
        f"**{'Correct' if correct else 'Do not correct'}** this sample: the contamination is "
        f"{found['ratio']:.1f} ± {found['ratio_error']:.1f} times the error of its own fit ({detected}, family-wise "
        f"p < {SIGNIFICANCE}), and the probability that correcting with the fitted amplitudes helps is "
        f"{_percent(found['probability'])}."
    ]
    left = min(losses.values())
    expected = f"are expected to take {100 * found['removed']:.0f} % of the mean square of the contamination away"
    if shrinkage == "none":
        parts.append("The weights are made of them as they are.")
    else:
        sizes = f"(rms {losses['none']:.4f} before, {left:.4f} after)"
        parts.append(f"The weights, of posterior means, {expected} {sizes}.")
    if np.isfinite(found["probability_b"]):
        chance = _percent(found["probability_b"])
        parts.append(f"The probability that multiplicative amplitudes help beside the additive ones is {chance}.")
    if test is not None:
        kind = "Both kinds are needed" if found["multiplicative"] else "The additive model is enough"
        probability = f"p {p_text(test.p)}" if test.p <= P_FLOOR else f"p = {p_text(test.p)}"
        parts.append(f"{kind}: the test for multiplicative contamination has {probability} on a clustered sky.")
    if correct:
        parts.append("To correct, use WEIGHT_SYS on the galaxies together with WEIGHT_SYS on the randoms.")
    else:
        harm = "using them would add noise" if shrinkage == "none" else "they do little, and on average no harm"
        parts.append(f"The weights are written all the same; {harm}.")
    return " ".join(parts)
