"""The null sample: cells of its footprint, counts, and maps of the Galaxy."""

import gzip

import healpy as hp
import numpy as np
import pytest
from astropy.io import fits
from scipy.stats import spearmanr

from sysmap_core.errors import DataError, MissingDataError, ParameterError
from sysmap_core.samples.lrg import read_lrg_pixels
from sysmap_core.samples.sdss import (
    SUBPIXELS,
    cell_coverage,
    inner_cells,
    read_foregrounds,
    read_sdss_cells,
    read_sdss_galaxies,
    read_sdss_pixels,
)
from sysmap_core.sky.field import footprint, overdensity

GALAXIES = "sdss_dr7_vollim_DATA.fits.gz"

CELLS = "sdss_dr7_footprint_cells.dat.gz"

STARS = "gaia_stardens_nside128_nested_equatorial.fits"


def block(ra, dec):
    """Cells of a range of whole degrees, both ends included."""
    cells = np.zeros((360, 180), bool)
    cells[np.ix_(np.arange(ra[0], ra[1] + 1) % 360, np.arange(dec[0] + 90, dec[1] + 91))] = True
    return cells


@pytest.fixture
def small(tmp_path):
    """Files of a sample with four galaxies in nine cells around RA = 0."""
    corners = "\n".join(f"{ra % 360} {dec}" for ra in (-1, 0, 1) for dec in (-1, 0, 1))
    (tmp_path / CELLS).write_bytes(gzip.compress(f"# RA DEC\n{corners}\n".encode()))
    columns = {"RA": [359.5, 0.5, 0.7, 1.5], "DEC": [0.5, 0.5, 0.1, -0.5], "Z": [0.01, 0.05, 0.10, 0.05]}
    table = [fits.Column(name=n, format="D", array=v) for n, v in columns.items()]
    fits.BinTableHDU.from_columns(table).writeto(tmp_path / GALAXIES)
    return tmp_path


@pytest.mark.parametrize("nside", [8, 32])
def test_coverage_of_a_block_of_cells_is_its_area(nside):
    coverage = cell_coverage(block((350, 380), (-20, 39)), nside)
    area = 31 * np.degrees(np.sin(np.radians(40)) - np.sin(np.radians(-20)))
    found = coverage.mean() * 4 * np.pi * np.degrees(1) ** 2
    # no edge is off by more than half a point
    border = 2 * 60 + 31 * (np.cos(np.radians(40)) + np.cos(np.radians(20)))
    assert found == pytest.approx(area, abs=border * np.degrees(hp.nside2resol(nside * SUBPIXELS)) / 2)
    assert 0 == coverage.min() < coverage.max() == 1


def test_coverage_of_the_whole_sky():
    assert (cell_coverage(np.ones((360, 180), bool), 4) == 1).all()


def test_pixels_are_covered_where_the_cells_are():
    coverage = cell_coverage(block((30, 49), (10, 29)), 16)
    for ra, dec, expected in ((40, 20, 1), (40, -20, 0), (60, 20, 0), (20, 20, 0)):
        assert coverage[hp.ang2pix(16, ra, dec, lonlat=True)] == expected


def test_margin_takes_off_rings_of_cells_across_zero_and_at_the_poles():
    cells = block((350, 369), (70, 89))
    np.testing.assert_array_equal(inner_cells(cells, 0), cells)
    np.testing.assert_array_equal(inner_cells(cells, 3), block((353, 366), (73, 86)))
    round_the_sky = block((0, 359), (0, 9))
    np.testing.assert_array_equal(inner_cells(round_the_sky, 2), block((0, 359), (2, 7)))


@pytest.mark.parametrize(
    ("margin", "problem"),
    [(-1, "margin is -1: give a number of cells"), (0.5, "margin is 0.5"), (2, "margin is 2: nothing is left of 9")],
)
def test_margin_that_cannot_be(margin, problem):
    with pytest.raises(ParameterError, match=problem):
        inner_cells(block((0, 2), (0, 2)), margin)


def test_cells_of_a_file(small):
    np.testing.assert_array_equal(read_sdss_cells(small), block((359, 361), (-1, 1)))


def test_galaxies_of_a_file(small):
    galaxies, z = read_sdss_galaxies(small)
    np.testing.assert_array_equal(galaxies.ra, [359.5, 0.5, 0.7, 1.5])
    np.testing.assert_array_equal(z, [0.01, 0.05, 0.10, 0.05])


