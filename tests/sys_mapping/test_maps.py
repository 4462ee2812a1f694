"""The array interface to maps and mocks."""

import healpy as hp
import numpy as np
import pytest
from astropy.io import fits

from sysmap_core.errors import DataError, MissingDataError, ParameterError
from sysmap_core.sky.healpix_io import write_map
from sysmap_core.sys_mapping.maps import (
    TEMPLATE_FAMILIES,
    assign_template_values,
    compute_overdensity,
    generate_systematic_map,
    generate_systematic_maps,
    load_real_template,
    load_real_templates,
    pixelize_catalog,
    systematic_power_spectrum,
)
from sysmap_core.templates.synthetic import FAMILIES

NSIDE = 16

SIZE = hp.nside2npix(NSIDE)


@pytest.mark.parametrize("family", TEMPLATE_FAMILIES)
def test_spectrum_of_a_family(family):
    cl = systematic_power_spectrum(NSIDE, family)
    ell = np.arange(cl.size)
    assert cl.shape == (3 * NSIDE,)
    assert cl[0] == 0
    assert np.sum((2 * ell + 1) * cl) / (4 * np.pi) == pytest.approx(1.0, rel=1e-12)
    shape = FAMILIES[TEMPLATE_FAMILIES[family]](ell[1:].astype(float))
    np.testing.assert_allclose(cl[1:] / cl[1], shape / shape[0], rtol=1e-12)


def test_numbers_of_the_families():
    assert TEMPLATE_FAMILIES == {
        0: "exp_linear",
        1: "exp_quadratic",
        2: "power_neg2",
        3: "power_neg1",
        4: "white_noise",
    }


def test_maps_are_standardised_and_have_their_spectrum():
    maps = generate_systematic_maps(NSIDE, seed=3)
    assert maps.shape == (5, SIZE)
    np.testing.assert_allclose(maps.mean(1), 0, atol=1e-12)
    np.testing.assert_allclose(maps.std(1), 1, rtol=1e-12)
    many = generate_systematic_maps(NSIDE, [2] * 60, seed=3)
    measured = np.mean([hp.anafast(m, lmax=20) for m in many], axis=0)
    expected = systematic_power_spectrum(NSIDE, 2)
    # unit rms of every map takes the scatter of the lowest multipoles into all others
    np.testing.assert_allclose(measured[5:21] / measured[10], expected[5:21] / expected[10], rtol=0.25)


