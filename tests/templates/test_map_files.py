"""One file of template maps: what is declared of it, its columns, and its resolution."""

import healpy as hp
import numpy as np
import pytest
from astropy.io import fits

from sysmap_core.errors import DataError, ParameterError
from sysmap_core.sky.healpix_io import write_map
from sysmap_core.sky.partial_sky import PartialMap
from sysmap_core.sky.regrid import to_nside
from sysmap_core.templates.map_files import Declaration, declarations, read_file

NSIDE = 16

NPIX = hp.nside2npix(NSIDE)

RA, DEC = hp.pix2ang(NSIDE, np.arange(NPIX), lonlat=True)

SEEN = DEC > -30

RING = {"ORDERING": "RING", "COORDSYS": "C", "NSIDE": NSIDE}


def table(path, columns, **cards):
    """Table with these columns by name, and cards."""
    forms = {"f": "D", "i": "K", "b": "L", "U": "5A"}
    made = [fits.Column(name=n, format=forms[np.asarray(v).dtype.kind], array=v) for n, v in columns.items()]
    hdu = fits.BinTableHDU.from_columns(made)
    hdu.header.update(cards)
    hdu.writeto(path)
    return path


@pytest.fixture
def pixweight(tmp_path):
    """Indices, observed area, counts of galaxies and two conditions."""
    columns = {
        "HPXPIXEL": np.arange(NPIX),
        "FRACAREA": 1 + 0 * RA,
        "NGAL": np.arange(NPIX) % 7,
        "STARDENS": RA,
        "EBV": DEC,
    }
    return table(tmp_path / "LS10_EBV_NSIDE_0016.fits", columns, HPXNSIDE=NSIDE, HPXNEST=False, COORDSYS="C")


def test_a_quantity_chooses_the_column(pixweight):
    found = read_file(pixweight, NSIDE, Declaration(), name="EBV", quantity=True)
    assert found.names == ("EBV",)
    np.testing.assert_array_equal(found.maps, [DEC])
    assert found.left == ("FRACAREA", "NGAL", "STARDENS")
    # in any case, and as the name that the file has
    found = read_file(pixweight, NSIDE, Declaration(), name="stardens", quantity=True)
    assert found.names == ("stardens",)
    np.testing.assert_array_equal(found.maps, [RA])


def test_a_quantity_that_no_column_has(pixweight):
    message = (
        r"LS10_EBV_NSIDE_0016\.fits: none of the columns STARDENS, EBV is named GALDEPTH_R: say which one it is, "
        r"\{'LS10_EBV_NSIDE_0016\.fits': \{'column': 'STARDENS'\}\} in the table of templates"
    )
    with pytest.raises(DataError, match=message):
        read_file(pixweight, NSIDE, Declaration(), name="GALDEPTH_R", quantity=True)
    found = read_file(pixweight, NSIDE, Declaration(column="EBV"), name="GALDEPTH_R", quantity=True)
    assert found.names == ("GALDEPTH_R",)
    np.testing.assert_array_equal(found.maps, [DEC])


def test_the_only_column_is_that_of_any_quantity(tmp_path):
    path = table(tmp_path / "t.fits", {"PIXEL": np.arange(NPIX), "FRACAREA": 1 + 0 * RA, "TEMPERATURE": RA}, **RING)
    found = read_file(path, NSIDE, Declaration(), name="EBV", quantity=True)
    np.testing.assert_array_equal(found.maps, [RA])


def test_several_columns_are_templates_by_their_names(pixweight):
    found = read_file(pixweight, NSIDE, Declaration(), name="pixweight")
    assert found.names == ("STARDENS", "EBV")
    np.testing.assert_array_equal(found.maps, [RA, DEC])
    assert found.left == ("FRACAREA", "NGAL")


