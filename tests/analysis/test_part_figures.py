"""Figures of samples with several parts: everything that is known is drawn."""

import numpy as np
import pytest
from skies import catalogued_run

from sysmap_core import plotting
from sysmap_core.analysis.part_figures import amplitude_panels, curve_panels
from sysmap_core.two_point import field_correlation


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """Two regions with two bins."""
    return catalogued_run(tmp_path_factory.mktemp("run"), methods=["GLS"])


@pytest.fixture(autouse=True)
def _closed():
    yield
    plotting.plt.close("all")


def heights(ax):
    """Points of all error bars of a panel."""
    return sorted(float(bar.lines[0].get_ydata()[0]) for bar in ax.containers)


def test_every_amplitude_of_every_part_is_drawn(done):
    fig = amplitude_panels(done.parts, smooth=done.smooth())
    first, second = fig.axes
    np.testing.assert_allclose(heights(first), sorted(part.best.a[0] for part in done.parts))
    np.testing.assert_allclose(heights(second), sorted(part.best.a[1] for part in done.parts))
    assert [ax.get_title() for ax in fig.axes] == ["first", "second"]
    assert first.get_xlabel() == "redshift"
    assert len(first.collections) >= 2 + 4  # a band for each region, and the bars
    assert [text.get_text() for text in fig.legends[0].get_texts()] == ["N", "S"]


def test_truth_is_drawn_where_it_is_known(done):
    truth = {part.label: (np.array([0.2, 0.3]), np.zeros(2)) for part in done.parts}
    fig = amplitude_panels(done.parts, truth)
    assert sum(list(line.get_ydata()) == [0.2] for line in fig.axes[0].lines) == len(done.parts)


def test_parts_without_bins_stand_side_by_side(tmp_path):
    found = catalogued_run(tmp_path, parts=False, methods=["OLS"])
    fig = amplitude_panels(found.parts)
    assert [label.get_text() for label in fig.axes[0].get_xticklabels()] == ["all"]


def test_every_part_has_its_curves(done):
    edges = np.geomspace(500, 2000, 4)
    curves = {part.label: {"observed": field_correlation(part.field, edges_arcmin=edges)} for part in done.parts}
    fig = curve_panels(curves)
    shown = [ax for ax in fig.axes if ax.get_title()]
    assert [ax.get_title() for ax in shown] == list(curves)
    for ax, one in zip(shown, curves.values(), strict=True):
        np.testing.assert_array_equal(ax.containers[0].lines[0].get_ydata(), one["observed"].w)
        assert ax.get_yscale() == ("log" if one["observed"].w.min() > 0 else "symlog")