@pytest.mark.parametrize(
    ("given", "number"),
    [({}, 4), ({"margin": 1}, 2), ({"z_range": (0.05, 0.10)}, 2), ({"z_range": (0.0, 0.05), "margin": 0}, 1)],
)
def test_counts_are_those_of_the_cells_and_redshifts(small, given, number):
    sample = read_sdss_pixels(small, 64, **{"margin": 0} | given)
    assert sample.counts.sum() == number
    assert sample.coverage[sample.counts > 0].min() > 0
    assert sample.maps.shape == (0, hp.nside2npix(64))
    assert sample.names == ()
    assert sample.path == small / GALAXIES


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("10 20\n360 0\n", "holds no lower corners of cells"),
        ("10 90\n", "holds no lower corners of cells"),
        ("10.5 20\n", "holds no lower corners of cells"),
        ("10 20 30\n", "holds no lower corners of cells"),
        ("ten 20\n", "is not a table of numbers"),
    ],
)
def test_bad_cells(small, text, problem):
    (small / CELLS).write_bytes(gzip.compress(text.encode()))
    with pytest.raises(DataError, match=problem):
        read_sdss_cells(small)


def test_catalogue_without_redshifts(small):
    table = fits.BinTableHDU.from_columns([fits.Column(name=n, format="D", array=[1.0]) for n in ("RA", "DEC")])
    table.writeto(small / GALAXIES, overwrite=True)
    with pytest.raises(DataError, match="has no column Z, it has RA, DEC: rename"):
        read_sdss_galaxies(small)


def test_redshifts_that_no_galaxy_has(small):
    with pytest.raises(ParameterError, match=r"z_range is \(1.0, 2.0\): no galaxy .* from 0.01 to 0.1"):
        read_sdss_pixels(small, margin=0, z_range=(1.0, 2.0))


@pytest.mark.parametrize("read", [read_sdss_galaxies, read_sdss_cells, read_sdss_pixels, read_foregrounds])
def test_folder_without_the_files(tmp_path, read):
    with pytest.raises(MissingDataError, match=r" is not in .*: set SYSMAP_DATA .*VAST .*regressis"):
        read(tmp_path)


def test_finer_than_the_cells(small):
    with pytest.raises(ParameterError, match=r"nside is 256: .* cells of one degree, give 128 or less"):
        read_sdss_pixels(small, 256)


def test_every_galaxy_is_in_a_listed_cell(real_data):
    sample = read_sdss_pixels(real_data, 32, margin=0)
    assert sample.counts.sum() == 120606
    assert (sample.coverage.mean() * 4 * np.pi * np.degrees(1) ** 2) == pytest.approx(7553, rel=1e-3)
    assert read_sdss_cells(real_data).sum() == 9313
    _, z = read_sdss_galaxies(real_data)
    assert 0 < z.min() < z.max() <= np.float32(0.107)


def test_listed_border_is_half_empty(real_data):
    """Why the outer cells are taken off; those further in are as full as the inside."""
    peeled = [read_sdss_pixels(real_data, 16, margin=m) for m in (0, 1, 2, 3, 8)]
    number, area = (np.array([getattr(s, name).sum() for s in peeled]) for name in ("counts", "coverage"))
    rings = -np.diff(number) / -np.diff(area) / (number[-1] / area[-1])
    assert rings[0] < 0.4
    assert rings[1] < 0.8
    assert rings[2:] == pytest.approx(1, abs=0.15)


def test_rank_correlations_with_stars_dust_and_gas(real_data):
    """Those of a nearly clean sample, over the listed cells."""
    sample, maps = read_sdss_pixels(real_data, 64, margin=0), read_foregrounds(real_data, 64)
    pixels = footprint(sample.coverage, 0.5)
    delta = overdensity(sample.counts, sample.coverage, pixels).delta
    found = {n: spearmanr(delta, m[pixels])[0] for n, m in zip(maps.names, maps.maps, strict=True)}
    for name, expected in (("STARDENS", -0.06), ("EBV", 0.03), ("NHI", 0.00)):
        assert found[name] == pytest.approx(expected, abs=0.01)


def test_foregrounds_are_those_of_another_file(real_data):
    maps, sample = read_foregrounds(real_data, 128), read_lrg_pixels(real_data)
    inside = sample.coverage > 0
    others = {"STARDENS": "STARDENS", "EBV": "EBV_SFD", "NHI": "NHI_HI4PI", "SGR_STREAM": "SGR_STREAM"}
    for name, other in others.items():
        pair = maps.maps[maps.names.index(name)][inside], sample.maps[sample.names.index(other)][inside]
        assert np.corrcoef(*pair)[0, 1] > (0.97 if name == "SGR_STREAM" else 0.999)
    assert maps.sources.keys() >= {STARS, "sagittarius_stream_nside64_nested_equatorial.npy", "EBV", "NHI"}


def test_foregrounds_of_a_lower_resolution_are_means(real_data):
    fine, coarse = (read_foregrounds(real_data, nside).maps for nside in (64, 16))
    np.testing.assert_allclose(coarse.mean(1), fine.mean(1), rtol=1e-6)
