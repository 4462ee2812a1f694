"""Which templates can be used, and what is wrong with the others, before anything is fitted.

The galaxies of the sample are not looked at: templates chosen by what they do to its clustering would bias it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import healpy as hp
import numpy as np
from scipy.cluster.hierarchy import average, fcluster
from scipy.stats import iqr, kurtosis, rankdata, skew

from ..errors import DataError, ParameterError
from ..sky import Field, usable
from ..templates import DEGENERATE, TemplateSet, from_pixels
from .p_values import SIGNIFICANCE
from .ranking import Leverage, leverage
from .tracers import SCALES, RankCorrelations, checked_maps, comparable, rank_correlations

CENTRAL = 0.98
"""Share of the area whose range of values, widened by half of its width on both sides, is the support."""

SENTINEL = 5.0
"""Distance of a repeated extreme value from all others, in their rms by the interquartile range, that gives it away."""


@dataclass(frozen=True)
class Limits:
    r"""What a template may do without a remark.

    Parameters
    ----------
    duplicate : float
        Absolute correlation of two templates, Pearson's or Spearman's.  At 0.95 each amplitude has an error
        :math:`1 / \sqrt{1 - r^2} \simeq 3` times that without the other template.
    inflation : float
        Variance inflation factor; 10 is again a factor 3 in the error, from all other templates together.
    covered : float
        Smallest share of the footprint with a value: what one template lacks is lost for all.
    skewness : float
        Absolute skewness; 2 is that of an exponential distribution.
    tail : float
        Share of the variance outside the support.  A fitted slope is a mean over pixels with their shares of the
        variance: where the response out there is another one, it moves by this share of the difference.
    significance : float
        Family-wise p of the rank correlations with a tracer.

    Raises
    ------
    ParameterError
        When a limit is not positive, or a share above one.
    """

    duplicate: float = 0.95
    inflation: float = 10.0
    covered: float = 0.98
    skewness: float = 2.0
    tail: float = 0.1
    significance: float = SIGNIFICANCE

    def __post_init__(self):
        for name, value in vars(self).items():
            top = np.inf if name in ("inflation", "skewness") else 1.0
            if not 0.0 < value <= top:
                msg = f"limit {name} is {value!r}: give a number above 0" + (", up to 1" if top == 1.0 else "")
                raise ParameterError(msg)


@dataclass(frozen=True)
class Shape:
    """Coverage and values of one template on the footprint; NaN where it has fewer than two values.

    Parameters
    ----------
    covered : float
        Share of the pixels with a value.
    missing, missing_alone : int
        Pixels without one, and those of them where all other templates have one.
    sentinel, n_sentinel : float and int
        Extreme value that repeats far from all others (NaN: none), in the unit of the map, and its pixels.
    skewness, log_skewness, kurtosis : float
        Skewness of the values and of their logarithm (NaN unless all are positive), and excess kurtosis.
    largest : float
        Largest distance from the mean [rms].
    n_half : int
        Pixels, the most extreme ones, that carry half of the variance.
    support : tuple of float
        Range of values that a good part of the area has, see :data:`CENTRAL`, in the unit of the map.
    n_tail, tail : int and float
        Pixels outside the support, and the share of the variance that they carry.
    objects : dict of str to float
        Share of the objects of every kind in pixels outside the support or without a value.
    """

    covered: float
    missing: int
    missing_alone: int
    sentinel: float
    n_sentinel: int
    skewness: float
    log_skewness: float
    kurtosis: float
    largest: float
    n_half: int
    support: tuple[float, float]
    n_tail: int
    tail: float
    objects: dict[str, float]


@dataclass(frozen=True)
class Relations:
    """How templates resemble each other.

    Parameters
    ----------
    names : tuple of str, length n_sys
        Templates that vary.
    pearson, spearman : ndarray, shape (n_sys, n_sys)
        Correlations of values and of ranks, of each pair where both have a value.
    linkage : ndarray, shape (n_sys - 1, 4)
        Average linkage of the distance 1 - max(abs(pearson), abs(spearman)), for the dendrogram of scipy.
    groups : tuple of tuple of str
        Near duplicates: branches of that tree, the best template first (most covered, then least skewed).
    inflation : ndarray, shape (n_sys,)
        Variance inflation factor 1 / (1 - R^2), R^2 that of a linear fit of all other templates where all have a
        value; infinite for linear combinations of them.
    """

    names: tuple[str, ...]
    pearson: np.ndarray
    spearman: np.ndarray
    linkage: np.ndarray
    groups: tuple[tuple[str, ...], ...]
    inflation: np.ndarray


@dataclass(frozen=True)
class TemplateReport:
    """What was found about a set of templates.

    Parameters
    ----------
    names : tuple of str, length n_sys
        Templates.
    shapes : tuple of Shape, length n_sys
        Coverage and values of each.
    relations : Relations
        Correlations, near duplicates and variance inflation.
    pixels : ndarray of int, shape (n_whole,)
        Footprint pixels where all templates that vary have a value.
    leverage : Leverage
        Of these pixels, on the linear fit of all templates that are not combinations of those before them.
    tracer : RankCorrelations or None
        Comparison of those that cover enough of a tracer of structure.
    findings : dict of str to dict of str to str
        By template and kind (constant, sentinel, coverage, holes, duplicate, combination, inflated, skewed, tail,
        structure): what was found and what to do.  Empty for a template that can be used as it is.
    """

    names: tuple[str, ...]
    shapes: tuple[Shape, ...]
    relations: Relations
    pixels: np.ndarray
    leverage: Leverage
    tracer: RankCorrelations | None
    findings: dict[str, dict[str, str]]

    @property
    def advice(self) -> dict[str, str]:
        """One sentence for every template."""
        return {name: "; ".join(found.values()) or "use" for name, found in self.findings.items()}


def examine(
    maps: np.ndarray,
    names: Sequence[str],
    pixels: np.ndarray,
    *,
    objects: Mapping[str, np.ndarray] | None = None,
    tracer: Field | None = None,
    limits: Limits | None = None,
    n_realisations: int = 200,
    seed: int = 0,
) -> TemplateReport:
    """Examine template maps on a footprint.

    Parameters
    ----------
    maps : ndarray, shape (n_sys, 12 nside^2)
        Template maps, RING, equatorial, NaN or UNSEEN where they are missing.
    names : sequence of str, length n_sys
        Their names.
    pixels : ndarray of int, shape (n_pix,)
        Footprint.
    objects : mapping of str to ndarray, shape (12 nside^2,), optional
        Counts of what will be weighted, e.g. galaxies and randoms, by kind.
    tracer, n_realisations, seed
        As in :func:`~.rank_correlations`, with the same errors; not compared without a tracer.
    limits : Limits, optional
        What is worth a remark.

    Returns
    -------
    TemplateReport
        With findings on every template.

    Raises
    ------
    DataError
        When shapes differ, there are fewer pixels with all templates than templates, or the tracer covers none.
    """
    limits, names, maps = limits or Limits(), tuple(names), checked_maps(maps, names)
    nside = hp.npix2nside(maps.shape[1])
    values = maps[:, pixels]
    good = usable(values)
    counts = {kind: _counts(kind, np.asarray(count, float), maps, pixels) for kind, count in (objects or {}).items()}
    shapes = tuple(_shape(values[i], good, i, counts) for i in range(len(names)))
    live = [i for i, shape in enumerate(shapes) if np.isfinite(shape.largest)]
    whole = good[live].all(0)
    if not live or whole.sum() <= len(live) + 1:
        count = f"{whole.sum() if live else 0} of {len(pixels)} footprint pixels have all of {len(live)} templates"
        msg = f"{count} that vary: leave out templates that cover little"
        raise DataError(msg)
    complete = from_pixels(values[live][:, whole], pixels[whole], nside, [names[i] for i in live])
    relations = _relations(values[live], good[live], complete, [shapes[i] for i in live], limits)
    kept = complete.values[_independent(complete.values)]
    hat = leverage(from_pixels(kept, complete.pixels, nside))
    found = None
    if tracer is not None:
        inside = np.full(maps.shape, hp.UNSEEN)
        inside[:, pixels] = values
        both = [i for i, able in enumerate(comparable(tracer, inside)) if able] or live
        options = {"n_realisations": n_realisations, "seed": seed}
        found = rank_correlations(tracer, inside[both], [names[i] for i in both], **options)
    findings = {n: _findings(n, s, relations, found, limits) for n, s in zip(names, shapes, strict=True)}
    return TemplateReport(names, shapes, relations, complete.pixels, hat, found, findings)


def _counts(kind: str, count, maps, pixels) -> np.ndarray:
    if count.shape != maps[0].shape or not count[pixels].sum() > 0:
        msg = (
            f"objects {kind!r} have shape {count.shape}, or none is on the footprint: give counts in the pixels of maps"
        )
        raise DataError(msg)
    return count[pixels]


def _shape(row, good, i: int, counts) -> Shape:
    """Shape of template i, given which values of all templates are good."""
    missing = ~good[i]
    alone = int(np.sum(missing & np.delete(good, i, axis=0).all(0)))
    coverage = {"covered": float(good[i].mean()), "missing": int(missing.sum()), "missing_alone": alone}
    values = row[good[i]] if good[i].any() else np.zeros(1)
    low, high = np.quantile(values, [0.5 - CENTRAL / 2, 0.5 + CENTRAL / 2])
    low, high = float(low - (high - low) / 2), float(high + (high - low) / 2)
    outside = missing | (row < low) | (row > high)
    objects = {kind: float(count[outside].sum() / count.sum()) for kind, count in counts.items()}
    sentinel, n_sentinel = _sentinel(values)
    found = {"sentinel": sentinel, "n_sentinel": n_sentinel, "support": (low, high), "objects": objects}
    if values.std() <= 1e-12 * abs(values.mean()):
        none = dict.fromkeys(("skewness", "log_skewness", "kurtosis", "largest", "tail"), np.nan)
        return Shape(**coverage, **found, **none, n_half=0, n_tail=0)
    t = (values - values.mean()) / values.std()
    power = np.sort(t**2)[::-1].cumsum()
    beyond = outside[good[i]]
    return Shape(
        **coverage,
        **found,
        skewness=float(skew(t)),
        log_skewness=float(skew(np.log(values))) if values.min() > 0 else np.nan,
        kurtosis=float(kurtosis(t)),
        largest=float(np.abs(t).max()),
        n_half=int(np.searchsorted(power, power[-1] / 2) + 1),
        n_tail=int(beyond.sum()),
        tail=float(np.sum(t[beyond] ** 2) / len(t)),
    )


def _sentinel(values) -> tuple[float, int]:
    """Extreme value that several pixels have, far from all others, and their number."""
    found = np.nan, 0
    for end in (values.min(), values.max()):
        rest = values[values != end]
        number = len(values) - len(rest)
        width = iqr(rest) / 1.349 if len(rest) else 0.0
        if number > max(found[1], 1) and width > 0 and np.abs(rest - end).min() > SENTINEL * width:
            found = float(end), number
    return found


def _relations(values, good, complete: TemplateSet, shapes, limits: Limits) -> Relations:
    names, n = complete.names, complete.n_sys
    pearson, spearman = np.eye(n), np.eye(n)
    for i, j in zip(*np.triu_indices(n, 1), strict=True):
        pair = values[[i, j]][:, good[i] & good[j]]
        pearson[i, j] = pearson[j, i] = _correlation(pair)
        spearman[i, j] = spearman[j, i] = _correlation(rankdata(pair, axis=1))
    likeness = np.maximum(np.abs(pearson), np.abs(spearman))
    tree = average(np.clip(1.0 - likeness[np.triu_indices(n, 1)], 0.0, 1.0)) if n > 1 else np.empty((0, 4))
    branch = fcluster(tree, 1.0 - limits.duplicate, "distance") if n > 1 else np.ones(1)
    best_first = sorted(range(n), key=lambda i: (-shapes[i].covered, round(abs(shapes[i].skewness), 1)))
    groups = [tuple(names[i] for i in best_first if branch[i] == b) for b in dict.fromkeys(branch)]
    left = np.array([_left_over(row, np.delete(complete.values, i, axis=0)) for i, row in enumerate(complete.values)])
    inflation = np.divide(1.0, left, out=np.full(n, np.inf), where=left > DEGENERATE)
    return Relations(names, pearson, spearman, tree, tuple(g for g in groups if len(g) > 1), inflation)


def _correlation(pair) -> float:
    """Pearson's coefficient; zero where one of the two does not vary."""
    if pair.shape[1] < 2 or np.any(np.ptp(pair, axis=1) == 0):
        return 0.0
    return float(np.corrcoef(pair)[0, 1])


