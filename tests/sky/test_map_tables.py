"""Tables of HEALPix maps: what is an index, what is a map, and what is neither."""

import healpy as hp
import numpy as np
import pytest
from astropy.io import fits

from sysmap_core.errors import DataError, ParameterError
from sysmap_core.sky.healpix_io import read_map
from sysmap_core.sky.map_tables import is_position, map_table

NSIDE = 16

NPIX = hp.nside2npix(NSIDE)

RING = {"ORDERING": "RING", "COORDSYS": "C"}

EBV = np.random.default_rng(0).gamma(2.0, 0.02, NPIX)

SOME = np.array([700, 5, 3001, 42])


def write(path, columns, **cards):
    """Table with these columns (name, format, values) and cards."""
    table = fits.BinTableHDU.from_columns([fits.Column(name=n, format=f, array=v) for n, f, v in columns])
    table.header.update(cards)
    table.writeto(path)
    return path


@pytest.mark.parametrize(
    "name",
    ["PIXEL", "HEALPIX", "HPXINDEX", "PIXNUM", "healpix_id", "hpix_16", "HPXPIXEL", "HEALPIX_16", "ipix", "INDEX"],
)
def test_columns_of_indices_by_name(tmp_path, name):
    # not by what they hold, as they are no integers here
    path = write(tmp_path / "p.fits", [(name, "D", SOME), ("EBV", "D", EBV[SOME])], NSIDE=NSIDE, **RING)
    table = map_table(path)
    assert table.index == name
    assert table.columns == ("EBV",)
    full = read_map(path)
    np.testing.assert_array_equal(full[SOME], EBV[SOME])
    assert (np.delete(full, SOME) == hp.UNSEEN).all()


def test_a_number_of_the_row_is_the_index_only_where_nothing_else_is(tmp_path):
    columns = [("INDEX", "K", np.arange(4)), ("HPIX", "K", SOME), ("EBV", "D", EBV[SOME])]
    table = map_table(write(tmp_path / "p.fits", columns, NSIDE=NSIDE, **RING))
    assert table.index == "HPIX"
    assert table.columns == ("INDEX", "EBV")


@pytest.mark.parametrize("cards", [{"NSIDE": NSIDE, "INDXSCHM": "EXPLICIT"}, {"HPXNSIDE": NSIDE}])
def test_columns_of_indices_by_what_they_hold(tmp_path, cards):
    columns = [("NOBS", "J", np.array([3, 1, 1, 2])), ("CELL", "J", SOME), ("EBV", "D", EBV[SOME])]
    path = write(tmp_path / "p.fits", columns, **RING, **cards)
    assert map_table(path).index == "CELL"
    np.testing.assert_array_equal(read_map(path, column="EBV")[SOME], EBV[SOME])


def test_explicit_indices_of_the_full_sky_in_any_order(tmp_path):
    order = np.random.default_rng(1).permutation(NPIX)
    columns = [("CELL", "J", order), ("EBV", "D", EBV[order])]
    path = write(tmp_path / "p.fits", columns, NSIDE=NSIDE, INDXSCHM="EXPLICIT", **RING)
    np.testing.assert_array_equal(read_map(path), EBV)


def test_parts_of_the_sky_come_in_order_of_their_ring_pixels(tmp_path):
    for ordering, indices in (("RING", SOME), ("NESTED", hp.ring2nest(NSIDE, SOME))):
        columns = [("PIXEL", "K", indices), ("EBV", "D", EBV[SOME])]
        part = map_table(write(tmp_path / f"{ordering}.fits", columns, NSIDE=NSIDE)).partial("EBV", ordering)
        np.testing.assert_array_equal(part.pixels, np.sort(SOME))
        np.testing.assert_array_equal(part.values, EBV[np.sort(SOME)])
        assert part.nside == NSIDE


