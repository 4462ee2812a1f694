r"""Amplitudes of several parts of a sample that know of one another: a hierarchical prior over parts.

Regions and bins in redshift that are fitted on their own lose what they have in common.  Fitted as one, they lose what
they have not.  The prior here has a size for what all parts share and one for what differs between them; the amplitudes
of the sample say how large both are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from ..errors import DataError
from .decontamination import with_posterior
from .part_amplitudes import KINDS, PartAmplitudes, part_amplitudes
from .results import Decontamination
from .shrinkage import RANGE, AmplitudePosterior

SHARED_NODES = 12

VARYING_NODES = 8

VARYING_RANGE = (0.3, 30.0)
"""Smallest and largest difference between parts, in units of the errors; half of the prior is on no difference."""

SMOOTH_RANGE = (0.5, 30.0)
"""The same where nothing is shrunk, and no part of the prior is on no difference."""

LENGTH_NODES = 6

LENGTH_RANGE = (0.5, 5.0)
"""Smallest and largest correlation length, over the smallest and the largest distance between parts."""

SMOOTH_LENGTHS = (0.5, 1.0)
"""The same where nothing is shrunk: longer ones hardly smooth more, and claim more than a few parts can say."""

MAX_NUMBERS = 4_000_000

FLAT = 1e3
"""Size of a level of which nothing is assumed, in units of the errors."""

N_PAIRS = 512
"""Sizes that are summed over, of both kinds of contamination."""


@dataclass(frozen=True)
class Pooled:
    r"""Amplitudes of parts under a prior that knows all of them.

    Parameters
    ----------
    amplitudes : PartAmplitudes
        What each part says on its own, in one unit.
    posteriors : dict of str to AmplitudePosterior
        Of the amplitudes of each part, per rms of the template there: ``a``, for the combined model followed by ``b``.
    same_a, same_b : float
        Probability that all parts share their amplitudes of this kind, one half before the fit; NaN without ``b``,
        and where nothing is shrunk.
    shared_a, shared_b : ndarray, shape (n_names,)
        Amplitudes that fit all parts at once: their combination by inverse covariance, per common rms of each template;
        NaN where no part has them.
    shared_cov : ndarray, shape (2 n_names, 2 n_names)
        Their joint covariance; NaN where there are none.
    lengths, length_weights : ndarray, shape (n_lengths,)
        Correlation lengths of the amplitudes ``a`` over the coordinate, and their probabilities where parts differ;
        empty without coordinates.
    """

    amplitudes: PartAmplitudes
    posteriors: dict[str, AmplitudePosterior]
    same_a: float
    same_b: float
    shared_a: np.ndarray
    shared_b: np.ndarray
    shared_cov: np.ndarray
    lengths: np.ndarray
    length_weights: np.ndarray

    def applied(self, results: Mapping[str, Decontamination]) -> dict[str, Decontamination]:
        """The fits of the parts, with weights of pooled amplitudes.

        Parameters
        ----------
        results : mapping of str to Decontamination
            Those that were pooled.

        Returns
        -------
        dict of str to Decontamination
            In their order.

        Raises
        ------
        DataError
            When the parts are others.
        """
        if set(results) != set(self.posteriors):
            msg = f"parts are {', '.join(results)} and pooled ones {', '.join(self.posteriors)}: give the same"
            raise DataError(msg)
        return {label: with_posterior(fit, self.posteriors[label]) for label, fit in results.items()}


def pooled(
    results: Mapping[str, Decontamination],
    coordinates: Mapping[str, float] | None = None,
    *,
    groups: Mapping[str, str] | None = None,
    correlation: np.ndarray | None = None,
    shrink: bool = True,
) -> Pooled:
    r"""Posterior of the amplitudes of all parts of a sample together.

    Parameters
    ----------
    results : mapping of str to Decontamination
        Fits of the parts by one method that is not one of curves, without priors; at least two.
    coordinates : mapping of str to float, optional
        Where each part lies on an axis over which amplitudes vary smoothly, such as the mean redshift; parts differ
        independently without.
    groups : mapping of str to str, optional
        Parts of which groups vary together, such as the region of each part of a sample that also has bins in redshift;
        one group by default.
    correlation : ndarray, shape (n_parts, n_parts), optional
        Correlation of the errors between parts, in the order of ``results``; independent by default.
    shrink : bool
        Whether amplitudes are drawn towards zero and towards each other, which is best for weights.  Without, nothing
        is assumed of their level in a group, and they are only smoothed over the coordinates: amplitudes to quote, with
        intervals that hold truths of any size.

    Returns
    -------
    Pooled
        Posteriors of the parts, the probability that they share their amplitudes, and the shared amplitudes.

    Raises
    ------
    DataError
        When a part has curves or a prior, or coordinates or groups are not those of the parts.

    Notes
    -----
    For each template and kind, amplitudes :math:`\theta_k` per unit of the map have the prior covariance
    :math:`\tau_s^2 + \tau_v^2 R_{kl}` over parts, with :math:`R_{kl} = \exp[-(z_k - z_l)^2 / 2 L^2]` within a group, or
    :math:`\delta_{kl}` without coordinates.  The sizes are the same for all templates, and flat in their logarithms;
    half of the prior is on :math:`\tau_v = 0`.  L is flat in its logarithm, from half the smallest distance between
    parts to five times the largest.  With both kinds, sizes are taken at a lattice of quantiles of their probability by
    each kind alone, with weights that make it that of both.

    As those of :func:`~.hierarchical_posterior`, intervals hold the truth as often as they say on average over sizes;
    they hold nearly all where there is nothing, and fewer where amplitudes are as large as their errors.  Detections
    are those of the fits, and intervals to quote those of the fits or, with coordinates, those without ``shrink``:
    there the level of a group has a flat prior, and :math:`\tau_v = 0` no probability of its own.

    Examples
    --------
    >>> import numpy as np
    >>> from sysmap_core.methods import decontaminate
    >>> rng = np.random.default_rng(0)
    >>> templates = rng.standard_normal((2, 500))
    >>> skies = {part: 0.1 * templates[0] + 0.3 * rng.standard_normal(500) for part in ("North", "South")}
    >>> fits = {part: decontaminate(delta, templates, "OLS") for part, delta in skies.items()}
    >>> found = pooled(fits)
    >>> found.same_a > 0.5
    True
    >>> [fit.shrinkage for fit in found.applied(fits).values()]
    ['pooled', 'pooled']
    """
    results = dict(results)
    _check_results(results)
    stacked = part_amplitudes(results, correlation)
    correlations, lengths = _correlations(results, coordinates, groups, LENGTH_RANGE if shrink else SMOOTH_LENGTHS)
    if not (shrink or len(lengths)):
        msg = "shrink is False for parts without coordinates: nothing is left to pool, take the fits as they are"
        raise DataError(msg)
    level = None if shrink else _same_group(results, groups)
    of_kinds = [_Sizes.of(stacked, kind, correlations, level) for kind in np.unique(stacked.kind)]
    picks, log_weights = _quadrature(of_kinds)
    at_sizes = [_at_sizes(stacked, of_kinds, some) for some in _chunks(picks, len(stacked.values))]
    evidence, means, covs = (np.concatenate(found) for found in zip(*at_sizes, strict=True))
    weights = np.exp(log_weights + evidence - np.max(log_weights + evidence))
    weights /= weights.sum()
    parts = {
        label: _of_part(fit, stacked, stacked.part == k, AmplitudePosterior(weights, means, covs))
        for k, (label, fit) in enumerate(results.items())
    }
    same = [float(weights @ (sizes.varying[picks[:, i]] == 0)) for i, sizes in enumerate(of_kinds) if shrink]
    of_length = of_kinds[0].length[picks[:, 0]]
    varies = np.where(of_kinds[0].varying[picks[:, 0]] > 0, weights, 0.0)
    by_length = np.bincount(of_length, varies, minlength=len(correlations))[: len(lengths)]
    shares = by_length / max(by_length.sum(), np.finfo(float).tiny)
    return Pooled(stacked, parts, *[*same, np.nan, np.nan][:2], *_shared(stacked), lengths, shares)


@dataclass(frozen=True)
class _Sizes:
    """Prior covariances of one kind of amplitudes on a grid of sizes, and their probabilities by this kind alone."""

    rows: np.ndarray
    shared: np.ndarray
    varying: np.ndarray
    length: np.ndarray
    probability: np.ndarray
    log_prior: np.ndarray
    of_shared: np.ndarray
    of_varying: np.ndarray

    @classmethod
    def of(cls, stacked: PartAmplitudes, kind: int, correlations: np.ndarray, level: np.ndarray | None) -> _Sizes:
        rows = np.flatnonzero(stacked.kind == kind)
        part, name, cov = stacked.part[rows], stacked.name[rows], stacked.cov[np.ix_(rows, rows)]
        together = (name[:, None] == name[None, :]).astype(float)
        of_varying = together * correlations[:, part[:, None], part[None, :]]
        shared, varying, length, log_prior = _grid(len(correlations), shrink=level is None)
        if level is not None:
            together = together * level[part[:, None], part[None, :]]
        scale = np.exp(0.5 * np.mean(np.log(np.diag(cov))))
        sizes = cls(rows, scale * shared, scale * varying, length, log_prior, log_prior, together, of_varying)
        log_posterior = log_prior + np.concatenate(
            [
                _log_evidence(stacked.values[rows], cov + sizes.prior(nodes))
                for nodes in _chunks(np.arange(len(shared)), len(rows))
            ]
        )
        probability = np.exp(log_posterior - log_posterior.max())
        return replace(sizes, probability=probability / probability.sum())

    def prior(self, nodes: np.ndarray) -> np.ndarray:
        """Prior covariances at nodes of the grid, shape (n_nodes, n, n)."""
        shared, varying = (size[nodes, None, None] ** 2 for size in (self.shared, self.varying))
        return shared * self.of_shared + varying * self.of_varying[self.length[nodes]]


def _grid(n_lengths: int, *, shrink: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Shared and varying sizes in units of the errors, which length, and the logarithm of the prior."""
    sizes = np.geomspace(*RANGE, SHARED_NODES) if shrink else np.array([FLAT])
    varying = VARYING_RANGE if shrink else SMOOTH_RANGE
    differing = [(v, i) for v in np.geomspace(*varying, VARYING_NODES) for i in range(n_lengths)]
    # one node without differences is as likely as all with some
    cases = [(0.0, 0, 0.5)] if shrink else []
    cases += [(v, i, (1.0 - 0.5 * shrink) / len(differing)) for v, i in differing]
    shared, varying, length, prior = np.array([(s, *case) for s in sizes for case in cases]).T
    return shared, varying, length.astype(int), np.log(prior / len(sizes))


