"""HealSparse: partial skies at fine resolution, and a sentence where the package is missing."""

import sys

import healpy as hp
import numpy as np
import pytest

from sysmap_core.errors import DataError, MissingDataError, ParameterError
from sysmap_core.files import checksum
from sysmap_core.sky.healpix_io import write_map
from sysmap_core.sky.healsparse_io import read_healsparse, write_healsparse
from sysmap_core.sky.partial_sky import PartialMap
from sysmap_core.templates.building import build_maps
from sysmap_core.templates.quantities import Quantity

NSIDE = 1024

PIXELS = np.sort(hp.query_disc(NSIDE, hp.ang2vec(30.0, -20.0, lonlat=True), np.radians(2.0)))

RA, DEC = hp.pix2ang(NSIDE, PIXELS, lonlat=True)

PART = PartialMap(PIXELS, DEC, NSIDE)


@pytest.fixture
def healsparse():
    return pytest.importorskip("healsparse")


def foreign(healsparse, path, values, **metadata):
    """A file of the package itself, with its own conventions."""
    values = np.asarray(values)
    made = healsparse.HealSparseMap.make_empty(32, NSIDE, values.dtype)
    made.update_values_pix(hp.ring2nest(NSIDE, PIXELS), values)
    made.metadata = metadata
    made.write(str(path))
    return path


def test_without_the_package_one_sentence_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "healsparse", None)
    message = "HealSparse maps need the package healsparse, which is not installed: run `pip install healsparse`"
    with pytest.raises(MissingDataError, match=message):
        read_healsparse(tmp_path / "m.hsp", frame="equatorial")
    with pytest.raises(MissingDataError, match=message):
        write_healsparse(tmp_path / "m.hsp", PART, quantity="EBV", survey="LS10")


def test_written_map_comes_back(tmp_path, healsparse):
    cards = {"NSRC": 12, "UNIT": "deg", "SIMULATD": True}
    path = write_healsparse(tmp_path / "1024" / "m.hsp", PART, quantity="DEC", survey="LS10", cards=cards)
    found = read_healsparse(path)
    np.testing.assert_array_equal(found.pixels, PIXELS)
    np.testing.assert_array_equal(found.values, DEC)
    assert {
        "COORDSYS": "C",
        "SURVEY": "LS10",
        "QUANTITY": "DEC",
        "AGGR": "mean",
        **cards,
    }.items() <= found.header.items()
    assert path.stat().st_size < 0.01 * 8 * hp.nside2npix(NSIDE)
    assert [p.name for p in path.parent.iterdir()] == ["m.hsp"]


def test_written_map_is_the_sky_for_the_package_itself(tmp_path, healsparse):
    path = write_healsparse(tmp_path / "m.hsp", PART, quantity="DEC", survey="LS10")
    made = healsparse.HealSparseMap.read(str(path))
    np.testing.assert_array_equal(made.get_values_pos(RA, DEC, lonlat=True), DEC)


def test_failed_writing_leaves_the_old_map(tmp_path, healsparse):
    path = write_healsparse(tmp_path / "m.hsp", PART, quantity="DEC", survey="LS10")
    before = checksum(path)
    with pytest.raises(ValueError, match="Illegal value"):
        write_healsparse(path, PART, quantity="DEC", survey="LS10", cards={"BAD": object()})
    assert checksum(path) == before
    assert [p.name for p in tmp_path.iterdir()] == ["m.hsp"]


def test_frame_has_to_be_declared(tmp_path, healsparse):
    path = foreign(healsparse, tmp_path / "f.hsp", DEC)
    with pytest.raises(DataError, match="the frame of the pixels is not in the header: declare it with frame="):
        read_healsparse(path)
    np.testing.assert_array_equal(read_healsparse(path, frame="equatorial").values, DEC)
    with pytest.raises(DataError, match="is Galactic: bring it to equatorial coordinates first"):
        read_healsparse(path, frame="galactic")
    with pytest.raises(ParameterError, match="unknown frame 'ecliptic'"):
        read_healsparse(path, frame="ecliptic")
    stated = foreign(healsparse, tmp_path / "g.hsp", DEC, COORDSYS="G")
    with pytest.raises(DataError, match="is Galactic"):
        read_healsparse(stated)
    with pytest.raises(DataError, match="frame='equatorial' contradicts the header, which says 'galactic'"):
        read_healsparse(stated, frame="equatorial")