def _left_over(row, others) -> float:
    """Share of the variance of a template that a linear fit of others leaves."""
    fit = np.linalg.pinv(others @ others.T, rcond=DEGENERATE, hermitian=True) @ (others @ row)
    return float(1.0 - (others @ row) @ fit / (row @ row))


def _independent(values) -> list[int]:
    """Templates that are no linear combinations of those before them."""
    kept = []
    for i, row in enumerate(values):
        if _left_over(row, values[kept]) > DEGENERATE:
            kept.append(i)
    return kept


def _findings(name: str, shape: Shape, relations: Relations, tracer, limits: Limits) -> dict[str, str]:
    found = _of_coverage(shape, limits)
    if not np.isfinite(shape.largest):
        what = "is constant" if shape.covered else "has no value"
        return {"constant": f"{what} on the footprint: leave it out"}
    found |= _of_others(name, relations, limits)
    if "sentinel" not in found:  # else the tail is that value
        found |= _of_values(shape, limits)
    if tracer is not None and name in tracer.names:
        found |= _of_structure(tracer.names.index(name), tracer, limits)
    return found


def _of_coverage(shape: Shape, limits: Limits) -> dict[str, str]:
    found = {}
    if shape.n_sentinel:
        found["sentinel"] = f"{shape.n_sentinel} pixels are {shape.sentinel:g}, far from all others: mask them"
    if shape.covered < limits.covered:
        cost = f"give up {shape.missing} pixels ({shape.missing_alone} for it alone)"
        found["coverage"] = f"covers {100 * shape.covered:.1f} % of the footprint: leave it out, or {cost}"
    elif shape.missing:
        found["holes"] = f"has no value in {shape.missing} pixels: drop them from the footprint"
    return found