def _quadrature(of_kinds: list[_Sizes]) -> tuple[np.ndarray, np.ndarray]:
    """Nodes of each kind that are summed over, and the logarithms of their weights before the evidence."""
    if len(of_kinds) == 1:
        return np.arange(len(of_kinds[0].shared))[:, None], of_kinds[0].log_prior
    # a lattice of two dimensions: each kind has its quantiles, and all pairs of them are met evenly
    order = np.arange(N_PAIRS)
    points = ((order + 0.5) / N_PAIRS, (order * (np.sqrt(5.0) - 1.0) / 2.0 + 0.5) % 1.0)
    picks = [
        np.minimum(np.searchsorted(np.cumsum(sizes.probability), u), len(sizes.probability) - 1)
        for sizes, u in zip(of_kinds, points, strict=True)
    ]
    weights = sum(
        sizes.log_prior[pick] - np.log(sizes.probability[pick]) for sizes, pick in zip(of_kinds, picks, strict=True)
    )
    return np.stack(picks, axis=1), weights


def _at_sizes(stacked: PartAmplitudes, of_kinds: list[_Sizes], picks: np.ndarray) -> tuple[np.ndarray, ...]:
    """Logarithms of the evidence, means and covariances of all amplitudes for given sizes."""
    prior = np.zeros((len(picks), *stacked.cov.shape))
    for sizes, nodes in zip(of_kinds, picks.T, strict=True):
        prior[:, sizes.rows[:, None], sizes.rows] = sizes.prior(nodes)
    total = stacked.cov + prior
    gain = np.swapaxes(np.linalg.solve(total, prior), 1, 2)
    covs = prior - gain @ prior
    return _log_evidence(stacked.values, total), gain @ stacked.values, 0.5 * (covs + np.swapaxes(covs, 1, 2))