def test_missing_values_are_no_pixels(tmp_path, healsparse):
    values = DEC.astype(np.float32)
    values[:2] = (np.nan, np.inf)
    found = read_healsparse(foreign(healsparse, tmp_path / "n.hsp", values), frame="equatorial")
    np.testing.assert_array_equal(found.pixels, PIXELS[2:])
    np.testing.assert_array_equal(found.values, values[2:])
    with pytest.raises(DataError, match="has no value in any pixel"):
        read_healsparse(foreign(healsparse, tmp_path / "e.hsp", np.full(len(DEC), np.nan)), frame="equatorial")


def test_whole_numbers_and_several_maps_in_a_file(tmp_path, healsparse):
    number = np.arange(1, len(PIXELS) + 1)
    found = read_healsparse(foreign(healsparse, tmp_path / "i.hsp", number.astype(np.int32)), frame="equatorial")
    np.testing.assert_array_equal(found.values, number)
    made = healsparse.HealSparseMap.make_empty(32, NSIDE, np.dtype([("a", "f8"), ("b", "f8")]), primary="a")
    rows = np.zeros(len(PIXELS), [("a", "f8"), ("b", "f8")])
    rows["a"], rows["b"] = DEC, RA
    made.update_values_pix(hp.ring2nest(NSIDE, PIXELS), rows)
    made.write(str(tmp_path / "r.hsp"))
    found = read_healsparse(tmp_path / "r.hsp", frame="equatorial", column="b")
    np.testing.assert_array_equal(found.values, RA)
    with pytest.raises(ParameterError, match="unknown column None: known: a, b"):
        read_healsparse(tmp_path / "r.hsp", frame="equatorial")
    with pytest.raises(ParameterError, match=r"column is 'b': i\.hsp holds a single map"):
        read_healsparse(tmp_path / "i.hsp", frame="equatorial", column="b")


@pytest.mark.parametrize("packed", [False, True])
def test_masks_hold_the_pixels_that_are_true(tmp_path, healsparse, packed):
    made = healsparse.HealSparseMap.make_empty(32, NSIDE, bool, bit_packed=packed)
    made[hp.ring2nest(NSIDE, PIXELS)] = PIXELS % 3 > 0
    made.write(str(tmp_path / "m.hsp"))
    found = read_healsparse(tmp_path / "m.hsp", frame="equatorial")
    np.testing.assert_array_equal(found.pixels, PIXELS[PIXELS % 3 > 0])
    assert (found.values == 1).all()


@pytest.mark.parametrize("dtype", ["u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8"])
@pytest.mark.parametrize("compressed", [False, True])
def test_whole_numbers_of_every_length(tmp_path, healsparse, dtype, compressed):
    """Without the pixels that have the sentinel of the file, zero or the smallest number."""
    values = (PIXELS % 100).astype(dtype)
    made = healsparse.HealSparseMap.make_empty(32, NSIDE, np.dtype(dtype).type)
    made.update_values_pix(hp.ring2nest(NSIDE, PIXELS), values)
    made.metadata = {"COORDSYS": "C", "SURVEY": "DES"}
    made.write(str(tmp_path / "m.hsp"), nocompress=not compressed)
    found = read_healsparse(tmp_path / "m.hsp")
    kept = values != 0 if dtype.startswith("u") else np.full(len(values), True)
    np.testing.assert_array_equal(found.pixels, PIXELS[kept])
    np.testing.assert_array_equal(found.values, values[kept])
    assert found.header["SURVEY"] == "DES"
    assert not {"NSIDE", "BZERO", "SENTINEL"} & set(found.header)


@pytest.mark.parametrize(("dtype", "sentinel"), [("f4", 0.0), ("i4", -99), ("u2", 65535)])
def test_sentinels_of_their_own(tmp_path, healsparse, dtype, sentinel):
    values = np.where(PIXELS % 3, 7, sentinel).astype(dtype)
    made = healsparse.HealSparseMap.make_empty(32, NSIDE, np.dtype(dtype).type, sentinel=sentinel)
    made.update_values_pix(hp.ring2nest(NSIDE, PIXELS), values)
    made.write(str(tmp_path / "m.hsp"))
    found = read_healsparse(tmp_path / "m.hsp", frame="equatorial")
    np.testing.assert_array_equal(found.pixels, PIXELS[PIXELS % 3 > 0])
    assert (found.values == 7).all()