def test_columns_that_are_asked_for(pixweight):
    one = read_file(pixweight, NSIDE, Declaration(column="ebv"), name="pixweight")
    assert one.names == ("ebv",)
    assert one.left == ("FRACAREA", "NGAL", "STARDENS")
    two = read_file(pixweight, NSIDE, Declaration(column=["EBV", "FRACAREA"]), name="pixweight")
    assert two.names == ("EBV", "FRACAREA")
    np.testing.assert_array_equal(two.maps, [DEC, 1 + 0 * RA])
    named = read_file(pixweight, NSIDE, Declaration(column="EBV", name="dust"), name="pixweight")
    assert named.names == ("dust",)
    with pytest.raises(ParameterError, match="column 'DUST' not found: the table has FRACAREA, NGAL, STARDENS, EBV"):
        read_file(pixweight, NSIDE, Declaration(column="DUST"), name="pixweight")
    with pytest.raises(ParameterError, match="is 'dust', and it has maps STARDENS, EBV: give column as well"):
        read_file(pixweight, NSIDE, Declaration(name="dust"), name="pixweight")


def test_a_column_of_another_table(tmp_path):
    tables = [fits.BinTableHDU.from_columns([fits.Column(n, "D", array=v)]) for n, v in (("RA", RA), ("EBV", DEC))]
    for one in tables:
        one.header.update(RING)
    fits.HDUList([fits.PrimaryHDU(), *tables]).writeto(tmp_path / "t.fits")
    for declared, quantity in ((Declaration(column="EBV"), False), (Declaration(), True)):
        found = read_file(tmp_path / "t.fits", NSIDE, declared, name="EBV", quantity=quantity)
        np.testing.assert_array_equal(found.maps, [DEC])


def test_one_map_has_the_name_of_its_file(tmp_path):
    path = table(tmp_path / "t.fits", {"PIXEL": np.arange(NPIX), "RA": RA, "DEC": DEC, "VALUE": RA}, **RING)
    assert read_file(path, NSIDE, Declaration(), name="stars").names == ("stars",)
    assert read_file(path, NSIDE, Declaration(column="VALUE"), name="stars").names == ("stars",)
    assert read_file(path, NSIDE, Declaration(name="gaia"), name="stars").names == ("gaia",)


def test_a_file_without_templates(tmp_path):
    path = table(tmp_path / "t.fits", {"PIXEL": np.arange(NPIX), "FRACAREA": RA, "NGAL": DEC}, **RING)
    message = (
        r"t\.fits: none of the columns FRACAREA, NGAL is taken for a template by its name: say which one is, "
        r"\{'t\.fits': \{'column': 'FRACAREA'\}\}"
    )
    for quantity in (False, True):
        with pytest.raises(DataError, match=message):
            read_file(path, NSIDE, Declaration(), name="stars", quantity=quantity)
    path = write_map(tmp_path / "n.fits", np.full(NPIX, np.nan), quantity="EBV", survey="LS10")
    with pytest.raises(DataError, match=r"n\.fits has no value in any pixel of EBV: check what it holds"):
        read_file(path, NSIDE, Declaration(), name="n")


def test_declarations_by_file():
    told = declarations({"a.fits": {"ordering": "RING", "kind": "sum"}}, ["a.fits", "b.fits"])
    assert told == {"a.fits": Declaration(ordering="RING", kind="sum"), "b.fits": Declaration()}
    assert declarations(None, ["a.fits"]) == {"a.fits": Declaration()}


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        (
            {"star.fits": {}},
            r"unknown map file 'star\.fits': did you mean 'stars\.fits'\? known: stars\.fits, dust\.fits",
        ),
        (
            {"stars.fits": {"orderin": "RING"}},
            r"unknown entry for stars\.fits 'orderin': did you mean 'ordering'\? kno",
        ),
        ({"stars.fits": {"kind": "counts"}}, r"unknown kind of stars\.fits 'counts': known: mean, sum"),
        (
            {"stars.fits": "RING"},
            r"declaration of stars\.fits is 'RING': give a table with entries of ordering, frame, ",
        ),
    ],
)
def test_declarations_that_cannot_be_meant(declared, message):
    with pytest.raises(ParameterError, match=message):
        declarations(declared, ["stars.fits", "dust.fits"])


