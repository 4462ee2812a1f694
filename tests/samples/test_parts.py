"""Samples cut into regions and bins, each a sample of its own."""

from dataclasses import replace

import numpy as np
import pytest
from skies import SAMPLE_NSIDE, north
from skies import scattered_sample as sample

from sysmap_core.errors import DataError, ParameterError
from sysmap_core.samples.parts import SamplePart, split, whole
from sysmap_core.sky.counts import Counts

KNOWN = Counts.known(np.ones(12 * SAMPLE_NSIDE**2))


def redshift(ra, dec):
    return ra / 360.0


def test_whole_sample_is_its_only_part():
    sky = sample()
    (part,) = split(sky)
    assert part.sample is sky
    assert part.label == "all"
    assert part.galaxy_rows.all()
    assert part.random_rows.all()
    assert len(part.random_rows) == len(sky.randoms)


def test_regions_share_all_objects_among_them():
    sky = sample(PHOTSYS=north)
    parts = split(sky, regions="PHOTSYS")
    assert [part.label for part in parts] == ["N", "S"]
    for kind in ("galaxy_rows", "random_rows"):
        assert np.array_equal(
            sum(getattr(part, kind).astype(int) for part in parts), np.ones(len(getattr(parts[0], kind)))
        )
    for part in parts:
        assert np.array_equal(part.sample.galaxies.ra, sky.galaxies.ra[part.galaxy_rows])
        assert set(north(part.sample.randoms.ra, part.sample.randoms.dec)) == {part.region}
        assert part.sample.galaxy_counts.weights.sum() == part.galaxy_rows.sum()
        assert part.sample.coverage.weights.sum() == part.random_rows.sum()
    assert np.array_equal(sum(p.sample.coverage.weights for p in parts), sky.coverage.weights)


def test_known_coverage_is_shared_out_by_pixels():
    sky = sample(KNOWN)
    parts = split(sky, regions="caps")
    assert np.array_equal(sum(p.sample.coverage.weights for p in parts), KNOWN.weights)
    for part in parts:
        assert not part.sample.coverage.squares.any()
        counts = part.sample.galaxy_counts.weights
        assert np.all(part.sample.coverage.weights[counts > 0] == 1.0)


def test_bins_share_the_randoms_and_part_the_galaxies():
    sky = sample(Z=redshift)
    parts = split(sky, z_edges=[0.2, 0.5, 0.9])
    assert [part.label for part in parts] == ["z 0.2-0.5", "z 0.5-0.9"]
    assert [part.z_bin for part in parts] == [1, 2]
    z = sky.galaxies.columns["Z"]
    assert np.array_equal(parts[0].galaxy_rows, (z >= 0.2) & (z < 0.5))
    assert parts[1].z_range == (0.5, 0.9)
    assert parts[0].random_rows.all()
    assert parts[0].sample.coverage is sky.coverage


def test_regions_and_bins_are_crossed_region_by_region():
    sky = sample(Z=redshift, PHOTSYS=north)
    parts = split(sky, regions="PHOTSYS", z_edges=[0.0, 0.5, 1.0])
    assert [part.label for part in parts] == ["N, z 0-0.5", "N, z 0.5-1", "S, z 0-0.5", "S, z 0.5-1"]
    assert sum(part.galaxy_rows.sum() for part in parts) == len(sky.galaxies)


def test_numbered_bins_leave_out_galaxies_without_a_number():
    sky = sample(BIN=lambda ra, dec: np.where(dec > 60, -99, np.where(ra < 100, 1, 3)))
    parts = split(sky, bin_column="BIN")
    assert [(part.z_bin, part.label) for part in parts] == [(1, "bin 1"), (3, "bin 3")]
    assert sum(part.galaxy_rows.sum() for part in parts) == np.sum(sky.galaxies.dec <= 60)


def test_weights_of_a_part_are_those_of_its_objects():
    sky = sample(PHOTSYS=north)
    galaxies = replace(sky.galaxies, weights=np.linspace(1, 3, len(sky.galaxies)))
    randoms = replace(sky.randoms, weights=np.full(len(sky.randoms), 2.0))
    part, _ = split(replace(sky, galaxies=galaxies, randoms=randoms), regions="PHOTSYS")
    assert part.sample.galaxy_counts.weights.sum() == pytest.approx(galaxies.weights[part.galaxy_rows].sum())
    assert part.sample.coverage.squares.sum() == pytest.approx(4.0 * part.random_rows.sum())


def test_objects_that_were_not_seen_are_in_no_part():
    """A coverage that is finer than the pixels leaves galaxies and randoms out, whole or in parts."""
    sky = sample(KNOWN, PHOTSYS=north, Z=redshift)
    seen = sky.galaxies.ra % 2 > 1, sky.randoms.ra % 2 > 1
    sky = replace(sky, seen=seen)
    for how in ({}, {"z_edges": [0.0, 0.5, 1.0]}, {"regions": "PHOTSYS"}, {"regions": "caps", "z_edges": [0.0, 1.0]}):
        parts = split(sky, **how)
        assert np.array_equal(np.any([part.galaxy_rows for part in parts], axis=0), seen[0])
        assert np.array_equal(np.any([part.random_rows for part in parts], axis=0), seen[1])


def test_part_says_what_it_is_on_figures():
    part, _ = split(sample(PHOTSYS=north), regions="PHOTSYS")
    assert part.sample.caption == "x, N, NSIDE 8: simulated galaxies"
    assert part.sample.title == "x, N"


@pytest.mark.parametrize(
    ("how", "error", "message"),
    [
        (
            {"z_edges": [0.9, 1.5, 2.0]},
            DataError,
            r"part 'z 1.5-2' of x has no galaxy of 500: check its region and bin",
        ),
        ({"z_edges": [0.1, 0.2], "z_column": "ZZ"}, ParameterError, "unknown column 'ZZ': did you mean 'Z'"),
        ({"bin_column": "Z"}, DataError, "bin_column 'Z' has 500 different values: give up to 50 whole numbers from 1"),
    ],
)
def test_bins_that_cannot_be_made(how, error, message):
    with pytest.raises(error, match=message):
        split(sample(Z=redshift), **how)


def test_missing_redshifts_are_counted():
    sky = sample(Z=lambda ra, dec: np.where(dec > 60, np.nan, ra / 360.0))
    with pytest.raises(DataError, match=r"redshift Z of \d+ of 500 galaxies is missing: leave these galaxies out"):
        split(sky, z_edges=[0.1, 0.5])


def test_region_of_galaxies_alone_has_no_coverage():
    sky = sample(PHOTSYS=north)
    bare = replace(sky, randoms=replace(sky.randoms, columns={}))
    with pytest.raises(
        DataError, match="region 'N' of the galaxies has no coverage, the randoms do not have that column"
    ):
        split(bare, regions="PHOTSYS")
    other = replace(sky.randoms, columns={"PHOTSYS": np.full(len(sky.randoms), "S")})
    with pytest.raises(DataError, match="region 'N' of the galaxies has no coverage, it has no random"):
        split(replace(sky, randoms=other), regions="PHOTSYS")


def test_sample_of_pixel_counts_has_no_parts():
    sky = replace(sample(KNOWN, randoms=False), galaxies=None, galaxy_counts=Counts(KNOWN.weights, KNOWN.weights))
    with pytest.raises(ParameterError, match="x has no catalogue of galaxies, and regions or bins were asked for"):
        split(sky, regions="caps")
    assert whole(sky).galaxy_rows is None


def test_label_of_a_numbered_bin_in_a_region():
    assert SamplePart(None, "N", None, 2).label == "N, bin 2"