def _of_others(name: str, relations: Relations, limits: Limits) -> dict[str, str]:
    i = relations.names.index(name)
    inflation = relations.inflation[i]
    group = next((g for g in relations.groups if name in g), (name,))
    if better := [relations.names.index(n) for n in group[: group.index(name)]]:
        both = relations.pearson[i], relations.spearman[i]
        nearest = max(better, key=lambda j: max(abs(both[0][j]), abs(both[1][j])))
        numbers = "r = {:.3f}, of ranks {:.3f}".format(*(r[nearest] for r in both))
        return {"duplicate": f"near duplicate of {relations.names[nearest]} ({numbers}): use one of the two"}
    if len(group) > 1:
        return {}
    if np.isinf(inflation):
        return {"combination": "is a linear combination of other templates: leave one of them out"}
    if inflation > limits.inflation:
        share = 100 * (1 - 1 / inflation)
        return {"inflated": f"the others predict {share:.0f} % of its variance: do not read its amplitude alone"}
    return {}


def _of_values(shape: Shape, limits: Limits) -> dict[str, str]:
    skewed = abs(shape.skewness) > limits.skewness
    if skewed and abs(shape.log_skewness) < limits.skewness / 2:
        return {"skewed": f"skewness {shape.skewness:.1f}, of its logarithm {shape.log_skewness:.1f}: try that"}
    if shape.tail > limits.tail:
        carry = f"{shape.n_tail} pixels outside its support carry {100 * shape.tail:.0f} % of its variance"
        return {"tail": f"{carry}: clip or mask them"}
    return {"skewed": f"skewness {shape.skewness:.1f}: test its square as well"} if skewed else {}


def _of_structure(i: int, tracer: RankCorrelations, limits: Limits) -> dict[str, str]:
    at = np.flatnonzero(tracer.family_p[i] < limits.significance)
    seen = ", ".join(f"{tracer.values[i, k]:+.2f} on {SCALES[k]}" for k in at)
    text = f"goes with the tracer (rank correlation {seen}): do not use it, a correction would remove structure"
    return {"structure": f"{text}, unless the tracer is what is contaminated"} if at.size else {}
