"""Figures of samples with several parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from ..methods import Pooled
from ..plotting import OBSERVED, TRUTH, legend_below, plain_numbers
from ..summaries import errors_of
from ..two_point import Correlation
from .part_fit import PartResult

COLOURS = ("#4E79A7", "#F28E2B", "#59A14F", "#B07AA1", "#9C755F", "#EDC948")
"""Of the regions, in their order."""

CURVES: Mapping[str, Mapping[str, object]] = {
    "observed": {"color": OBSERVED, "fmt": "o-", "ms": 3.5, "lw": 1.2},
    "weighted": {"color": "#2F3E63", "fmt": "X-", "ms": 4.5, "lw": 1.2},
    "to quote": {"color": "#D1495B", "fmt": "s--", "ms": 4.5, "mfc": "white", "lw": 1.2},
    "truth": {"color": TRUTH, "fmt": "-", "lw": 4, "alpha": 0.6},
}
"""Looks of correlation functions."""

COLUMNS = 3


def amplitude_panels(
    parts: Sequence[PartResult],
    truth: Mapping[str, tuple[np.ndarray, np.ndarray]] | None = None,
    smooth: Pooled | None = None,
) -> Figure:
    """Amplitudes of every template in all parts, over redshift where there are bins.

    Parameters
    ----------
    parts : sequence of PartResult
        Parts that were fitted.
    truth : mapping of str to (ndarray, ndarray), optional
        True a and b of every part, in the order of its templates, where they are known.
    smooth : Pooled, optional
        Amplitudes that vary smoothly with redshift: bands of one error.

    Returns
    -------
    Figure
        A panel for each template and kind of amplitude, with the errors on the clustered sky.
    """
    names = list(dict.fromkeys(name for part in parts for name in part.best.names))
    kinds = "ab" if any(part.best.model == "combined" for part in parts) else "a"
    regions = list(dict.fromkeys(part.part.region for part in parts))
    binned = any(part.part.z_bin for part in parts)
    size = (max(6.0, 2.6 * len(names)), 1.0 + 2.3 * len(kinds))
    fig, axes = plt.subplots(len(kinds), len(names), figsize=size, sharex=True, sharey="row", squeeze=False)
    places = sorted({part.redshift for part in parts})
    step = 0.12 * min((high - low for low, high in pairwise(places)), default=1.0)
    for i, part in enumerate(parts):
        region = regions.index(part.part.region)
        # regions of one bin stand side by side
        x = part.redshift + step * (region - 0.5 * (len(regions) - 1)) if binned else float(i)
        for name, column in zip(names, axes.T, strict=True):
            if name in part.best.names:
                _points(column, kinds, part, part.best.names.index(name), x, COLOURS[region % len(COLOURS)], truth)
    if smooth is not None:
        for region, colour in zip(regions, COLOURS * len(regions), strict=False):
            _bands(axes, kinds, names, [part for part in parts if part.part.region == region], smooth, colour)
    for ax, name in zip(axes[0], names, strict=True):
        ax.set_title(name, fontsize=9.5)
    for row, kind in zip(axes, kinds, strict=True):
        row[0].set_ylabel(f"{kind} [per rms]")
        for ax in row:
            ax.axhline(0.0, color="0.5", lw=0.8)
    for ax in axes[-1]:
        if binned:
            ax.set_xlabel("redshift" if parts[0].part.z_range else "bin")
        else:
            ax.set_xticks(range(len(parts)), [part.label for part in parts], rotation=30)
            ax.margins(x=0.3)
    _legend(axes[0, 0])
    return fig


def _points(column, kinds: str, part: PartResult, i: int, x: float, colour: str, truth) -> None:
    for which, (ax, kind) in enumerate(zip(column, kinds, strict=True)):
        if truth is not None:
            ax.plot(x, truth[part.label][which][i], "_", ms=10, mew=2.2, color=TRUTH, label="truth", zorder=1)
        if kind == "b" and part.best.model == "additive":
            continue  # it was not fitted
        value, error = getattr(part.best, kind)[i], errors_of(getattr(part.best, f"cov_{kind}"))[i]
        label = part.part.region or "sample"
        ax.errorbar(x, value, yerr=error, fmt="o", ms=4, lw=1.3, color=colour, label=label)


def _bands(axes, kinds: str, names: Sequence[str], parts: Sequence[PartResult], smooth: Pooled, colour: str) -> None:
    """Smooth amplitudes of a region, where all of its bins have the template."""
    x = [part.redshift for part in parts]
    for name, column in zip(names, axes.T, strict=True):
        if not all(name in part.best.names for part in parts):
            continue
        for which, ax in zip(range(len(kinds)), column, strict=False):
            places = [part.best.names.index(name) + which * len(part.best.names) for part in parts]
            posteriors = [smooth.posteriors[part.label] for part in parts]
            if any(place >= len(one.mean) for place, one in zip(places, posteriors, strict=True)):
                continue  # a method without b
            mean = np.array([one.mean[place] for place, one in zip(places, posteriors, strict=True)])
            error = np.array([errors_of(one.cov)[place] for place, one in zip(places, posteriors, strict=True)])
            ax.fill_between(x, mean - error, mean + error, color=colour, alpha=0.18, lw=0)


def _legend(ax) -> None:
    """One entry for each name, however many points have it."""
    handles, labels = ax.get_legend_handles_labels()
    first = [labels.index(name) for name in dict.fromkeys(labels)]
    chosen = [handles[i] for i in first], [labels[i] for i in first]
    ax.figure.legend(*chosen, fontsize=9, loc="outside lower center", ncols=5)


def curve_panels(curves: Mapping[str, Mapping[str, Correlation]]) -> Figure:
    """Correlation functions of all parts, each in its panel.

    Parameters
    ----------
    curves : mapping of str to mapping of str to Correlation
        By the name of the part, curves by the names of :data:`CURVES`.

    Returns
    -------
    Figure
        On axes that hold all values of a part.
    """
    columns = min(COLUMNS, len(curves))
    rows = -(-len(curves) // columns)
    size = (max(5.5, 3.6 * columns), 0.8 + 2.8 * rows)
    fig, axes = plt.subplots(rows, columns, figsize=size, sharex=True, squeeze=False)
    for ax, (label, some) in zip(axes.flat, curves.items(), strict=False):
        for i, (name, one) in enumerate(some.items()):
            shift = 1.0 + 0.015 * (i - 0.5 * (len(some) - 1))
            error = None if one.cov is None else one.error
            ax.errorbar(one.theta_nominal / 60.0 * shift, one.w, yerr=error, label=name, **CURVES[name])
        ax.set_xscale("log")
        _scale(ax, [one.w for one in some.values()])
        plain_numbers(ax.xaxis)
        ax.set_title(label, fontsize=9.5)
    for ax in axes.flat[len(curves) :]:
        ax.set_axis_off()
    for ax in axes[:, 0]:
        ax.set_ylabel(r"$w(\theta)$ [1]")
    for ax in axes[-1]:
        ax.set_xlabel(r"$\theta$ [deg]")
    legend_below(axes[0, 0], ncols=4)
    return fig


def _scale(ax, curves: Sequence[np.ndarray]) -> None:
    """Logarithmic where all values are positive, else with a linear part around zero."""
    if all(np.nanmin(w) > 0 for w in curves):
        ax.set_yscale("log")
        return
    ax.set_yscale("symlog", linthresh=0.05 * max(np.nanmax(np.abs(w)) for w in curves))
    ax.axhline(0.0, color="0.5", lw=0.8)
