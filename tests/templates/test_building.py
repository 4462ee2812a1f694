"""Maps from tables: the sky that was put in comes back, and every resolution is that of a pass of its own."""

import healpy as hp
import numpy as np
import pytest

from sysmap_core.errors import DataError, ParameterError
from sysmap_core.files import checksum
from sysmap_core.sky.pixels import usable
from sysmap_core.sky.regrid import to_nside
from sysmap_core.templates.building import build_maps
from sysmap_core.templates.quantities import Quantity, random_quantities, star_quantities
from sysmap_core.templates.tables import write_rows

NSIDES = [4, 16, 64]

N = 40_000

EBV = (Quantity("EBV", "EBV", "mag"),)


def randoms(n=N, seed=0):
    """Randoms on a part of the sky; reddening is a function of the pixel at NSIDE 16."""
    rng = np.random.default_rng(seed)
    table = {"RA": rng.uniform(0, 120, n), "DEC": np.degrees(np.arcsin(rng.uniform(-0.8, 0.2, n)))}
    table["EBV"] = truth("EBV")[hp.ang2pix(16, table["RA"], table["DEC"], lonlat=True)]
    for band in "GRZ":
        table[f"GALDEPTH_{band}"] = rng.normal(23.5, 0.3, n)
        table[f"PSFSIZE_{band}"] = rng.uniform(0.8, 1.6, n)
        table[f"NOBS_{band}"] = rng.integers(1, 6, n)
    return table


def truth(name, nside=16):
    return np.random.default_rng(len(name)).uniform(0.01, 0.3, hp.nside2npix(nside))


def stars(n=N, seed=2):
    rng = np.random.default_rng(seed)
    table = randoms(n, seed)
    table["phot_g_mean_flux"] = 10 ** (-0.4 * (rng.uniform(8, 19, n) - 25.0))
    table["phot_bp_mean_flux"] = table["phot_g_mean_flux"] * 0.6
    table["phot_rp_mean_flux"] = table["phot_g_mean_flux"] * 0.5
    return table


def full(maps, name, nside):
    return maps.partial(name, nside).full_sky()


def direct(table, column, nside, good=None):
    """Mean of every pixel, one object after the other."""
    pixels = hp.ang2pix(nside, table["RA"], table["DEC"], lonlat=True)
    good = np.ones(len(pixels), bool) if good is None else good
    out = np.full(hp.nside2npix(nside), hp.UNSEEN)
    for pixel in np.unique(pixels[good]):
        out[pixel] = np.mean(np.asarray(table[column])[good & (pixels == pixel)])
    return out


def test_sky_that_was_put_in_comes_back():
    table = randoms()
    maps = build_maps(table, EBV, NSIDES, survey="LS10")
    found = full(maps, "EBV", 16)
    seen = np.unique(hp.ang2pix(16, table["RA"], table["DEC"], lonlat=True))
    assert np.array_equal(np.flatnonzero(usable(found)), seen)
    np.testing.assert_allclose(found[seen], truth("EBV")[seen], rtol=1e-12)
    # a finer map holds the same sky in its sub-pixels
    fine = full(maps, "EBV", 64)
    replicated = to_nside(truth("EBV"), 64)
    np.testing.assert_allclose(fine[usable(fine)], replicated[usable(fine)], rtol=1e-12)


@pytest.mark.parametrize("nside", NSIDES)
def test_every_resolution_is_the_mean_of_its_rows(nside):
    table = randoms(8000)
    maps = build_maps(table, random_quantities(), NSIDES, survey="LS10")
    for name in ("EBV", "GALDEPTH_G", "NOBS_Z"):
        np.testing.assert_allclose(full(maps, name, nside), direct(table, name, nside), rtol=1e-12)
    counts = np.bincount(hp.ang2pix(nside, table["RA"], table["DEC"], lonlat=True), minlength=hp.nside2npix(nside))
    np.testing.assert_array_equal(maps.objects[nside], counts[maps.pixels[nside]])
    assert maps.objects[nside].sum() == 8000