def test_what_counts_the_rows_of_a_full_sky_is_no_map(tmp_path):
    path = write(tmp_path / "p.fits", [("CELL", "J", np.arange(NPIX)), ("EBV", "D", EBV)], NSIDE=NSIDE, **RING)
    assert map_table(path).columns == ("EBV",)
    np.testing.assert_array_equal(read_map(path), EBV)
    # distinct whole numbers in another order may be a map of ranks: nothing says that they are indices
    path = write(tmp_path / "r.fits", [("RANK", "J", np.argsort(EBV)), ("EBV", "D", EBV)], NSIDE=NSIDE, **RING)
    assert map_table(path).columns == ("RANK", "EBV")


def test_two_columns_that_could_be_indices(tmp_path):
    for names in (("PIXEL", "IPIX"), ("CELL", "TILE")):
        columns = [(names[0], "K", SOME), (names[1], "K", SOME[::-1]), ("EBV", "D", EBV[SOME])]
        path = write(tmp_path / f"{names[0]}.fits", columns, NSIDE=NSIDE, **RING)
        with pytest.raises(DataError, match=rf"columns {names[0]} and {names[1]} could both hold the pixel indices"):
            map_table(path)


def test_no_column_of_indices(tmp_path):
    path = write(tmp_path / "p.fits", [("NOBS", "J", np.array([3, 1, 1, 2]))], NSIDE=NSIDE, **RING)
    with pytest.raises(DataError, match="4 values and NSIDE 16 do not make a full-sky map: add an NSIDE card"):
        read_map(path)


@pytest.mark.parametrize("cards", [RING, RING | {"NSIDE": NSIDE}])
@pytest.mark.parametrize("form", ["D", "J", "E"])
def test_numbers_of_pixels_are_no_map(tmp_path, cards, form):
    path = write(tmp_path / "p.fits", [("EBV", form, np.arange(NPIX))], **cards)
    with pytest.raises(DataError, match=r"column EBV holds the numbers of its pixels, 0, 1, 2, \.\.\., and no map"):
        read_map(path)


def test_indices_beside_indices_are_no_map(tmp_path):
    columns = [("PIXEL", "K", SOME), ("CELL", "D", SOME)]
    path = write(tmp_path / "p.fits", columns, NSIDE=NSIDE, **RING)
    with pytest.raises(DataError, match="column CELL holds the numbers of its pixels"):
        read_map(path)


def test_indices_alone(tmp_path):
    path = write(tmp_path / "p.fits", [("PIXEL", "K", SOME), ("NAME", "3A", ["a"] * 4)], NSIDE=NSIDE, **RING)
    with pytest.raises(DataError, match="holds no column of numbers beside pixel indices: give a map with values"):
        read_map(path)


def test_a_table_without_columns(tmp_path):
    with pytest.raises(DataError, match=r"e\.fits holds a table without columns: give a HEALPix map in a FITS table"):
        map_table(write(tmp_path / "e.fits", [], **RING))


def test_unsigned_and_floating_indices(tmp_path):
    for form, indices in (("K", SOME.astype(np.uint64)), ("D", SOME.astype(float))):
        columns = fits.ColDefs(
            [
                fits.Column("PIXEL", form, array=indices, bzero=2**63 if indices.dtype == np.uint64 else None),
                fits.Column("EBV", "E", array=EBV[SOME]),
            ]
        )
        table = fits.BinTableHDU.from_columns(columns)
        table.header.update(NSIDE=NSIDE, **RING)
        table.writeto(tmp_path / f"{form}.fits")
        np.testing.assert_allclose(read_map(tmp_path / f"{form}.fits")[SOME], EBV[SOME], rtol=1e-6)
    assert fits.getdata(tmp_path / "K.fits")["PIXEL"].dtype == np.uint64


def test_indices_that_are_none(tmp_path):
    columns = [("PIXEL", "D", SOME + 0.5), ("EBV", "D", EBV[SOME])]
    with pytest.raises(DataError, match="column PIXEL has 4 pixel indices for 4 values, or some that are no whole num"):
        read_map(write(tmp_path / "h.fits", columns, NSIDE=NSIDE, **RING))
    columns = [("PIXEL", "K", SOME), ("EBV", "2D", np.ones((4, 2)))]
    with pytest.raises(DataError, match="column PIXEL has 4 pixel indices for 8 values"):
        read_map(write(tmp_path / "v.fits", columns, NSIDE=NSIDE, **RING))


