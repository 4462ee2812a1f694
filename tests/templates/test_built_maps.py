"""Built maps in files: names and headers of the format, a round trip, and the reader of templates."""

import healpy as hp
import numpy as np
import pytest
from astropy.io import fits

from sysmap_core.errors import DataError, MissingDataError, ParameterError
from sysmap_core.files import checksum
from sysmap_core.sky.healpix_io import read_map
from sysmap_core.templates.building import build_maps
from sysmap_core.templates.built_maps import CARDS, OBJECTS, map_path, read_maps, write_maps
from sysmap_core.templates.folders import read_templates
from sysmap_core.templates.quantities import random_quantities, star_quantities
from sysmap_core.templates.tables import write_rows


def table(n=3000):
    rng = np.random.default_rng(0)
    columns = {"RA": rng.uniform(0, 90, n), "DEC": rng.uniform(-50, 10, n), "EBV": rng.random(n)}
    for band in "GRZ":
        columns[f"GALDEPTH_{band}"] = np.where(rng.random(n) < 0.2, 30.0, rng.normal(23.5, 0.3, n))
        columns[f"PSFSIZE_{band}"], columns[f"NOBS_{band}"] = rng.uniform(1, 2, n), rng.integers(0, 5, n)
    return columns


def star_table(n=3000):
    columns = {n: v for n, v in table(n).items() if n in ("RA", "DEC")}
    flux = 10 ** np.random.default_rng(1).uniform(3, 6, n)
    return columns | {f"phot_{b}_mean_flux": flux for b in ("g", "bp", "rp")}


@pytest.fixture(scope="module")
def randoms(tmp_path_factory):
    path = write_rows(tmp_path_factory.mktemp("table") / "randoms.fits", [table()])
    return path, build_maps(path, random_quantities(), [8, 16], survey="LS10", min_objects=2)


@pytest.fixture(scope="module")
def stars():
    sky = (hp.pix2ang(8, np.arange(768), lonlat=True)[0] < 100).astype(float)
    made = star_quantities(25.0)
    return build_maps(star_table(), made, [8, 16], survey="GAIA", footprint=sky, simulated=True)


def assert_equal(found, expected):
    assert sorted(found.names) == sorted(expected.names)
    assert found.nsides == expected.nsides
    assert (found.survey, found.simulated, found.sources) == (expected.survey, expected.simulated, expected.sources)
    assert found.headers == expected.headers
    assert set(found.quantities) == set(expected.quantities)
    for nside in expected.nsides:
        np.testing.assert_array_equal(found.pixels[nside], expected.pixels[nside])
        np.testing.assert_array_equal(found.objects[nside], expected.objects[nside])
        order = [found.names.index(name) for name in expected.names]
        np.testing.assert_array_equal(found.values[nside][order], expected.values[nside])


@pytest.mark.parametrize("kind", ["randoms", "stars"])
@pytest.mark.parametrize("file_format", ["fits", "healsparse"])
def test_round_trip(request, tmp_path, kind, file_format):
    if file_format == "healsparse":
        pytest.importorskip("healsparse")
    maps = request.getfixturevalue(kind)
    maps = maps if kind == "stars" else maps[1]
    files = write_maps(maps, tmp_path, file_format)
    assert len(files) == len(maps.names) * len(maps.nsides)
    assert_equal(read_maps(tmp_path, maps.survey, file_format), maps)


def test_names_and_headers_of_the_files(tmp_path, randoms, stars):
    path, maps = randoms
    write_maps(maps, tmp_path)
    write_maps(stars, tmp_path)
    header = fits.getheader(tmp_path / "0008" / "LS10_GALDEPTH_G_NSIDE_0008.fits", 1)
    expected = {
        "SURVEY": "LS10",
        "QUANTITY": "GALDEPTH_G",
        "AGGR": "mean",
        "AVERAGE": "magnitude",
        "NSIDE": 8,
        "ORDERING": "RING",
        "COORDSYS": "C",
        "NSRC": 3000,
        "UNIT": "mag",
        "TUNIT1": "mag",
        "SENTIN2": 30.0,
        "NMIN": 2,
        "SRC001": "randoms.fits",
        "SUM001": checksum(path),
        "SIMULATD": False,
    }
    assert expected.items() <= dict(header).items()
    assert header["NUSED"] + header["NSENTIN"] == 3000
    assert header.comments["NSRC"] == CARDS["NSRC"]
    star = dict(fits.getheader(tmp_path / "0016" / "GAIA_nstar_faint_NSIDE_00016.fits", 1))
    expected = {"SURVEY": "GAIA", "AGGR": "density", "UNIT": "deg-2", "MAGLOW": 14.0, "MAGHIGH": 17.0, "ZEROPT": 25.0}
    assert expected.items() <= star.items()
    assert star["SIMULATD"] is True