def test_coarse_mean_is_not_the_mean_of_means():
    table = randoms(2000)
    maps = build_maps(table, EBV, [4, 64], survey="LS10")
    of_means = to_nside(full(maps, "EBV", 64), 4)
    seen = maps.pixels[4]
    assert np.abs(of_means[seen] - full(maps, "EBV", 4)[seen]).max() > 1e-3
    weighted = maps.partial("EBV", 64).degraded(4, "mean", weights=maps.objects[64])
    np.testing.assert_allclose(weighted.values, full(maps, "EBV", 4)[seen], rtol=1e-12)


@pytest.mark.parametrize("rows", [1000, 7777, 10**6])
def test_blocks_of_a_file_change_nothing(tmp_path, rows):
    table = randoms()
    path = write_rows(tmp_path / "randoms.fits", [table])
    reference = build_maps(table, random_quantities(), NSIDES, survey="LS10")
    maps = build_maps(path, random_quantities(), NSIDES, survey="LS10", rows=rows)
    for nside in NSIDES:
        np.testing.assert_array_equal(maps.pixels[nside], reference.pixels[nside])
        np.testing.assert_array_equal(maps.objects[nside], reference.objects[nside])
        np.testing.assert_allclose(maps.values[nside], reference.values[nside], rtol=1e-12)
    assert maps.sources == {"randoms.fits": checksum(path)}
    assert reference.sources == {}


def test_blocks_that_come_from_different_parts_of_the_sky():
    table = randoms()
    order = np.argsort(table["RA"])
    blocks = [{n: v[part] for n, v in table.items()} for part in np.array_split(order, 30)]
    maps = build_maps(iter(blocks), EBV, [64], survey="LS10")
    reference = build_maps(table, EBV, [64], survey="LS10")
    np.testing.assert_array_equal(maps.pixels[64], reference.pixels[64])
    np.testing.assert_allclose(maps.values[64], reference.values[64], rtol=1e-12)


def test_right_ascension_wraps():
    table = randoms(3000)
    table["RA"] = table["RA"] - 60.0
    wrapped = table | {"RA": np.where(table["RA"] < 0, table["RA"] + 360.0, table["RA"])}
    wrapped["RA"][:5] = [0.0, 360.0, 0.0, 360.0, 0.0]
    table["RA"][:5] = 0.0
    a, b = (build_maps(t, EBV, [16], survey="LS10") for t in (table, wrapped))
    np.testing.assert_array_equal(a.pixels[16], b.pixels[16])
    np.testing.assert_array_equal(a.values[16], b.values[16])


def test_sentinels_and_missing_values_are_left_out_and_counted():
    table = randoms()
    rng = np.random.default_rng(5)
    depth = table["GALDEPTH_R"]
    for value, where in zip((0.0, 30.0, np.nan, hp.UNSEEN, np.float32(hp.UNSEEN)), np.arange(5), strict=True):
        depth[where * 100 : (where + 1) * 100] = value
    shuffled = rng.permutation(N)
    table = {n: v[shuffled] for n, v in table.items()}
    maps = build_maps(table, random_quantities(), [16], survey="LS10")
    good = np.isfinite(table["GALDEPTH_R"]) & (table["GALDEPTH_R"] > 20) & (table["GALDEPTH_R"] < 29)
    np.testing.assert_allclose(full(maps, "GALDEPTH_R", 16), direct(table, "GALDEPTH_R", 16, good), rtol=1e-12)
    header = maps.headers["GALDEPTH_R"]
    assert (header["NSRC"], header["NUSED"], header["NSENTIN"], header["NMISSING"]) == (N, N - 500, 200, 300)
    assert maps.headers["GALDEPTH_G"]["NUSED"] == N
    # a zero is a sentinel of depths and seeings, and a value of exposures and reddening
    zero = randoms() | {"NOBS_R": np.zeros(N), "EBV": np.zeros(N)}
    maps = build_maps(zero, random_quantities(), [16], survey="LS10")
    assert (maps.values[16][[maps.names.index("NOBS_R"), maps.names.index("EBV")]] == 0).all()


def test_pixel_with_nothing_but_sentinels_is_unseen():
    table = randoms()
    pixel = hp.ang2pix(16, table["RA"], table["DEC"], lonlat=True)
    table["GALDEPTH_G"] = np.where(pixel == pixel[0], 30.0, table["GALDEPTH_G"])
    maps = build_maps(table, random_quantities(), [16], survey="LS10")
    assert full(maps, "GALDEPTH_G", 16)[pixel[0]] == hp.UNSEEN
    assert full(maps, "GALDEPTH_R", 16)[pixel[0]] > 20
    # with its neighbours the coarser pixel has values
    coarse = build_maps(table, random_quantities(), [4, 16], survey="LS10")
    assert usable(full(coarse, "GALDEPTH_G", 4)[coarse.pixels[4]]).all()


