import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from skies import ClusteredSky

from sysmap_core import plotting
from sysmap_core.methods.decontamination import run_methods
from sysmap_core.methods.table import METHODS
from sysmap_core.summaries import Measured
from sysmap_core.two_point.correlation import Correlation
from sysmap_core.weights.columns import column

mpl.use("Agg")


@pytest.fixture(scope="module")
def run():
    sky = ClusteredSky(nside=16)
    field = sky.field(0, a=0.1)
    return field, sky.templates, run_methods(field, sky.templates, list(METHODS))


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def curve(w):
    edges = np.geomspace(60, 600, len(w) + 1)
    centres = np.sqrt(edges[1:] * edges[:-1])
    return Correlation(edges, centres, centres, np.array(w), 1e-6 * np.eye(len(w)), np.ones(len(w)), "test")


def inside(ax, points):
    low, high = ax.get_ylim()
    return np.all((np.asarray(points) >= low) & (np.asarray(points) <= high))


def test_correlation_figure_hides_nothing():
    curves = {"observed": curve([0.1, 0.01, -0.002]), "OLS": curve([0.09, 0.0, -0.05])}
    top, bottom = plotting.two_point(curves, "observed").axes
    for c in curves.values():
        assert inside(top, c.w)
        assert inside(bottom, c.w / curves["observed"].w)


def test_axes_carry_units(run):
    field, _, results = run
    figures = [
        plotting.amplitudes(results, {"a": np.zeros(3), "b": np.zeros(3)}),
        plotting.weight_histograms({n: column(r) for n, r in results.items()}),
        plotting.two_point({"observed": curve([0.1, 0.01])}, "observed"),
    ]
    for figure in figures:
        for ax in figure.axes:
            assert not ax.get_xlabel() or "[" in ax.get_xlabel() or "pixels" in ax.get_xlabel()
    maps = plotting.sky_maps(field, {"density": (field.delta, "$d$ [1]")}, diverging=("density",))
    assert maps.axes[-1].get_xlabel() == "$d$ [1]"


def test_histogram_holds_all_weights(run):
    *_, results = run
    columns = {name: column(result) for name, result in results.items()}
    low, high = plotting.weight_histograms(columns).axes[0].get_xlim()
    assert low <= min(w.min() for w in columns.values())
    assert high >= max(w.max() for w in columns.values())


def test_one_colour_per_method_everywhere():
    assert plotting.colour("OLS") == METHODS["OLS"].colour
    assert len({plotting.colour(n) for n in [*METHODS, "observed", "truth"]}) == len(METHODS) + 2


def test_empty_panels_are_removed(run):
    field = run[0]
    figure = plotting.sky_maps(field, {str(i): (field.delta, "[1]") for i in range(2)}, columns=3)
    assert len(figure.axes) == 4  # two maps, two colour bars


def test_points_of_one_bin_stand_side_by_side():
    results = {name: Measured(np.ones(2), np.full(2, 0.1)) for name in "abc"}
    places = {}
    for scale in ("linear", "log"):
        _, ax = plt.subplots()
        ax.set_xscale(scale)
        plotting.points(ax, [1.0, 10.0], results, {"b": {"color": "red"}}, step=0.1)
        places[scale] = [container.lines[0].get_xdata() for container in ax.containers]
        assert ax.containers[1].lines[0].get_color() == "red"
        assert ax.get_legend_handles_labels()[1] == ["a", "b", "c"]
    np.testing.assert_allclose(places["linear"], [[0.9, 9.9], [1, 10], [1.1, 10.1]])
    np.testing.assert_allclose(places["log"], [[0.9, 9.0], [1, 10], [1.1, 11.0]])


def test_ticks_that_are_in_sight():
    _, ax = plt.subplots()
    ax.set(xscale="log", xlim=(0.4, 30))
    plotting.ticks_at(ax.xaxis, [0.1, 0.5, 2, 20, 50])
    np.testing.assert_array_equal(ax.get_xticks(), [0.5, 2, 20])
    assert [label.get_text() for label in ax.get_xticklabels()] == ["0.5", "2", "20"]
    assert not len(ax.get_xticks(minor=True))


def test_numbers_of_a_logarithmic_axis():
    _, ax = plt.subplots()
    ax.set(xscale="log", xlim=(0.1, 10))
    plotting.plain_numbers(ax.xaxis)
    assert ax.xaxis.get_major_formatter()(0.1, 0) == "0.1"
    assert [ax.xaxis.get_minor_formatter()(x, 0) for x in (0.2, 0.4, 0.5)] == ["0.2", "", "0.5"]


def test_histogram_of_pulls_holds_all_of_them():
    _, ax = plt.subplots()
    plotting.pull_histogram(ax, {"a": np.array([[-5.5, 0.0]]), "b": np.zeros(3)}, {"a": "red", "b": "blue"})
    assert ax.get_xlim()[0] < -5.5
    assert ax.get_legend_handles_labels()[1] == ["a", "b", "unit normal"]


def test_legend_below_the_figure():
    fig, (ax, _) = plt.subplots(1, 2)
    ax.plot([0, 1], label="one")
    plotting.legend_below(ax, ncols=2)
    assert [text.get_text() for text in fig.legends[0].get_texts()] == ["one"]
