"""Samples by name: found, read, or simulated and labelled so."""

import gzip

import healpy as hp
import numpy as np
import pytest
from astropy.io import fits

from sysmap_core.errors import DataError, MissingDataError, ParameterError
from sysmap_core.files import checksum
from sysmap_core.samples.ls10 import LS10_SAMPLES
from sysmap_core.samples.registry import LRG, SAMPLES, find_sample, load_sample
from sysmap_core.sky.catalogues import catalogue_checksum
from sysmap_core.sky.field import footprint, overdensity
from sysmap_core.sky.healpix_io import write_map
from sysmap_core.sky.pixels import pixel_counts
from sysmap_core.templates.template_set import standardise

INFO = find_sample("11.5")

NSIDE = 16

N_RANDOMS = 5000


def write_catalogue(folder, kind, ra, dec, **more):
    columns = {"RA": ra, "DEC": dec, **more}
    path = folder / f"{INFO.identifier}_{kind}.fits"
    table = fits.BinTableHDU.from_columns([fits.Column(name=n, format="D", array=v) for n, v in columns.items()])
    table.writeto(path)
    return path


@pytest.fixture
def positions():
    rng = np.random.default_rng(1)
    return rng.uniform(0, 40, 500), rng.uniform(-30, 10, 500)


@pytest.fixture
def data_dir(tmp_path, positions):
    folder = tmp_path / "catalogues"
    folder.mkdir()
    write_catalogue(folder, "DATA", *positions, WEIGHT_COMP=np.full(500, 2.0))
    rng = np.random.default_rng(2)
    write_catalogue(folder, "RAND", rng.uniform(0, 40, N_RANDOMS), rng.uniform(-30, 10, N_RANDOMS))
    return folder


@pytest.fixture
def template_dir(tmp_path):
    """Declination and right ascension as templates."""
    ra, dec = hp.pix2ang(NSIDE, np.arange(hp.nside2npix(NSIDE)), lonlat=True)
    folder = tmp_path / "templates" / f"{NSIDE:04d}"
    write_map(folder / f"LS10_EBV_NSIDE_{NSIDE:04d}.fits", dec, quantity="EBV", survey="LS10")
    write_map(folder / f"GAIA_nstar_faint_NSIDE_{NSIDE:05d}.fits", ra, quantity="nstar_faint", survey="GAIA")
    return folder.parent


@pytest.mark.parametrize(
    ("name", "log_mass"),
    [("10.5", 10.5), ("11", 11.0), ("11.0", 11.0), (11, 11.0), (10.25, 10.25), (" 9.00 ", 9.0), ("9.5", 9.5)],
)
def test_samples_by_their_mass(name, log_mass):
    assert find_sample(name).log_mass == log_mass


@pytest.mark.parametrize("identifier", SAMPLES)
def test_samples_by_identifier(identifier):
    assert find_sample(identifier) is SAMPLES[identifier]
    assert find_sample(identifier.lower()) is SAMPLES[identifier]


def test_ten_samples():
    assert len(SAMPLES) == 10
    assert find_sample("desi_lrg_decals") is LRG


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("10.55", r"unknown sample '10.55': did you mean '10\.5'\? known: 9\.0, 9\.5, .*, desi_lrg_decals"),
        ("desi_lrg", "unknown sample 'desi_lrg': did you mean 'desi_lrg_decals'"),
        ("nan", "unknown sample 'nan'"),
        (None, "unknown sample None"),
    ],
)
def test_unknown_samples(name, message):
    with pytest.raises(ParameterError, match=message):
        load_sample(name, 64)


def test_simulated_without_folders():
    sample = load_sample("11.5", NSIDE, data_dir="", template_dir="", seed=4)
    assert sample.identifier == INFO.identifier
    assert sample.simulated
    assert sample.missing == "error"
    assert sample.truth.a.shape == sample.truth.b.shape == (9,)
    assert sample.truth.delta.shape == sample.galaxy_counts.shape == (hp.nside2npix(NSIDE),)
    assert len(sample.notes) == 3


def test_a_folder_without_the_catalogues_is_never_passed_over_for_a_simulation(tmp_path):
    folder = tmp_path / "empty"
    folder.mkdir()
    lacks = rf"{INFO.identifier}_DATA.fits and {INFO.identifier}_RAND.fits, it is empty: rename the files, or give no"
    with pytest.raises(MissingDataError, match=lacks):
        load_sample("11.5", NSIDE, data_dir=folder)
    for i in range(8):
        (folder / f"galaxies{i}.fits").touch()
    with pytest.raises(MissingDataError, match=r"it holds galaxies0.fits, .*, galaxies5.fits and 2 more: rename"):
        load_sample("11.5", NSIDE, data_dir=folder)