def test_too_few_objects_in_a_pixel():
    table = randoms(3000)
    maps = build_maps(table, EBV, [4, 16], survey="LS10", min_objects=4)
    for nside in (4, 16):
        assert np.array_equal(usable(full(maps, "EBV", nside)[maps.pixels[nside]]), maps.objects[nside] >= 4)
    # rows of poor fine pixels are not lost for the coarse ones
    np.testing.assert_allclose(
        maps.values[4], build_maps(table, EBV, [4], survey="LS10", min_objects=4).values[4], rtol=1e-12
    )
    assert maps.headers["EBV"]["NMIN"] == 4


@pytest.mark.parametrize(
    ("average", "forward", "back"),
    [
        ("magnitude", lambda m: m, lambda y: y),
        (
            "inverse variance",
            lambda m: (5 * 10 ** (0.4 * (m - 22.5))) ** 2,
            lambda y: 22.5 + 2.5 * np.log10(y**0.5 / 5),
        ),
        ("limiting flux", lambda m: 10 ** (0.4 * (22.5 - m)), lambda y: 22.5 - 2.5 * np.log10(y)),
    ],
)
def test_depth_is_averaged_in_the_quantity_stated(average, forward, back):
    table = randoms(5000)
    maps = build_maps(table, random_quantities(depth_average=average), [4, 16], survey="LS10")
    for nside in (4, 16):
        expected = direct({**table, "y": forward(table["GALDEPTH_Z"])}, "y", nside)
        seen = maps.pixels[nside]
        np.testing.assert_allclose(full(maps, "GALDEPTH_Z", nside)[seen], back(expected[seen]), rtol=1e-12)
    assert maps.headers["GALDEPTH_Z"]["AVERAGE"] == average


def test_depth_as_inverse_variance():
    table = randoms()
    ivar = dict(table)
    for band in "GRZ":
        ivar[f"GALDEPTH_{band}"] = 25 * 10 ** (0.8 * (table[f"GALDEPTH_{band}"] - 22.5))
    maps = build_maps(ivar, random_quantities(depth_unit="nanomaggy-2"), [16], survey="LS10")
    reference = build_maps(table, random_quantities(), [16], survey="LS10")
    np.testing.assert_allclose(maps.values[16], reference.values[16], rtol=1e-12)
    with pytest.raises(
        DataError, match=r"GALDEPTH_G holds values from .* and GALDEPTH_G \[mag\] can be 10 to 30: check"
    ):
        build_maps(ivar, random_quantities(), [16], survey="LS10")


def test_stars_are_counted_by_magnitude():
    table = stars()
    magnitude = 25.0 - 2.5 * np.log10(table["phot_g_mean_flux"])
    per_pixel = build_maps(table, star_quantities(25.0, counts="count"), NSIDES, survey="GAIA")
    density = build_maps(table, star_quantities(25.0), NSIDES, survey="GAIA")
    for name, (low, high) in {"nstar_faint": (14, 17), "nstar_medium": (10, 14), "nstar_bright": (0, 10)}.items():
        chosen = (magnitude >= low) & (magnitude < high)
        for nside in NSIDES:
            pixels = hp.ang2pix(nside, table["RA"][chosen], table["DEC"][chosen], lonlat=True)
            counts = np.bincount(pixels, minlength=hp.nside2npix(nside))[per_pixel.pixels[nside]]
            row = per_pixel.names.index(name)
            np.testing.assert_array_equal(per_pixel.values[nside][row], counts)
            area = 41252.96124941927 / hp.nside2npix(nside)
            np.testing.assert_allclose(density.values[nside][row], counts / area, rtol=1e-12)
        assert per_pixel.headers[name]["NUSED"] == chosen.sum()
    assert density.headers["nstar_faint"]["AGGR"] == "density"
    assert density.headers["nstar_faint"]["ZEROPT"] == 25.0