def test_a_catalogue_is_no_map(tmp_path):
    for names in (("RA", "DEC"), ("ALPHA_J2000", "DELTA_J2000"), ("ra", "dec")):
        # even one with a row for every pixel, and the number of the row
        columns = [(names[0], "D", EBV), (names[1], "D", -EBV), ("INDEX", "K", np.arange(NPIX)), ("EBV", "D", EBV)]
        path = write(tmp_path / f"{names[0]}{len(names[0])}.fits", columns)
        with pytest.raises(DataError, match=rf"holds positions \({names[0]}, {names[1]}\), it is a catalogue and no m"):
            read_map(path, ordering="RING", frame="equatorial", column="EBV")


def test_a_catalogue_with_pixels_of_its_objects_is_no_map(tmp_path):
    columns = [("RA", "D", EBV[:50]), ("DEC", "D", EBV[:50]), ("HPXPIXEL", "K", np.arange(50))]
    with pytest.raises(DataError, match=r"holds positions \(RA, DEC\), it is a catalogue and no map"):
        map_table(write(tmp_path / "c.fits", columns))


def test_positions_of_pixel_centres_are_no_catalogue(tmp_path):
    ra, dec = hp.pix2ang(NSIDE, np.arange(NPIX), lonlat=True)
    columns = [("RA", "D", ra), ("DEC", "D", dec), ("EBV", "D", EBV)]
    np.testing.assert_array_equal(read_map(write(tmp_path / "a.fits", columns, **RING), column="EBV"), EBV)
    columns.append(("HPXPIXEL", "K", np.arange(NPIX)))
    path = write(tmp_path / "b.fits", columns)
    np.testing.assert_array_equal(read_map(path, ordering="RING", frame="equatorial", column="EBV"), EBV)


def test_null_values_of_whole_numbers_and_text_beside_them(tmp_path):
    counts = np.arange(4) + 7
    table = fits.BinTableHDU.from_columns(
        [
            fits.Column("PIXEL", "K", array=SOME),
            fits.Column("NOBS", "J", array=counts, null=8),
            fits.Column("SURVEY", "3A", array=["DES"] * 4),
            fits.Column("SEEN", "L", array=[True, False, True, False]),
        ]
    )
    table.header.update(NSIDE=NSIDE, **RING)
    table.writeto(tmp_path / "n.fits")
    assert map_table(tmp_path / "n.fits").columns == ("NOBS", "SEEN")
    np.testing.assert_array_equal(read_map(tmp_path / "n.fits")[SOME], [7, hp.UNSEEN, 9, 10])
    np.testing.assert_array_equal(read_map(tmp_path / "n.fits", column="seen")[SOME], [1, 0, 1, 0])
    with pytest.raises(ParameterError, match="column 'SURVEY' not found: the table has NOBS, SEEN"):
        read_map(tmp_path / "n.fits", column="SURVEY")
    with pytest.raises(DataError, match=r"n\.fits has columns NOBS, SEEN: say which one is meant with column"):
        map_table(tmp_path / "n.fits").name_of(None)


def test_resolutions_that_are_none(tmp_path):
    for nside in (100, 0, "64a"):
        path = write(tmp_path / f"{nside}.fits", [("EBV", "D", EBV)], NSIDE=nside, **RING)
        with pytest.raises(DataError, match=f"NSIDE is {nside!r}, which is no HEALPix resolution: correct the header"):
            read_map(path)
    path = write(tmp_path / "empty.fits", [("EBV", "D", EBV[:0])], **RING)
    with pytest.raises(DataError, match="0 values and NSIDE None do not make a full-sky map"):
        read_map(path)


def test_names_of_positions():
    assert all(map(is_position, ("RA", "dec", "ALPHA_J2000", "TARGET_RA", "coord_dec")))
    assert not any(map(is_position, ("EBV", "DECAM_DEPTH_G", "RADIUS", "PIXEL")))
