"""Surveys in parts: their truth, their fields, and closed loops of separate fits."""

import numpy as np
import pytest

from sysmap_core.diagnostics.equality import amplitudes_equal
from sysmap_core.errors import DataError
from sysmap_core.methods.decontamination import decontaminate
from sysmap_core.validation.part_surveys import PartSurveys
from sysmap_core.validation.tailed_surveys import TailedSurveys

SURVEYS = TailedSurveys.of(8, 0.2, n_sys=3, galaxies_per_pixel=200.0)

REGIONS = PartSurveys(SURVEYS, split_dec=5.0)


def test_labels():
    assert PartSurveys(SURVEYS).labels == ("all",)
    assert REGIONS.labels == ("North", "South")
    assert PartSurveys(SURVEYS, split_dec=5.0, n_bins=2).labels == ("North z1", "North z2", "South z1", "South z2")


def test_regions_lie_side_by_side():
    parts = REGIONS.draw(np.random.SeedSequence(1))
    north, south = (part.field.pixels for part in parts.values())
    assert not set(north) & set(south)
    for part in parts.values():
        assert part.field.footprint == part.templates.footprint
        np.testing.assert_allclose(np.average(part.field.delta, weights=part.field.expected), 0.0, atol=1e-12)
        assert not part.a.any()


def test_amplitudes_are_per_rms_on_the_part():
    """The same law in both regions: per unit of the map both are the same, and the density follows it."""
    strong = np.array([0.3, 0.0, 0.0])
    parts = REGIONS.draw(np.random.SeedSequence(2), dict.fromkeys(REGIONS.labels, strong))
    per_unit = [part.a / part.templates.rms for part in parts.values()]
    np.testing.assert_allclose(*per_unit)
    assert parts["North"].a[0] != pytest.approx(parts["South"].a[0], rel=1e-3)
    for part in parts.values():
        slope = np.polyfit(part.templates.values[0], part.field.delta, 1)[0]
        assert slope == pytest.approx(part.a[0], abs=0.08)


def test_bins_have_fields_and_amplitudes_of_their_own():
    a = {"South z2": np.array([0.4, 0.0, 0.0])}
    parts = PartSurveys(SURVEYS, split_dec=5.0, n_bins=2).draw(np.random.SeedSequence(3), a)
    assert list(parts) == ["North z1", "North z2", "South z1", "South z2"]
    assert [part.coordinate for part in parts.values()] == [0.0, 1.0, 0.0, 1.0]
    assert parts["North z1"].field.footprint == parts["North z2"].field.footprint
    assert np.corrcoef(parts["North z1"].field.delta, parts["North z2"].field.delta)[0, 1] < 0.5
    slopes = {k: np.polyfit(part.templates.values[0], part.field.delta, 1)[0] for k, part in parts.items()}
    assert max(slopes, key=slopes.get) == "South z2"


def test_other_parts_are_an_error():
    with pytest.raises(DataError, match=r"amplitudes came for part East: the parts are North, South"):
        REGIONS.draw(np.random.SeedSequence(1), {"East": np.zeros(3)})


@pytest.mark.slow
@pytest.mark.parametrize("method", ["OLS", "GLS"])
def test_separate_regions_come_back_and_the_test_of_equality_has_its_size(method):
    """Two regions with other amplitudes: pulls of unit rms; with the same ones: 5 % are rejected."""
    surveys = PartSurveys(TailedSurveys.of(16, 0.3, n_sys=5, galaxies_per_pixel=20.0), split_dec=5.0)
    rng, squares, p = np.random.default_rng(1), [], []
    for i, sequence in enumerate(np.random.SeedSequence(5).spawn(260)):
        north, south = 0.04 * rng.standard_normal((2, 5))
        same = i >= 60
        parts = surveys.draw(sequence, {"North": north, "South": north if same else south})
        fits = {label: decontaminate(part.field, part.templates, method) for label, part in parts.items()}
        if same:
            p.append(amplitudes_equal(fits).of_a.p)
        else:
            off = [(fit.a - parts[k].a) ** 2 / np.diag(fit.cov_a) for k, fit in fits.items()]
            squares.append(np.mean(off))
    assert 0.9 < np.sqrt(np.mean(squares)) < 1.1
    assert np.mean(np.array(p) < 0.05) == pytest.approx(0.05, abs=3 * np.sqrt(0.05 * 0.95 / len(p)))
