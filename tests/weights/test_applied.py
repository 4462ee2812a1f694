from dataclasses import replace

import numpy as np
import pytest

from sysmap_core.errors import DataError, ParameterError
from sysmap_core.weights.applied import apply_weights
from sysmap_core.weights.maps import write_weight_maps
from sysmap_core.weights.rows import weight_table


@pytest.fixture(scope="module", params=[".fits", ".hsp"])
def path(request, split_run, tmp_path_factory):
    return write_weight_maps(tmp_path_factory.mktemp("maps") / f"S_WEIGHT_MAP{request.param}", *split_run)


def test_a_map_gives_what_the_files_of_objects_give(split_run, path):
    sample, parts = split_run
    galaxies = weight_table(sample, parts, "galaxies").columns
    place = sample.galaxies.ra, sample.galaxies.dec
    for name in ("WEIGHT_SYS", "WEIGHT_ALONE", "WEIGHT_OLS"):
        weights, in_fit = apply_weights(path, *place, column=name, z_bin=galaxies["ZBIN"])
        np.testing.assert_array_equal(weights, galaxies[name])
        np.testing.assert_array_equal(in_fit, galaxies["IN_FIT"])
    randoms = weight_table(sample, parts, "randoms").columns
    for z_bin in (1, 2):
        weights, in_fit = apply_weights(path, sample.randoms.ra, sample.randoms.dec, kind="randoms", z_bin=z_bin)
        np.testing.assert_array_equal(weights, randoms[f"WEIGHT_SYS_Z{z_bin}"])
        assert in_fit.all()


def test_a_region_of_all_or_of_each(split_run, path):
    sample, parts = split_run
    galaxies = weight_table(sample, parts, "galaxies").columns
    place = sample.galaxies.ra, sample.galaxies.dec
    weights, in_fit = apply_weights(path, *place, region=galaxies["REGION"], z_bin=galaxies["ZBIN"])
    np.testing.assert_array_equal(weights, galaxies["WEIGHT_SYS"])
    _, north = apply_weights(path, *place, region="N", z_bin=galaxies["ZBIN"])
    np.testing.assert_array_equal(north, galaxies["IN_FIT"] & (galaxies["REGION"] == "N"))
    assert north.sum() < in_fit.sum()


def test_a_map_of_one_part(run, tmp_path):
    sample, results, *_ = run
    path = write_weight_maps(tmp_path / "m.fits", sample, results)
    weights, in_fit = apply_weights(path, sample.galaxies.ra, sample.galaxies.dec, column="WEIGHT_COMB")
    assert np.sum(~in_fit) == 3
    assert set(weights[~in_fit]) == {1.0}
    with pytest.raises(ParameterError, match="region is 'N' and the file has one for all: leave it out"):
        apply_weights(path, np.zeros(1), np.zeros(1), region="N")


def test_pixels_of_two_regions(split_run, tmp_path):
    sample, parts = split_run
    twice = [parts[0], replace(parts[0], part=replace(parts[0].part, region="W"))]
    path = write_weight_maps(tmp_path / "m.fits", sample, twice)
    ra, dec = np.array([10.0, 10.0]), np.array([60.0, -60.0])
    with pytest.raises(DataError, match="1 objects lie in pixels of several regions: give region, one for all or one"):
        apply_weights(path, ra, dec, z_bin=1)
    assert list(apply_weights(path, ra, dec, z_bin=1, region="W")[1]) == [True, False]


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({}, "z_bin is not given and the file has bins 1, 2: give one for all or one per object"),
        ({"z_bin": 3}, "unknown z_bin 3: .*known: 1, 2"),
        ({"z_bin": 0}, "unknown z_bin 0: .*known: 1, 2"),
        ({"z_bin": np.array([1, 7])}, "unknown z_bin 7"),
        ({"z_bin": 1, "region": "East"}, "unknown region 'East': .*known: N, S"),
        ({"z_bin": 1, "kind": "stars"}, "unknown kind 'stars': .*known: galaxies, randoms"),
        (
            {"z_bin": 1, "column": "WEIGHT_GLS"},
            "unknown column of S_WEIGHT_MAP.* 'WEIGHT_GLS': did you mean 'WEIGHT_GLSC'",
        ),
        (
            {"z_bin": 1, "column": "RANDOM_WEIGHT_SYS"},
            "unknown column of .* 'RANDOM_WEIGHT_SYS': did you mean 'WEIGHT_",
        ),
    ],
)
def test_what_is_not_in_the_file(path, options, wanted):
    with pytest.raises(ParameterError, match=wanted):
        apply_weights(path, np.zeros(2), np.zeros(2), **options)


def test_places_that_are_none(path):
    with pytest.raises(DataError, match=r"ra has shape \(2,\) and dec \(3,\): give one of each per object"):
        apply_weights(path, np.zeros(2), np.zeros(3), z_bin=1)
    with pytest.raises(DataError, match="2 of 3 positions are not finite, or beyond Dec 90: give equatorial degrees"):
        apply_weights(path, np.array([0.0, np.nan, 1.0]), np.array([0.0, 0.0, 91.0]), z_bin=1)
    with pytest.raises(DataError, match=r"z_bin has shape \(3,\) for 2 objects: give one for all or one per object"):
        apply_weights(path, np.zeros(2), np.zeros(2), z_bin=np.ones(3, int))