@pytest.mark.parametrize("suffix", [".fits.gz", ".FITS"])
def test_catalogues_with_other_endings(data_dir, template_dir, suffix):
    wanted = load_sample("11.5", NSIDE, data_dir=data_dir, template_dir=template_dir)
    path = data_dir / f"{INFO.identifier}_DATA.fits"
    content = path.read_bytes()
    other = data_dir / f"{INFO.identifier}_DATA{suffix}"
    other.write_bytes(gzip.compress(content) if suffix.endswith("gz") else content)
    with pytest.raises(DataError, match=r"_DATA.* and .*_DATA.* are both in .*: leave one of them"):
        load_sample("11.5", NSIDE, data_dir=data_dir, template_dir=template_dir)
    path.unlink()
    sample = load_sample("11.5", NSIDE, data_dir=data_dir, template_dir=template_dir)
    assert not sample.simulated
    np.testing.assert_array_equal(sample.galaxy_counts, wanted.galaxy_counts)
    assert other.name in sample.sources


def test_simulated_with_given_templates(template_dir):
    sample = load_sample("11.5", NSIDE, template_dir=template_dir)
    assert sample.simulated
    assert sample.template_names == ("nstar_faint", "EBV")
    np.testing.assert_array_equal(sample.truth.a, [0.12, -0.06])
    assert set(sample.sources) == {
        "galaxies",
        "randoms",
        "LS10_EBV_NSIDE_0016.fits",
        "GAIA_nstar_faint_NSIDE_00016.fits",
    }


def test_catalogues_from_files(data_dir, template_dir, positions):
    sample = load_sample("11.5", NSIDE, data_dir=data_dir, template_dir=str(template_dir))
    assert not sample.simulated
    assert sample.truth is None
    assert catalogue_checksum(sample.galaxies.ra, sample.galaxies.dec) == catalogue_checksum(*positions)
    # completeness weights count
    np.testing.assert_array_equal(sample.galaxy_counts, 2 * pixel_counts(*positions, NSIDE))
    np.testing.assert_array_equal(sample.galaxy_counts.squares, 4 * pixel_counts(*positions, NSIDE))
    assert sample.coverage.weights.sum() == sample.coverage.squares.sum() == N_RANDOMS
    data = f"{INFO.identifier}_DATA.fits"
    assert sample.sources[data] == checksum(data_dir / data)
    assert "has 500 galaxies, the sample is published with 120882" in sample.notes[-1]


def test_catalogues_from_files_need_templates(data_dir):
    with pytest.raises(MissingDataError, match=r"_DATA.fits is a real catalogue and needs real templates: give templ"):
        load_sample("11.5", NSIDE, data_dir=data_dir)


@pytest.mark.parametrize(("gone", "left"), [("DATA", "RAND"), ("RAND", "DATA")])
def test_one_of_two_catalogues(data_dir, gone, left):
    (data_dir / f"{INFO.identifier}_{gone}.fits").unlink()
    with pytest.raises(
        MissingDataError, match=rf"lacks {INFO.identifier}_{gone}.fits, it holds .*_{left}.fits: rename"
    ):
        load_sample("11.5", NSIDE, data_dir=data_dir)


def test_catalogue_without_positions(data_dir, template_dir, positions):
    (data_dir / f"{INFO.identifier}_DATA.fits").unlink()
    table = fits.BinTableHDU.from_columns([fits.Column(name="ALPHA", format="D", array=positions[0])])
    table.writeto(data_dir / f"{INFO.identifier}_DATA.fits")
    with pytest.raises(DataError, match="has no columns RA and DEC, it has ALPHA"):
        load_sample("11.5", NSIDE, data_dir=data_dir, template_dir=template_dir)


def test_folders_that_are_not_there(tmp_path):
    with pytest.raises(MissingDataError, match=r"data_dir is '.*nowhere', which is not a folder"):
        load_sample("11.5", NSIDE, data_dir=tmp_path / "nowhere")
    with pytest.raises(MissingDataError, match=r"template_dir is '.*nowhere', which is not a folder"):
        load_sample("11.5", NSIDE, template_dir=tmp_path / "nowhere")


def test_bad_resolution():
    with pytest.raises(ParameterError, match="nside is 100"):
        load_sample("11.5", 100)


def test_luminous_red_galaxies_have_their_own_templates(tmp_path):
    with pytest.raises(ParameterError, match="desi_lrg_decals has its own templates, leave it empty"):
        load_sample("desi_lrg_decals", 128, template_dir=tmp_path)


def test_luminous_red_galaxies(real_data):
    sample = load_sample("desi_lrg_decals", 128, data_dir=real_data)
    assert sample.missing == "drop"
    assert sample.galaxies is sample.randoms is sample.truth is None
    assert not sample.simulated
    assert sample.notes[1] == (
        "Of 10038 pixels 7801 have all 11 templates; undefined are DECAM_DEPTH_G in 1818, "
        "DECAM_DEPTH_R in 1266, DECAM_DEPTH_Z in 1575."
    )
    pixels = footprint(sample.coverage)
    templates = standardise(sample.maps, sample.template_names, pixels, missing=sample.missing)
    field = overdensity(sample.galaxy_counts, sample.coverage, templates.pixels)
    assert field.n_pix == 7801
    assert field.n_galaxies == sample.galaxy_counts[templates.pixels].sum()


def test_every_sample_has_what_a_simulation_needs():
    for info in LS10_SAMPLES:
        assert info.n_randoms > info.n_galaxies > 0
        assert info.sigma_32 > 0
        assert info.sigma_64 > 0