def test_reader_of_templates_takes_the_folder(tmp_path, randoms, stars):
    maps = randoms[1]
    write_maps(maps, tmp_path)
    write_maps(stars, tmp_path)
    found = read_templates(tmp_path, 16)
    values, names = found.maps, found.names
    assert sorted(names) == sorted(maps.names + stars.names)
    for both in (maps, stars):
        conditions = both.conditions(16)
        for name, row in zip(conditions.names, conditions.maps, strict=True):
            np.testing.assert_array_equal(values[names.index(name)], row)


def test_number_of_objects_is_no_template(tmp_path, randoms):
    maps = randoms[1]
    write_maps(maps, tmp_path)
    counted = read_map(tmp_path / "0016" / OBJECTS / "LS10_OBJECTS_NSIDE_0016.fits")
    np.testing.assert_array_equal(counted[maps.pixels[16]], maps.objects[16])
    assert "OBJECTS" not in read_templates(tmp_path, 16).names


def test_conditions_say_where_they_come_from(randoms, stars):
    path, maps = randoms
    conditions = maps.conditions(8)
    assert conditions.sources["EBV"] == f"randoms.fits {checksum(path)}"
    assert conditions.simulated == ()
    assert stars.conditions(8).simulated == stars.names
    assert stars.conditions(8).sources["nstar_faint"] == "rows in memory"


def test_maps_that_were_not_built(randoms):
    maps = randoms[1]
    with pytest.raises(ParameterError, match="unknown map 'EBW': did you mean 'EBV'"):
        maps.partial("EBW", 8)
    with pytest.raises(ParameterError, match="nside is 32: maps were built for 8, 16"):
        maps.partial("EBV", 32)
    with pytest.raises(ParameterError, match="nside is 32: maps were built for 8, 16"):
        maps.conditions(32)


def test_paths():
    assert str(map_path("t", "GAIA", "nstar_faint", 64)) == "t/0064/GAIA_nstar_faint_NSIDE_00064.fits"
    assert str(map_path("t", "LS10", "EBV", 1024, "healsparse")) == "t/1024/LS10_EBV_NSIDE_1024.hsp"
    with pytest.raises(ParameterError, match="unknown survey 'LS9': did you mean 'LS10'"):
        map_path("t", "LS9", "EBV", 64)
    with pytest.raises(ParameterError, match="unknown file_format 'fit': did you mean 'fits'"):
        map_path("t", "LS10", "EBV", 64, "fit")


def test_folders_that_do_not_hold_a_whole_set(tmp_path, randoms):
    with pytest.raises(MissingDataError, match=r"template_dir is '.*nowhere', which is not a folder"):
        read_maps(tmp_path / "nowhere", "LS10")
    with pytest.raises(MissingDataError, match=r"no map LS10_\*\.fits in the folders of"):
        read_maps(tmp_path, "LS10")
    files = write_maps(randoms[1], tmp_path)
    files[0].unlink()
    with pytest.raises(DataError, match=r"EBV is missing at NSIDE 8 in .*: build all resolutions at once"):
        read_maps(tmp_path, "LS10")


def test_maps_of_others_are_refused(tmp_path, randoms):
    files = write_maps(randoms[1], tmp_path)
    with fits.open(files[0], mode="update") as hdus:
        del hdus[1].header["NSRC"]
    with pytest.raises(DataError, match=r"LS10_EBV_NSIDE_0008\.fits was not built by this package: read it with"):
        read_maps(tmp_path, "LS10")