@pytest.mark.parametrize("share", [5, 9])
def test_a_damaged_file_is_named(tmp_path, healsparse, share):
    whole = foreign(healsparse, tmp_path / "w.hsp", DEC).read_bytes()
    (tmp_path / "cut.hsp").write_bytes(whole[: share * len(whole) // 10])
    with pytest.raises(DataError, match=r"cut\.hsp cannot be read as HealSparse \(.*\): write or copy it again"):
        read_healsparse(tmp_path / "cut.hsp", frame="equatorial")


def test_flags_are_no_map(tmp_path, healsparse):
    made = healsparse.HealSparseMap.make_empty(32, NSIDE, healsparse.WIDE_MASK, wide_mask_maxbits=7)
    made.set_bits_pix(hp.ring2nest(NSIDE, PIXELS), [4])
    made.write(str(tmp_path / "w.hsp"))
    with pytest.raises(DataError, match="holds flags of several bits"):
        read_healsparse(tmp_path / "w.hsp", frame="equatorial")


@pytest.mark.parametrize(("kind", "average"), [("mean", "linear"), ("sum", "linear"), ("mean", "inverse variance")])
def test_degraded_while_reading(tmp_path, healsparse, kind, average):
    depth = PartialMap(PIXELS, 24 + 0.3 * np.sin(RA * 7), NSIDE)
    path = write_healsparse(tmp_path / "m.hsp", depth, quantity="GALDEPTH_R", survey="LS10")
    found = read_healsparse(path, nside=128, kind=kind, average=average)
    expected = depth.degraded(128, kind, average=average)
    np.testing.assert_array_equal(found.pixels, expected.pixels)
    np.testing.assert_allclose(found.values, expected.values, rtol=1e-13)
    if average == "linear":
        theirs = healsparse.HealSparseMap.read(str(path)).degrade(128, reduction=kind)
        values = theirs.get_values_pix(hp.ring2nest(128, expected.pixels))
        np.testing.assert_allclose(found.values, values, rtol=1e-12)


def test_how_to_degrade_is_not_guessed(tmp_path, healsparse):
    path = write_healsparse(tmp_path / "m.hsp", PART, quantity="DEC", survey="LS10")
    with pytest.raises(ParameterError, match=r"m\.hsp has NSIDE 1024 and 64 is wanted: give kind='sum' for counts"):
        read_healsparse(path, nside=64)
    assert read_healsparse(path, nside=NSIDE).nside == NSIDE


def test_files_that_are_no_healsparse_map(tmp_path, healsparse):
    with pytest.raises(MissingDataError, match=r"'.*no\.hsp' does not exist"):
        read_healsparse(tmp_path / "no.hsp", frame="equatorial")
    (tmp_path / "text.hsp").write_text("not a map")
    healpix = write_map(tmp_path / "m.fits", np.ones(12), quantity="EBV", survey="LS10")
    for path in (tmp_path / "text.hsp", healpix):
        with pytest.raises(DataError, match="is no HealSparse map in FITS format: read HEALPix files with"):
            read_healsparse(path, frame="equatorial")


def test_built_map_of_a_small_field(tmp_path, healsparse):
    table = {"RA": RA, "DEC": DEC, "EBV": DEC}
    maps = build_maps(table, [Quantity("EBV", "EBV", "mag")], [NSIDE], survey="LS10")
    path = write_healsparse(tmp_path / "m.hsp", maps.partial("EBV", NSIDE), quantity="EBV", survey="LS10")
    found = read_healsparse(path)
    np.testing.assert_array_equal(found.pixels, PIXELS)
    np.testing.assert_allclose(found.values, DEC, rtol=1e-14)


def test_real_maps_of_observing_conditions(real_data, healsparse):
    seeing = read_healsparse(real_data / "y3a2_i_mangle_4096_fwhm.hsp", frame="equatorial")
    assert seeing.nside == 4096
    ra, dec = hp.pix2ang(4096, seeing.pixels, lonlat=True)
    # a field of a square degree across RA = 0
    assert seeing.pixels.size * hp.nside2pixarea(4096, degrees=True) == pytest.approx(1.0, abs=0.1)
    assert ra.min() < 1
    assert ra.max() > 359
    theirs = healsparse.HealSparseMap.read(str(real_data / "y3a2_i_mangle_4096_fwhm.hsp"))
    np.testing.assert_array_equal(seeing.values, theirs.get_values_pos(ra, dec, lonlat=True))
    coarse = read_healsparse(real_data / "y3a2_i_mangle_4096_fwhm.hsp", frame="equatorial", nside=256, kind="mean")
    assert coarse.values.min() >= seeing.values.min()
    assert coarse.values.max() <= seeing.values.max()
