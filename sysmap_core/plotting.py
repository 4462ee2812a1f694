"""Figures: one palette, one style, units on every axis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import healpy as hp
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FuncFormatter
from scipy.stats import norm

from .methods import METHODS, Decontamination
from .sky import Field
from .summaries import Measured
from .two_point import Correlation

OBSERVED = "#333333"

TRUTH = "#E69F00"

STYLE = {
    "figure.dpi": 110,
    "savefig.dpi": 110,
    "font.size": 10.5,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "figure.constrained_layout.use": True,
}


def use_style() -> None:
    """Set the style of all figures of a notebook."""
    plt.rcParams.update(STYLE)


def colour(name: str) -> str:
    """Colour of a method, of the observed or of the true curve.

    Parameters
    ----------
    name : str
        Row of the table of methods, ``"observed"`` or ``"truth"``.

    Returns
    -------
    str
        Hexadecimal colour.
    """
    return METHODS[name].colour if name in METHODS else {"observed": OBSERVED, "truth": TRUTH}[name]


def label(name: str) -> str:
    """Label of a method, of the observed or of the true curve.

    Parameters
    ----------
    name : str
        Row of the table of methods, ``"observed"`` or ``"truth"``.

    Returns
    -------
    str
        For legends.
    """
    return METHODS[name].label if name in METHODS else name


def legend_below(ax: Axes, ncols: int = 3) -> None:
    """Legend of one panel below the whole figure.

    Parameters
    ----------
    ax : Axes
        Panel with the labels.
    ncols : int
        Columns.
    """
    ax.figure.legend(*ax.get_legend_handles_labels(), fontsize=9, loc="outside lower center", ncols=ncols)


def plain_numbers(axis: Axis) -> None:
    """Numbers of a logarithmic axis as people write them, also at 2, 3 and 5 times a power of ten.

    Parameters
    ----------
    axis : Axis
        ``ax.xaxis`` or ``ax.yaxis``, its scale set.
    """
    axis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    axis.set_minor_formatter(FuncFormatter(lambda x, _: f"{x:g}" if f"{x:.0e}"[0] in "235" else ""))


def ticks_at(axis: Axis, values: Sequence[float], form: str = "{:g}") -> None:
    """Ticks at given values, those that are in sight, and no others.

    Parameters
    ----------
    axis : Axis
        ``ax.xaxis`` or ``ax.yaxis``, its scale and limits set.
    values : sequence of float
        Places, in the unit of the axis.
    form : str
        Format of their labels.
    """
    low, high = sorted(axis.get_view_interval())
    shown = [value for value in values if low <= value <= high]
    axis.set_ticks(shown, [form.format(value) for value in shown])
    axis.set_ticks([], minor=True)


def points(
    ax: Axes,
    x: np.ndarray,
    results: Mapping[str, Measured],
    styles: Mapping[str, Mapping] | None = None,
    *,
    step: float = 0.02,
) -> None:
    """Several sets of points with errors, side by side so that none hides another.

    Parameters
    ----------
    ax : Axes
        Panel, the scale of its x axis set.
    x : ndarray, shape (n,)
        Common place of the points.
    results : mapping of str to Measured
        Values and errors of shape (n,) by label.
    styles : mapping of str to mapping, optional
        What :meth:`~matplotlib.axes.Axes.errorbar` gets, by label.
    step : float
        Distance of neighbours, in units of x; on a logarithmic axis relative to x.
    """
    x = np.asarray(x, float)
    for i, (name, (value, error)) in enumerate(results.items()):
        shift = step * (i - (len(results) - 1) / 2)
        style = {"fmt": "o-", "ms": 4.5, "lw": 1.3, "label": name} | dict((styles or {}).get(name, {}))
        ax.errorbar(x * (1.0 + shift) if ax.get_xscale() == "log" else x + shift, value, yerr=error, **style)


def pull_histogram(ax: Axes, pulls: Mapping[str, np.ndarray], colours: Mapping[str, str]) -> None:
    """Histograms of deviations over their errors, beside the unit normal that they should follow.

    Parameters
    ----------
    ax : Axes
        Panel.
    pulls : mapping of str to ndarray
        Deviations in units of their errors, of any shape, by label.
    colours : mapping of str to str
        Colour by label.
    """
    limit = max(4.0, np.ceil(max(np.abs(values).max() for values in pulls.values())))
    bins, grid = np.linspace(-limit, limit, 61), np.linspace(-limit, limit, 400)
    for name, values in pulls.items():
        style = {"density": True, "histtype": "stepfilled", "alpha": 0.5}
        ax.hist(np.ravel(values), bins, color=colours[name], label=name, **style)
    ax.plot(grid, norm.pdf(grid), color="black", lw=1.2, label="unit normal")
    ax.set(ylabel="density [1]")
    ax.legend(fontsize=8.5, loc="upper left")


def sky_maps(
    field: Field, maps: Mapping[str, tuple[np.ndarray, str]], *, diverging: tuple[str, ...] = (), columns: int = 3
) -> Figure:
    """Maps of the footprint in Mollweide projection, equatorial, right ascension to the left.

    Parameters
    ----------
    field : Field
        Footprint.
    maps : mapping of str to (ndarray, str)
        Title to values, shape (n_pix,), and the label of their colour bar with its unit.
    diverging : tuple of str
        Titles of maps with a colour scale centred on zero.
    columns : int
        Maps in a row.

    Returns
    -------
    Figure
        One panel per map; colours span the central 98 % of the values, and the arrows of the
        bar say that there are values beyond.
    """
    rows = -(-len(maps) // columns)
    fig, axes = plt.subplots(
        rows, columns, figsize=(4.1 * columns, 2.9 * rows), subplot_kw={"projection": "mollweide"}, squeeze=False
    )
    for ax in axes.flat[len(maps) :]:
        ax.remove()
    for ax, (title, (values, unit)) in zip(axes.flat, maps.items(), strict=False):
        low, high = np.percentile(values, [1, 99])
        cmap = "cividis"
        if title in diverging:
            high = max(abs(low), abs(high))
            low, cmap = -high, "RdBu_r"
        image = _mollweide(ax, field, values, cmap, low, high)
        bar = fig.colorbar(image, ax=ax, orientation="horizontal", shrink=0.75, pad=0.05, extend="both", aspect=28)
        bar.set_label(unit)
        ax.set_title(title, fontsize=10.5)
    return fig


def _mollweide(ax, field, values, cmap, low, high):
    lon, lat = np.meshgrid(np.linspace(-180, 180, 721), np.linspace(-90, 90, 361))
    # right ascension 180 in the middle, growing to the left
    pixels = hp.ang2pix(field.nside, np.mod(180.0 - lon, 360.0), lat, lonlat=True)
    image = np.ma.masked_equal(field.full_sky(values)[pixels], hp.UNSEEN)
    mesh = ax.pcolormesh(
        np.radians(lon), np.radians(lat), image, cmap=cmap, vmin=low, vmax=high, shading="auto", rasterized=True
    )
    ticks = np.arange(-120, 121, 60)
    halo = [withStroke(linewidth=2, foreground="white")]
    ax.set_xticks(np.radians(ticks), [f"{180 - t}°" for t in ticks], fontsize=7, path_effects=halo)
    ax.set_yticks(np.radians([-60, -30, 0, 30, 60]), ["-60°", "-30°", "0°", "30°", "60°"], fontsize=7)
    ax.spines["geo"].set_linewidth(0.6)
    return mesh


def amplitudes(results: Mapping[str, Decontamination], truth: Mapping[str, np.ndarray] | None = None) -> Figure:
    """Amplitudes of all methods with their errors on the clustered sky.

    Parameters
    ----------
    results : mapping of str to Decontamination
        Results by method.
    truth : mapping of {"a", "b"} to ndarray, optional
        True amplitudes, where they are known.

    Returns
    -------
    Figure
        Additive amplitudes to the left, multiplicative ones to the right where a method has them;
        thick bars are the errors of independent pixels.
    """
    combined = {name: r for name, r in results.items() if r.model == "combined"}
    panels = [("a", "additive amplitude $a$ [per rms]", results)]
    if combined:
        panels.append(("b", "multiplicative amplitude $b$ [per rms]", combined))
    names = next(iter(results.values())).names
    height = 1.7 + max(0.42, 0.1 * len(results)) * len(names)
    fig, axes = plt.subplots(1, len(panels), figsize=(5.2 * len(panels), height), sharey=True, squeeze=False)
    place = np.arange(len(names))[::-1]
    for ax, (which, title, shown) in zip(axes[0], panels, strict=True):
        for i, (name, result) in enumerate(shown.items()):
            offset = (0.6 if len(shown) < 5 else 0.8) * (0.5 - (i + 0.5) / len(shown))
            value = getattr(result, which)
            error, iid = (np.sqrt(np.diag(getattr(result, f"cov_{which}{kind}"))) for kind in ("", "_iid"))
            ax.errorbar(value, place + offset, xerr=error, fmt="o", ms=4, lw=1.2, color=colour(name), label=label(name))
            ax.errorbar(value, place + offset, xerr=iid, fmt="none", lw=3.5, color=colour(name), alpha=0.45)
        if truth is not None:
            ax.plot(truth[which], place, "|", ms=18, mew=2, color=TRUTH, label="truth", zorder=1)
        ax.axvline(0.0, color="0.5", lw=0.8)
        ax.set_xlabel(title)
    axes[0, 0].set_yticks(place, names)
    legend_below(axes[0, 0], ncols=5)
    return fig


def weight_histograms(columns: Mapping[str, np.ndarray]) -> Figure:
    """Histograms of the weights of the pixels.

    Parameters
    ----------
    columns : mapping of str to ndarray
        Weights by method, shape (n_pix,).

    Returns
    -------
    Figure
        Counts on a logarithmic axis, so that the tails are seen; the range holds all values.
    """
    low = min(w.min() for w in columns.values())
    high = max(w.max() for w in columns.values())
    bins = np.linspace(low, high, 61)
    fig, ax = plt.subplots(figsize=(6.4, 3.6))
    for name, weights in columns.items():
        ax.hist(weights, bins, histtype="step", lw=1.6, color=colour(name), label=f"{label(name)}")
    ax.set(yscale="log", xlabel="weight of a galaxy [1]", ylabel="pixels per bin")
    ax.axvline(1.0, color="0.5", lw=0.8)
    legend_below(ax)
    return fig


def two_point(curves: Mapping[str, Correlation], reference: str, labels: Mapping[str, str] | None = None) -> Figure:
    """Correlation functions with a ratio panel that shows every point.

    Parameters
    ----------
    curves : mapping of str to Correlation
        Curves by name of a method, ``"observed"``, ``"truth"`` or ``"corrected"``.
    reference : str
        Curve that the others are divided by.
    labels : mapping of str to str, optional
        Labels other than those of the methods.

    Returns
    -------
    Figure
        Correlation functions above, ratios below, on axes that hold all values; crosses mark bins that a
        correction turned negative.
    """
    fig, (top, bottom) = plt.subplots(2, 1, figsize=(7.0, 6.8), sharex=True, gridspec_kw={"height_ratios": [2.2, 1.3]})
    largest = max(np.nanmax(np.abs(c.w)) for c in curves.values())
    base = curves[reference].w
    for i, (name, curve) in enumerate(curves.items()):
        shift = 1.0 + 0.008 * (i - len(curves) / 2)  # points of one bin side by side
        style = _curve_style(name)
        text = (labels or {}).get(name, label(name) if name != "corrected" else name)
        for ax, scale in ((top, 1.0), (bottom, 1.0 / base)):
            error = None if curve.cov is None else np.abs(curve.error * scale)
            ax.errorbar(curve.theta_nominal / 60.0 * shift, curve.w * scale, yerr=error, label=text, **style)
            if np.any(getattr(curve, "flagged", False)):  # by the correction, below zero
                at = curve.flagged
                ax.plot(curve.theta_nominal[at] / 60.0 * shift, (curve.w * scale)[at], "kx", ms=9, zorder=5)
    top.set_yscale("symlog", linthresh=0.03 * largest)
    bottom.axhline(1.0, color="0.5", lw=0.8)
    for ax in (top, bottom):
        ax.axhline(0.0, color="0.5", lw=0.8)
        ax.set_xscale("log")
        plain_numbers(ax.xaxis)
    top.set_ylabel(r"$w(\theta)$ [1]")
    bottom.set(xlabel=r"$\theta$ [deg]", ylabel=f"ratio to\n{(labels or {}).get(reference, reference)}")
    legend_below(top)
    return fig


def _curve_style(name: str) -> dict:
    if name == "truth":
        return {"color": TRUTH, "fmt": "-", "lw": 4, "alpha": 0.6}
    if name == "corrected":
        return {"color": METHODS["MCMC-comb"].colour, "fmt": "s--", "ms": 5, "mfc": "white", "lw": 1.2}
    return {"color": colour(name), "fmt": "o-", "ms": 3.5, "lw": 1.3}
