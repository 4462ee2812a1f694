"""What amplitudes mean if they are physical: an efficiency of selection, and a density of interlopers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import ParameterError
from ..inference import MIN_DENSITY, MIN_EFFICIENCY
from ..methods import Decontamination
from ..summaries import Measured

EXTREME = 1e-3
"""Share of the pixels that are left out at either end: outliers of templates should not decide."""

N_DRAWS = 200


@dataclass(frozen=True)
class Meaning:
    """What a combined fit implies for the survey.

    Parameters
    ----------
    completeness : Measured
        Largest share of the galaxies that can be observed where the efficiency is average [1].
    interlopers : Measured
        Smallest share of the objects that cannot be galaxies of the field [1].
    sentence : str
        Both in words.
    """

    completeness: Measured
    interlopers: Measured
    sentence: str


def meaning(result: Decontamination) -> Meaning:
    r"""What the amplitudes of a combined fit imply, if they are those of a selection.

    Parameters
    ----------
    result : Decontamination
        Fit of both kinds of amplitudes.

    Returns
    -------
    Meaning
        With errors from the posterior of the amplitudes.

    Raises
    ------
    ParameterError
        When the fit has no multiplicative amplitudes of its own.

    Notes
    -----
    An efficiency :math:`\epsilon (1 + B_p)` is nowhere above one, so that :math:`\epsilon \le 1 / \max(1 + B_p)`.
    Objects of density :math:`1 + A_p` are galaxies, a share g of them at average efficiency, and interlopers whose
    density :math:`1 + A_p - g (1 + B_p)` is nowhere negative, so that
    :math:`1 - g \ge 1 - \min[(1 + A_p) / (1 + B_p)]`.  Bounds that are known to be wrong speak against the fit: of one
    template too few, of a response that is not linear, or of amplitudes that the data do not tell apart.
    """
    if result.model != "combined":
        msg = f"{result.method} fits no multiplicative amplitudes of its own: give a combined fit, such as GLS-comb"
        raise ParameterError(msg)
    posterior, n_sys = result.posterior(), len(result.a)
    rng = np.random.default_rng(result.seed)
    draws = np.array([posterior.mean, *(posterior.draw(rng) for _ in range(N_DRAWS))])
    density, efficiency = (1.0 + part @ result.templates.values for part in np.split(draws, [n_sys], axis=1))
    density, efficiency = np.maximum(density, MIN_DENSITY), np.maximum(efficiency, MIN_EFFICIENCY)
    complete = np.minimum(1.0 / np.quantile(efficiency, 1.0 - EXTREME, axis=1), 1.0)
    foreign = np.maximum(1.0 - np.quantile(density / efficiency, EXTREME, axis=1), 0.0)
    found = [Measured(float(x[0]), float(x[1:].std())) for x in (complete, foreign)]
    of_galaxies, of_objects = (x.percent.text(".0f") for x in found)
    sentence = (
        f"If 1 + B is an efficiency, at most {of_galaxies} % of the galaxies are observed where it is average; "
        f"if A - B is a density of interlopers, at least {of_objects} % of the objects are interlopers."
    )
    return Meaning(*found, sentence)