def test_magnitude_limits_count_every_star_once():
    edge = {
        "RA": np.full(3, 10.0),
        "DEC": np.zeros(3),
        "phot_g_mean_flux": 10 ** (0.4 * (25 - np.array([10, 14, 17.0]))),
    }
    edge |= {"phot_bp_mean_flux": np.ones(3), "phot_rp_mean_flux": np.ones(3)}
    maps = build_maps(edge, star_quantities(25.0, counts="count"), [1], survey="GAIA")
    assert maps.values[1][:3, 0].tolist() == [1.0, 1.0, 0.0]


def test_zero_point_shifts_the_ranges():
    table = stars()
    faint = [build_maps(table, star_quantities(z), [1], survey="GAIA").headers for z in (25.0, 27.0)]
    magnitude = 25.0 - 2.5 * np.log10(table["phot_g_mean_flux"])
    expected = [((magnitude + s >= 14) & (magnitude + s < 17)).sum() for s in (0, 2)]
    assert [h["nstar_faint"]["NUSED"] for h in faint] == expected
    assert expected[0] != expected[1]


def test_flux_mean_and_flux_sum():
    table = stars()
    table["phot_bp_mean_flux"][::7] = np.nan
    good = np.isfinite(table["phot_bp_mean_flux"])
    mean = build_maps(table, star_quantities(25.0), [4, 16], survey="GAIA")
    total = build_maps(table, star_quantities(25.0, flux="sum"), [4, 16], survey="GAIA")
    expected = direct(table, "phot_bp_mean_flux", 16, good)
    np.testing.assert_allclose(full(mean, "phot_bp_mean_flux", 16), expected, rtol=1e-12)
    np.testing.assert_allclose(total.values[4][-2].sum(), table["phot_bp_mean_flux"][good].sum(), rtol=1e-12)
    np.testing.assert_allclose(
        to_nside(full(total, "phot_rp_mean_flux", 16), 4, "sum"), full(total, "phot_rp_mean_flux", 4), rtol=1e-12
    )
    assert (mean.headers["phot_bp_mean_flux"]["AGGR"], mean.headers["phot_bp_mean_flux"]["NMISSING"]) == (
        "mean",
        (~good).sum(),
    )
    assert total.headers["phot_bp_mean_flux"]["AGGR"] == "sum"


def test_stars_without_a_magnitude_are_missing():
    table = stars(1000)
    table["phot_g_mean_flux"][:30] = np.repeat([0.0, -2.0, np.nan], 10)
    header = build_maps(table, star_quantities(25.0), [4], survey="GAIA").headers["nstar_faint"]
    assert header["NMISSING"] == 30


def footprint(nside=16):
    ra, dec = hp.pix2ang(nside, np.arange(hp.nside2npix(nside)), lonlat=True)
    return ((ra > 20) & (ra < 140) & (dec < 5) & (dec > -50)).astype(float)


def test_counts_are_zero_on_the_footprint_and_means_are_not():
    table, sky = stars(3000), footprint()
    maps = build_maps(table, star_quantities(25.0), [16], survey="GAIA", footprint=sky)
    np.testing.assert_array_equal(maps.pixels[16], np.flatnonzero(sky))
    empty = maps.objects[16] == 0
    assert empty.any()
    for name, values in zip(maps.names, maps.values[16], strict=True):
        if name.startswith("nstar"):
            assert usable(values).all()
            assert (values[empty] == 0).all()
        else:
            assert (values[empty] == hp.UNSEEN).all()
    # without a footprint nobody knows whether an empty pixel was observed
    without = build_maps(table, star_quantities(25.0), [16], survey="GAIA")
    assert (without.objects[16] > 0).all()


def test_rows_off_the_footprint_are_left_out_and_counted():
    table, sky = stars(), footprint()
    maps = build_maps(table, star_quantities(25.0, counts="count"), [4, 16], survey="GAIA", footprint=sky)
    inside = sky[hp.ang2pix(16, table["RA"], table["DEC"], lonlat=True)] > 0
    header = maps.headers["nstar_faint"]
    assert header["NOUTSIDE"] == (~inside).sum() > 0
    assert maps.objects[4].sum() == maps.objects[16].sum() == inside.sum()
    assert header["FOOTPRNT"] is True


