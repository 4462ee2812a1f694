r"""Are the amplitudes of the parts of a sample the same?

A sample of two photometric systems, or of several bins in redshift, is fitted in parts.  Whether one set of amplitudes
would have done for all is a question about their differences, in units of the errors on a clustered sky.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.stats import chi2

from ..errors import DataError
from ..methods import Decontamination, PartAmplitudes, part_amplitudes
from .p_values import NULL_DRAWS, exceedance


@dataclass(frozen=True)
class WaldTest:
    """Differences of amplitudes between parts, in units of their errors.

    Parameters
    ----------
    statistic : float
        Squared distance of the amplitudes from those that fit all parts at once, in the metric of their inverse
        covariance.
    dof : int
        Number of differences, its mean when the parts have the same amplitudes and the errors are known.
    p : float
        Probability of a larger statistic when they have; knows that the errors of ``a`` are estimates.
    """

    statistic: float
    dof: int
    p: float


@dataclass(frozen=True)
class EqualityTest:
    """Whether parts of a sample have the same amplitudes per unit of the maps.

    Parameters
    ----------
    parts, names : tuple of str
        Parts, and the templates that all of them have.
    left_out : tuple of str
        Templates that only some of them have.
    of_a, of_b, both : WaldTest or None
        Of all templates; None where there is no ``b``.
    a_by_template, b_by_template : dict of str to WaldTest
        Of each template, whatever the others are; empty where there is no ``b``.
    shared_a, shared_b : ndarray, shape (n_names,)
        Amplitudes that fit all parts at once, per unit of each map; ``b`` is zero where there is none.
    mean_shift : float
        Largest share by which amplitudes of parts would differ for their means alone: parts with other mean conditions
        have other mean densities, which the densities in them are relative to.  It is not part of the test.
    note : str
        What was left out, in words; empty otherwise.
    """

    parts: tuple[str, ...]
    names: tuple[str, ...]
    left_out: tuple[str, ...]
    of_a: WaldTest
    of_b: WaldTest | None
    both: WaldTest | None
    a_by_template: dict[str, WaldTest]
    b_by_template: dict[str, WaldTest]
    shared_a: np.ndarray
    shared_b: np.ndarray
    mean_shift: float
    note: str


def amplitudes_equal(
    results: Mapping[str, Decontamination], *, correlation: np.ndarray | None = None, seed: int = 0
) -> EqualityTest:
    r"""Test whether the parts of a sample have the same amplitudes.

    Parameters
    ----------
    results : mapping of str to Decontamination
        Fits of the parts by one method, at least two.  Amplitudes are those of the maps, before any prior.
    correlation : ndarray, shape (n_parts, n_parts), optional
        Correlation of the errors between parts, in their order; independent by default.  Bins in redshift that share
        galaxies or structures have some.
    seed : int
        Fixes the draws of the null.

    Returns
    -------
    EqualityTest
        Of ``a``, of ``b`` and of both.

    Raises
    ------
    DataError
        When there are fewer than two parts, their methods differ, or they have no template in common.

    Notes
    -----
    With the amplitudes :math:`\theta_k` of all parts per unit of the maps, their covariance C, and the combination
    :math:`\bar\theta` that is the same for all parts, the statistic is
    :math:`W = (\theta - \bar\theta)^t C^{-1} (\theta - \bar\theta)`.  Its null is that of amplitudes drawn from
    covariances of ``a`` that are as likely as the estimated ones; without them, and for ``b`` alone, it is
    :math:`\chi^2`.

    Regions that touch share the clustering of one field.  It is left out: their errors then have correlations of a few
    per cent, up to 0.15 for the smoothest templates, and the test kept its size on simulated skies.

    Examples
    --------
    >>> import numpy as np
    >>> from sysmap_core.methods import decontaminate
    >>> rng = np.random.default_rng(0)
    >>> templates = rng.standard_normal((2, 500))
    >>> responses = {"North": 0.1, "South": -0.1}
    >>> skies = {part: a * templates[0] + 0.3 * rng.standard_normal(500) for part, a in responses.items()}
    >>> fits = {part: decontaminate(delta, templates, "OLS") for part, delta in skies.items()}
    >>> amplitudes_equal(fits).of_a.p < 0.001
    True
    """
    results = dict(results)
    stacked = part_amplitudes(results, correlation)
    common = [i for i, name in enumerate(stacked.names) if all(name in fit.names for fit in results.values())]
    if not common:
        msg = f"the parts {', '.join(results)} have no template in common: give templates the same names in all"
        raise DataError(msg)
    kept, both_kinds = np.isin(stacked.name, common), _has_b(results)
    tested = {
        kind: _tests(stacked, kept & (stacked.kind == i), seed) for i, kind in enumerate("ab" if both_kinds else "a")
    }
    used = stacked.chosen(kept & (both_kinds | (stacked.kind == 0)))
    shared = np.zeros((2, len(common)))
    shared[: 1 + both_kinds] = np.reshape(used.shared()[0], (-1, len(common))) / stacked.rms[common]
    left_out = tuple(name for i, name in enumerate(stacked.names) if i not in common)
    names = tuple(stacked.names[i] for i in common)
    return EqualityTest(
        parts=tuple(results),
        names=names,
        left_out=left_out,
        of_a=tested["a"][0],
        of_b=tested["b"][0] if both_kinds else None,
        both=_test(stacked, kept, seed) if both_kinds else None,
        a_by_template=dict(zip(names, tested["a"][1], strict=True)),
        b_by_template=dict(zip(names, tested["b"][1], strict=True)) if both_kinds else {},
        shared_a=shared[0],
        shared_b=shared[1],
        mean_shift=_mean_shift(results, names, shared[0]),
        note=_note(results, left_out),
    )


def _tests(stacked: PartAmplitudes, keep: np.ndarray, seed: int):
    """Test of all templates of one kind, and of each."""
    each = [_test(stacked, keep & (stacked.name == i), seed) for i in np.unique(stacked.name[keep])]
    return _test(stacked, keep, seed), each


def _test(stacked: PartAmplitudes, keep: np.ndarray, seed: int) -> WaldTest:
    used = stacked.chosen(keep)
    root = _difference_root(used)
    statistic, dof = float(np.sum((root @ used.values) ** 2)), len(root)
    if used.cov_draws is None or not np.any(used.kind == 0):
        return WaldTest(statistic, dof, float(chi2.sf(statistic, dof)))
    likely = root @ used.cov_draws @ root.T
    unit = np.random.default_rng(seed).standard_normal((NULL_DRAWS, dof))
    parts = zip(np.array_split(unit, len(likely)), np.linalg.cholesky(likely), strict=True)
    null = np.concatenate([np.sum((u @ r.T) ** 2, axis=1) for u, r in parts])
    return WaldTest(statistic, dof, exceedance(statistic, null))


def _difference_root(used: PartAmplitudes) -> np.ndarray:
    """Differences between parts of unit variance and without correlation, as rows of weights, shape (dof, n)."""
    # amplitudes of unit variance, less their projection on what all parts share
    whitening = np.linalg.inv(np.linalg.cholesky(used.cov))
    shared = whitening @ used.design
    basis = np.linalg.qr(shared, mode="complete")[0][:, shared.shape[1] :]
    return basis.T @ whitening


def _has_b(results: Mapping[str, Decontamination]) -> bool:
    """Whether all parts have amplitudes b of their own."""
    return all(fit.model == "combined" and not fit.on_floor for fit in results.values())


def _mean_shift(results: Mapping[str, Decontamination], names: tuple[str, ...], shared_a: np.ndarray) -> float:
    """Largest difference of the mean contamination between two parts, for amplitudes per unit of the maps."""
    places = [[fit.names.index(name) for name in names] for fit in results.values()]
    means = np.array([fit.templates.mean[place] for fit, place in zip(results.values(), places, strict=True)])
    return float(np.ptp((means - means[0]) @ shared_a))


def _note(results: Mapping[str, Decontamination], left_out: tuple[str, ...]) -> str:
    said = []
    if left_out:
        said.append(f"Not all parts have {', '.join(left_out)}: left out.")
    held = [label for label, fit in results.items() if fit.model == "combined" and fit.on_floor]
    if held:
        said.append(f"The efficiency of {', '.join(held)} was held at its floor: b is not compared.")
    return " ".join(said)