def test_seeds_of_maps():
    one, same, other = (generate_systematic_map(NSIDE, 1, seed=s) for s in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()
    pair = generate_systematic_maps(NSIDE, [4, 4], seed=1)
    assert abs(np.mean(pair[0] * pair[1])) < 5 / np.sqrt(SIZE)
    np.testing.assert_array_equal(pair[:1], generate_systematic_maps(NSIDE, [4], seed=1))
    assert (generate_systematic_map(NSIDE, 1) != generate_systematic_map(NSIDE, 1)).any()


def test_counts_and_overdensity():
    randoms = np.zeros(SIZE)
    randoms[:100] = 50.0
    randoms[100:200] = 2.0
    galaxies = np.where(np.arange(SIZE) % 2, 12.0, 8.0)
    delta, good = compute_overdensity(galaxies, randoms)
    np.testing.assert_array_equal(np.flatnonzero(good), np.arange(100))
    np.testing.assert_allclose(delta, np.where(np.arange(100) % 2, 0.2, -0.2), atol=1e-12)
    assert compute_overdensity(galaxies, randoms, 0.03)[1].sum() == 200
    ra, dec = np.array([10.0, 10.0, 370.0]), np.array([-5.0, -5.0, -5.0])
    counts = pixelize_catalog(ra, dec, NSIDE, np.array([1.0, 2.0, 4.0]))
    assert counts.max() == counts.sum() == 7


@pytest.mark.parametrize("shape", [(7,), (1000,), (4, 5)])
def test_counts_of_a_part_of_the_sky(shape):
    rng = np.random.default_rng(0)
    galaxies, randoms = rng.poisson(20, shape), rng.poisson(100, shape)
    randoms.ravel()[:2] = 0
    for least in (0.1, 0.0):
        delta, good = compute_overdensity(galaxies, randoms, least)
        np.testing.assert_array_equal(good, randoms > 0)
        ratio = galaxies[good] / randoms[good]
        wanted = ratio * randoms[good].sum() / galaxies[good].sum() - 1.0
        np.testing.assert_allclose(delta, wanted, rtol=1e-12)
    with pytest.raises(DataError, match="the coverage map is zero everywhere"):
        compute_overdensity(galaxies, 0 * randoms)
    with pytest.raises(DataError, match="no galaxy of 0 lies on"):
        compute_overdensity(0 * galaxies, randoms)


def test_values_on_a_footprint():
    maps = generate_systematic_maps(NSIDE, [0, 4], seed=1)
    good = np.arange(SIZE) < 50
    np.testing.assert_array_equal(assign_template_values(maps, good), maps[:, :50])
    np.testing.assert_array_equal(assign_template_values(maps, np.arange(50)), maps[:, :50])


@pytest.fixture
def folder(tmp_path):
    values = 5.0 + np.arange(SIZE) % 7
    stars = np.where(np.arange(SIZE) < 100, hp.UNSEEN, values)
    depth = np.where(np.arange(SIZE) > 2000, 0.0, values**2)
    write_map(tmp_path / "GAIA_nstar_faint_NSIDE_00016.fits", stars, quantity="nstar_faint", survey="GAIA")
    write_map(tmp_path / "LS10_GALDEPTH_Z_NSIDE_0016.fits", depth, quantity="GALDEPTH_Z", survey="LS10")
    return tmp_path


def test_real_templates(folder):
    maps, names, valid = load_real_templates(NSIDE, folder)
    assert names == ["GAIA_nstar_faint", "LS10_GALDEPTH_Z"]
    np.testing.assert_array_equal(np.flatnonzero(valid), np.arange(100, 2001))
    one, known = load_real_template(folder / "LS10_GALDEPTH_Z_NSIDE_0016.fits", "GALDEPTH_Z")
    np.testing.assert_array_equal(np.flatnonzero(known), np.arange(2001))
    np.testing.assert_array_equal(maps[1], one)
    assert one[known].mean() == pytest.approx(0, abs=1e-12)
    assert one[known].std() == pytest.approx(1, rel=1e-12)
    assert (one[~known] == 0).all()


def test_column_of_a_second_table(folder):
    path = folder / "LS10_GALDEPTH_Z_NSIDE_0016.fits"
    alone, _ = load_real_template(path, "GALDEPTH_Z")
    with fits.open(path) as hdus:
        other = fits.BinTableHDU.from_columns([fits.Column(name="OTHER", format="D", array=np.ones(3))])
        fits.HDUList([hdus[0], other, hdus[1]]).writeto(folder / "two.fits")
    np.testing.assert_array_equal(load_real_template(folder / "two.fits", "galdepth_z")[0], alone)


def test_file_that_does_not_say_what_it_is(tmp_path):
    values = 5.0 + np.arange(SIZE) % 7
    hp.write_map(tmp_path / "bare.fits", values, column_names=["depth"], dtype=float)
    with fits.open(tmp_path / "bare.fits", mode="update") as hdus:
        del hdus[1].header["ORDERING"]
    with pytest.raises(DataError, match="ordering of the pixels is not in the header: declare it with ordering='RING'"):
        load_real_template(tmp_path / "bare.fits", "depth", frame="equatorial")
    ring, nested = (
        load_real_template(tmp_path / "bare.fits", "depth", ordering=o, frame="equatorial")[0]
        for o in ("RING", "NESTED")
    )
    np.testing.assert_allclose(hp.reorder(ring, n2r=True), nested)


def test_missing_values_do_not_enter_coarser_pixels(folder):
    path = folder / "GAIA_nstar_faint_NSIDE_00016.fits"
    coarse, valid = load_real_template(path, "nstar_faint", 8)
    assert coarse.size == hp.nside2npix(8)
    # UNSEEN is -1.6e30: averaged in, it would leave nothing else
    assert np.abs(coarse).max() < 5
    assert 0 < (~valid).sum() < 25


BAD = {
    "unknown template family 7": lambda f: systematic_power_spectrum(NSIDE, 7),
    "nside is 17": lambda f: generate_systematic_map(17, 0),
    "families is empty": lambda f: generate_systematic_maps(NSIDE, []),
    "bring both to one nside": lambda f: assign_template_values(np.ones((2, SIZE)), np.ones(12, bool)),
    "good_pixels has values of type int64 which repeat": lambda f: assign_template_values(
        np.ones((2, SIZE)), np.ones(SIZE, int)
    ),
    "no pixels of 9: give a mask of type bool": lambda f: assign_template_values(np.ones((2, 9)), np.array([3, 9])),
    r"templates \[1\] are NaN or UNSEEN in 3 pixels": lambda f: assign_template_values(
        np.array([np.ones(9), [np.nan] * 3 + [1.0] * 6]), np.ones(9, bool)
    ),
    "syst_dir is": lambda f: load_real_templates(NSIDE, f / "nowhere"),
    "does not exist": lambda f: load_real_templates(32, f),
    "column 'GALDEPTH_R' not found: the table has GALDEPTH_Z": lambda f: load_real_template(
        f / "LS10_GALDEPTH_Z_NSIDE_0016.fits", "GALDEPTH_R"
    ),
    "no value of GALDEPTH_Z above 1e\\+06": lambda f: load_real_template(
        f / "LS10_GALDEPTH_Z_NSIDE_0016.fits", "GALDEPTH_Z", valid_min=1e6
    ),
    "galaxies have 12 pixels": lambda f: compute_overdensity(np.ones(12), np.ones(SIZE)),
    "have .Dec. > 90": lambda f: pixelize_catalog([1.0], [91.0], NSIDE),
}


@pytest.mark.parametrize("problem", BAD)
def test_bad_input(folder, problem):
    with pytest.raises((DataError, MissingDataError, ParameterError), match=problem):
        BAD[problem](folder)