def test_what_was_declared_is_told_from_what_the_header_says(tmp_path):
    bare = table(tmp_path / "bare.fits", {"EBV": hp.reorder(DEC, r2n=True)})
    told = Declaration(ordering="NESTED", frame="equatorial")
    found = read_file(bare, NSIDE, told, name="EBV")
    np.testing.assert_array_equal(found.maps, [DEC])
    assert found.undeclared == ("ordering NESTED", "frame equatorial")
    # an entry for the file goes before the one for all
    mixed = read_file(bare, NSIDE, told, name="EBV", ordering="RING", frame="galactic")
    np.testing.assert_array_equal(mixed.maps, [DEC])
    of_all = read_file(bare, NSIDE, Declaration(ordering="NESTED"), name="EBV", frame="equatorial")
    assert of_all.undeclared == ("ordering NESTED", "frame equatorial")
    full = write_map(tmp_path / "full.fits", DEC, quantity="EBV", survey="LS10")
    assert read_file(full, NSIDE, Declaration(ordering="RING"), name="EBV", frame="equatorial").undeclared == ()
    with pytest.raises(DataError, match="ordering='NESTED' contradicts the header, which says 'RING': leave ordering"):
        read_file(full, NSIDE, told, name="EBV")
    with pytest.raises(DataError, match="the ordering of the pixels is not in the header: declare it"):
        read_file(bare, NSIDE, Declaration(), name="EBV", frame="equatorial")
    with pytest.raises(ParameterError, match="unknown frame 'galactik': did you mean 'galactic'"):
        read_file(bare, NSIDE, Declaration(ordering="RING", frame="galactik"), name="EBV")


def test_healsparse_has_one_ordering(tmp_path):
    pytest.importorskip("healsparse")
    from sysmap_core.sky.healsparse_io import write_healsparse

    part = PartialMap(np.flatnonzero(SEEN), RA[SEEN], NSIDE)
    path = write_healsparse(tmp_path / "m.hsp", part, quantity="EBV", survey="DES")
    # an ordering for all files is not meant for this one
    found = read_file(path, NSIDE, Declaration(), name="m", ordering="RING", frame="equatorial")
    np.testing.assert_array_equal(found.maps[0], np.where(SEEN, RA, hp.UNSEEN))
    assert found.undeclared == found.left == ()
    with pytest.raises(DataError, match="ordering='RING' contradicts the header, which says 'NESTED'"):
        read_file(path, NSIDE, Declaration(ordering="RING"), name="m")


@pytest.mark.parametrize("nside", [4, 64])
def test_other_resolutions(tmp_path, nside):
    values = np.where(SEEN, RA, hp.UNSEEN)
    plain = table(tmp_path / "m.fits", {"EBV": values}, **RING)
    for kind in (None, "mean", "sum"):
        found = read_file(plain, nside, Declaration(kind=kind), name="m")
        np.testing.assert_allclose(found.maps[0], to_nside(values, nside, kind or "mean"), rtol=1e-13)
        assert (found.nside, found.kind) == (NSIDE, kind or "mean")


@pytest.mark.parametrize(("word", "kind"), [("count", "sum"), ("sum", "sum"), ("mean", "mean"), ("density", "mean")])
def test_a_header_that_says_how_objects_became_values(tmp_path, word, kind):
    path = write_map(tmp_path / "n.fits", DEC + 100, quantity="NSTAR", survey="GAIA", aggregation=word)
    for declared in (None, kind):
        found = read_file(path, 4, Declaration(kind=declared), name="n")
        np.testing.assert_allclose(found.maps[0], to_nside(DEC + 100, 4, kind), rtol=1e-13)
    other = {"sum": "mean", "mean": "sum"}[kind]
    message = rf"n\.fits: kind='{other}' contradicts the header, whose AGGR is '{word}': leave kind out"
    with pytest.raises(DataError, match=message):
        read_file(path, 4, Declaration(kind=other), name="n")