def _log_evidence(values: np.ndarray, total: np.ndarray) -> np.ndarray:
    solved = np.linalg.solve(total, values[:, None])[..., 0]
    return -0.5 * (np.linalg.slogdet(total)[1] + solved @ values)


def _chunks(items: np.ndarray, n: int) -> list[np.ndarray]:
    """Nodes in groups whose n x n matrices fit into memory."""
    return np.array_split(items, 1 + len(items) * n**2 // MAX_NUMBERS)


def _of_part(fit: Decontamination, stacked: PartAmplitudes, mine: np.ndarray, everything: AmplitudePosterior):
    """Posterior of one part per rms of its own templates; b on the floor of the efficiency is zero."""
    free = 2 * len(fit.names) if fit.model == "combined" else len(fit.names)
    per_rms, filled = 1.0 / stacked.scale[mine], np.arange(int(mine.sum()))
    means = np.zeros((len(everything.weights), free))
    covs = np.zeros((len(everything.weights), free, free))
    means[:, filled] = everything.means[:, mine] * per_rms
    covs[:, : filled.size, : filled.size] = everything.covariances[:, mine][:, :, mine] * np.outer(per_rms, per_rms)
    return AmplitudePosterior(everything.weights, means, covs)


def _shared(stacked: PartAmplitudes) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    n = len(stacked.names)
    values, cov = np.full(len(KINDS) * n, np.nan), np.full((len(KINDS) * n,) * 2, np.nan)
    places = stacked.columns @ [n, 1]
    values[places], cov[np.ix_(places, places)] = stacked.shared()
    return *np.split(values, len(KINDS)), cov


def _correlations(results, coordinates, groups, limits) -> tuple[np.ndarray, np.ndarray]:
    """Correlations of what varies between parts, shape (n_lengths, n_parts, n_parts), and the lengths."""
    if coordinates is None:
        if groups is not None:
            msg = "groups came without coordinates, and parts differ independently then: give both, or neither"
            raise DataError(msg)
        return np.eye(len(results))[None], np.zeros(0)
    place = np.array(_of_parts("coordinates", results, coordinates), float)
    alike = _same_group(results, groups)
    distance = np.abs(place[:, None] - place[None, :])
    if not np.all(np.isfinite(place)) or not distance.any():
        msg = f"coordinates of the parts are {place.tolist()}: give finite numbers that differ, or none"
        raise DataError(msg)
    smallest, largest = (f * d for f, d in zip(limits, (distance[distance > 0].min(), distance.max()), strict=True))
    lengths = np.geomspace(smallest, largest, LENGTH_NODES)
    kernel = np.exp(-0.5 * (distance / lengths[:, None, None]) ** 2)
    return kernel * alike, lengths


def _same_group(results, groups) -> np.ndarray:
    """Which parts are in one group with which, shape (n_parts, n_parts)."""
    group = np.array(_of_parts("groups", results, groups)) if groups is not None else np.zeros(len(results))
    return group[:, None] == group[None, :]


def _of_parts(what: str, results: Mapping, given: Mapping) -> list:
    lost = [label for label in results if label not in given]
    if lost:
        msg = f"{what} lack {', '.join(lost)}: give one for every part"
        raise DataError(msg)
    return [given[label] for label in results]


def _check_results(results: Mapping[str, Decontamination]) -> None:
    for label, fit in results.items():
        if fit.model == "multiplicative":
            msg = f"{label} was fitted by {fit.method}, which finds curves: pool amplitudes of a method such as GLS"
            raise DataError(msg)
        if fit.prior is not None:
            msg = f"{label} was fitted with a prior, which would count once for every part: pool fits without one"
            raise DataError(msg)