@pytest.mark.parametrize("nside_footprint", [8, 16, 64])
def test_density_refers_to_the_observed_area(nside_footprint):
    table, sky = stars(), footprint(nside_footprint) * 0.8
    quantities = star_quantities(25.0, flux="sum")
    maps = build_maps(table, quantities, [4, 16], survey="GAIA", footprint=sky)
    for nside in (4, 16):
        area = 41252.96124941927 / hp.nside2npix(nside) * to_nside(sky, nside)[maps.pixels[nside]]
        counts = maps.values[nside][0] * area
        np.testing.assert_allclose(counts, np.round(counts), atol=1e-9)
        assert round(counts.sum()) == maps.headers["nstar_faint"]["NUSED"]


def test_footprints_that_are_none():
    table = stars(500)
    for bad, message in [
        (np.ones(13), r"footprint has shape \(13,\): give a full-sky HEALPix map"),
        (np.zeros(12), "footprint reaches from 0 to 0: give observed fractions"),
        (np.full(12, 2.0), "footprint reaches from 2 to 2"),
    ]:
        with pytest.raises(DataError, match=message):
            build_maps(table, star_quantities(25.0), [4], survey="GAIA", footprint=bad)
    north = hp.pix2ang(4, np.arange(192), lonlat=True)[1] > 60
    with pytest.raises(DataError, match="none of 500 rows lies on the footprint"):
        build_maps(table, star_quantities(25.0), [4], survey="GAIA", footprint=north)


def test_fine_maps_hold_only_what_was_seen():
    table = randoms(4000)
    maps = build_maps(table, EBV, [1024], survey="LS10")
    assert len(maps.pixels[1024]) <= 4000
    pixels = hp.ang2pix(1024, table["RA"], table["DEC"], lonlat=True)
    np.testing.assert_array_equal(maps.pixels[1024], np.unique(pixels))
    first = np.searchsorted(maps.pixels[1024], pixels[0])
    assert maps.values[1024][0, first] == pytest.approx(table["EBV"][pixels == pixels[0]].mean(), rel=1e-12)


def test_progress_is_passed_on():
    seen = []
    build_maps([randoms(10), randoms(20)], EBV, [4], survey="LS10", progress=lambda *a: seen.append(a))
    assert seen == [(10, None, None), (30, None, None)]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"nsides": [48]}, "nside is 48: give a power of two"),
        ({"nsides": []}, "nsides is empty: give one resolution or more"),
        ({"survey": "DES"}, "unknown survey 'DES'.*known: GAIA, LS10"),
        ({"min_objects": 0}, "min_objects is 0: give a whole number, one or more"),
        ({"quantities": ()}, "quantities are none: give one or more"),
        ({"quantities": EBV * 2}, "quantities are EBV, EBV: give one or more, each once"),
    ],
)
def test_arguments_that_cannot_be_used(changes, message):
    arguments = {"quantities": EBV, "nsides": [4], "survey": "LS10"} | changes
    with pytest.raises(ParameterError, match=message):
        build_maps(randoms(10), **arguments)


def test_quantity_without_a_usable_value():
    table = randoms(100) | {"GALDEPTH_G": np.full(100, 30.0)}
    with pytest.raises(
        DataError, match=r"GALDEPTH_G has no usable value in 100 rows \(100 sentinels, 0 missing\): leave"
    ):
        build_maps(table, random_quantities(), [4], survey="LS10")
    table = stars(100) | {"phot_g_mean_flux": np.full(100, np.nan)}
    with pytest.raises(
        DataError, match=r"phot_g_mean_flux has no usable value in 100 rows \(0 sentinels, 100 missing\)"
    ):
        build_maps(table, star_quantities(25.0), [4], survey="GAIA")


def test_resolution_that_is_too_fine_for_the_objects():
    message = "EBV has at most 1 objects in a pixel at NSIDE 2048, and min_objects is 3: lower it, or leave"
    with pytest.raises(DataError, match=message):
        build_maps(randoms(200), EBV, [4, 2048], survey="LS10", min_objects=3)


def test_one_resolution_and_one_given_twice():
    assert build_maps(randoms(10), EBV, 4, survey="LS10").nsides == (4,)
    assert build_maps(randoms(10), EBV, [8, 4, 8], survey="LS10").nsides == (4, 8)
