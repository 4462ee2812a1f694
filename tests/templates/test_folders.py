"""Template maps from folders and lists: of any origin, in either format, brought to one resolution."""

import re

import healpy as hp
import numpy as np
import pytest
from astropy.io import fits

from sysmap_core.errors import DataError, MissingDataError, ParameterError
from sysmap_core.files import checksum
from sysmap_core.sky.healpix_io import write_map
from sysmap_core.sky.partial_sky import PartialMap
from sysmap_core.sky.pixels import usable
from sysmap_core.sky.regrid import to_nside
from sysmap_core.templates.folders import ReadConditions, read_templates

NSIDE = 16

NPIX = hp.nside2npix(NSIDE)

RA, DEC = hp.pix2ang(NSIDE, np.arange(NPIX), lonlat=True)


SEEN = DEC > -30

RING = {"ORDERING": "RING", "COORDSYS": "C", "NSIDE": NSIDE}


def table(path, columns, **cards):
    """Table with these columns by name, and cards."""
    forms = {"f8": "D", "f4": "E", "i8": "K"}
    made = [fits.Column(name=n, format=forms[np.asarray(v).dtype.str[1:]], array=v) for n, v in columns.items()]
    hdu = fits.BinTableHDU.from_columns(made)
    hdu.header.update(cards)
    path.parent.mkdir(exist_ok=True)
    hdu.writeto(path)
    return path


def smooth(ra, dec):
    """Map that interpolation does not change."""
    return 2.0 + np.sin(np.radians(ra)) * np.cos(np.radians(dec))


@pytest.fixture
def template_dir(tmp_path):
    """Two templates at NSIDE 16 and a folder of another resolution."""
    folder = tmp_path / "templates"
    write_map(folder / "0016" / "LS10_EBV_NSIDE_0016.fits", DEC, quantity="EBV", survey="LS10")
    write_map(folder / "0016" / "GAIA_nstar_faint_NSIDE_00016.fits", RA, quantity="nstar_faint", survey="GAIA")
    (folder / "0016" / "LS10_EBV_NSIDE_0032.fits").write_text("of another resolution, not read")
    (folder / "0032").mkdir()
    return folder


def test_template_folder(template_dir):
    found = read_templates(template_dir, 16)
    assert found.names == ("nstar_faint", "EBV")
    np.testing.assert_array_equal(found.maps, [RA, DEC])
    files = ("GAIA_nstar_faint_NSIDE_00016.fits", "LS10_EBV_NSIDE_0016.fits")
    assert found.sources == {name: checksum(template_dir / "0016" / name) for name in files}
    assert found.notes == (
        "Not read, as they are not SURVEY_QUANTITY_NSIDE_0016 in the folder 0016: LS10_EBV_NSIDE_0032.fits.",
    )
    assert found.simulated == ()


def test_template_folder_without_maps(template_dir, tmp_path):
    with pytest.raises(MissingDataError, match=r"no template map SURVEY_QUANTITY_NSIDE_0064\.fits in .*\(0016, 0032\)"):
        read_templates(template_dir, 64)
    with pytest.raises(MissingDataError, match=r"take a resolution that is there \(0016, 0032\)"):
        read_templates(template_dir, 32)
    with pytest.raises(MissingDataError, match=r"template_dir is '.*nowhere', which is not a folder"):
        read_templates(tmp_path / "nowhere", 64)


def test_one_quantity_in_two_files(template_dir):
    write_map(template_dir / "0016" / "GAIA_EBV_NSIDE_00016.fits", DEC, quantity="EBV", survey="GAIA")
    with pytest.raises(
        DataError, match=r"template EBV is in GAIA_EBV_NSIDE_00016\.fits and in LS10_EBV_NSIDE_0016.*: keep"
    ):
        read_templates(template_dir, 16)


def test_maps_of_another_resolution_than_their_folder(template_dir):
    write_map(template_dir / "0032" / "LS10_EBV_NSIDE_0032.fits", DEC, quantity="EBV", survey="LS10")
    with pytest.raises(DataError, match=r"LS10_EBV_NSIDE_0032\.fits has NSIDE 16: move it"):
        read_templates(template_dir, 32)


def test_templates_that_do_not_declare_their_frame(tmp_path):
    (tmp_path / "0016").mkdir()
    table = fits.BinTableHDU.from_columns([fits.Column(name="EBV", format="D", array=DEC)])
    table.header.update(ORDERING="RING", NSIDE=16)
    table.writeto(tmp_path / "0016" / "LS10_EBV_NSIDE_0016.fits")
    with pytest.raises(DataError, match=r"frame of the pixels is not in the header.*template_frame of a sample"):
        read_templates(tmp_path, 16)
    assert read_templates(tmp_path, 16, frame="equatorial").names == ("EBV",)


def test_maps_of_a_part_of_the_sky_and_of_other_surveys(template_dir):
    """HealSparse beside HEALPix: UNSEEN where it has no value."""
    pytest.importorskip("healsparse")
    from sysmap_core.sky.healsparse_io import write_healsparse

    south = np.flatnonzero(DEC < 0)
    path = template_dir / "0016" / "DES-Y6_FWHM_I_NSIDE_0016.hsp"
    write_healsparse(path, PartialMap(south, RA[south], NSIDE, {}), quantity="FWHM_I", survey="DES-Y6")
    found = read_templates(template_dir, 16)
    assert found.names == ("FWHM_I", "nstar_faint", "EBV")
    np.testing.assert_array_equal(found.maps[0], np.where(DEC < 0, RA, hp.UNSEEN))
    assert found.sources[path.name] == checksum(path)


def test_one_map_written_in_many_ways_comes_back_the_same(tmp_path):
    """A map that varies smoothly on a part of the sky, in every format, order, frame and resolution."""
    pytest.importorskip("healsparse")
    from sysmap_core.sky.healsparse_io import write_healsparse

    centres = hp.pix2ang(256, np.arange(hp.nside2npix(256)), lonlat=True)
    values = np.where(SEEN, to_nside(smooth(*centres), NSIDE), hp.UNSEEN)
    some = np.random.default_rng(0).permutation(np.flatnonzero(SEEN))
    nested = hp.reorder(values, r2n=True)
    other = {"FRACAREA": np.ones(NPIX), "STARDENS": RA, "EBV": values}
    fine = to_nside(values, 64)
    # no pixel of the fine map is what its parent is, but their mean is
    ripple = np.tile([0.5, -0.5], fine.size // 2)
    fine = np.where(usable(fine), fine + hp.reorder(ripple, n2r=True), hp.UNSEEN)
    galactic = hp.Rotator(coord=["G", "C"])(*centres, lonlat=True)
    turned = smooth(*galactic)
    turned[galactic[1] < -50] = hp.UNSEEN
    bare = {"ordering": "NESTED", "frame": "equatorial"}
    written = {
        "ring": write_map(tmp_path / "ring.fits", values, quantity="EBV", survey="LS10"),
        "nested": table(tmp_path / "nested.fits", {"EBV": nested}, ORDERING="NESTED", COORDSYS="C"),
        "galactic": table(tmp_path / "galactic.fits", {"EBV": turned}, ORDERING="RING", COORDSYS="G"),
        "partial": table(tmp_path / "partial.fits", {"PIXEL": some, "EBV": values[some]}, **RING),
        "odd": table(tmp_path / "odd.fits", {"CELL": some, "EBV": values[some]}, INDXSCHM="EXPLICIT", **RING),
        "sparse": write_healsparse(
            tmp_path / "sparse.hsp", PartialMap(np.sort(some), values[np.sort(some)], NSIDE), quantity="E", survey="L"
        ),
        "zipped": table(tmp_path / "zipped.fits.gz", {"EBV": values}, **RING),
        "finer": table(tmp_path / "finer.FITS", {"EBV": fine}, ORDERING="RING", COORDSYS="C"),
        "pixweight": table(tmp_path / "pixweight.fits", {"HPXPIXEL": np.arange(NPIX), **other}, **RING),
        "single": table(tmp_path / "single_nside16.fits", {"EBV": values.astype(np.float32)}, **RING),
        "bare": table(tmp_path / "bare.fits", {"HEALPIX": np.arange(NPIX), "EBV": nested}),
    }
    told = {"pixweight.fits": {"column": "EBV", "name": "pixweight"}, "bare.fits": bare}
    found = read_templates(list(written.values()), NSIDE, declared=told)
    assert found.names == tuple(written)
    exact = {"finer": 1e-14, "single": 1e-6, "galactic": 1e-4}
    for name, row in zip(found.names, found.maps, strict=True):
        away = SEEN & (DEC > -25) if name == "galactic" else np.full(NPIX, True)
        np.testing.assert_allclose(row[away], values[away], rtol=exact.get(name, 0.0), err_msg=name)
    assert found.sources == {path.name: checksum(path) for path in written.values()}
    assert found.notes == (
        "Maps of NSIDE 256 are averaged to 16 over their pixels with values: galactic.fits.",
        "Maps of NSIDE 64 are averaged to 16 over their pixels with values: finer.FITS.",
        "Columns FRACAREA, STARDENS are not taken for templates: pixweight.fits.",
        "Taken as declared, as headers do not say, ordering NESTED and frame equatorial: bare.fits.",
    )
    folder = read_templates(tmp_path, NSIDE, declared=told)
    assert sorted(folder.names) == sorted(found.names)
    for name, row in zip(folder.names, folder.maps, strict=True):
        np.testing.assert_array_equal(row, found.maps[found.names.index(name)])


def test_quantity_of_the_name_and_not_the_first_column(tmp_path):
    """A file of many columns in a folder of the LS10 layout."""
    columns = {"HPXPIXEL": np.arange(NPIX), "FRACAREA": np.ones(NPIX), "STARDENS": RA, "EBV": DEC}
    table(tmp_path / "0016" / "LS10_EBV_NSIDE_0016.fits", columns, HPXNSIDE=16, HPXNEST=False)
    found = read_templates(tmp_path, 16, frame="equatorial")
    np.testing.assert_array_equal(found.maps, [DEC])
    assert found.notes == (
        "Taken as declared, as headers do not say, frame equatorial: LS10_EBV_NSIDE_0016.fits.",
        "Columns FRACAREA, STARDENS are not taken for templates: LS10_EBV_NSIDE_0016.fits.",
    )


def test_notes_on_resolutions(tmp_path):
    write_map(tmp_path / "a.fits", to_nside(RA, 32), quantity="A", survey="LS10")
    write_map(tmp_path / "b.fits", to_nside(DEC, 32), quantity="B", survey="LS10")
    write_map(tmp_path / "c.fits", to_nside(RA, 32), quantity="C", survey="LS10", aggregation="count")
    write_map(tmp_path / "d.fits", to_nside(DEC, 8), quantity="D", survey="LS10")
    write_map(tmp_path / "e.fits", DEC, quantity="E", survey="LS10")
    (tmp_path / "README").touch()
    found = read_templates(tmp_path, 16)
    assert found.names == tuple("abcde")
    np.testing.assert_allclose(found.maps[:3], [RA, DEC, 4 * RA], rtol=1e-12)
    assert found.notes == (
        "Not read, as they have no ending of a map: README.",
        "Maps of NSIDE 32 are averaged to 16 over their pixels with values: a.fits, b.fits.",
        "Maps of NSIDE 32 are summed to 16: c.fits.",
        "Maps of NSIDE 8 are replicated to 16, which adds no detail: d.fits.",
    )


def test_all_maps_that_cannot_be_read_are_named_at_once(tmp_path):
    for name in ("a", "b"):
        table(tmp_path / f"{name}.fits", {"EBV": DEC}, ORDERING="RING")
    (tmp_path / "text.fits").write_text("no map")
    table(tmp_path / "galaxies.fits", {"RA": RA, "DEC": DEC, "Z": DEC})
    table(tmp_path / "numbers.fits", {"EBV": np.arange(NPIX)}, **RING)
    write_map(tmp_path / "good.fits", RA, quantity="GOOD", survey="LS10")
    reasons = (
        r"a\.fits, b\.fits, the frame of the pixels is not in the header: declare it .*",
        r"galaxies\.fits, holds positions \(RA, DEC\), it is a catalogue and no map: .*",
        r"numbers\.fits, column EBV holds the numbers of its pixels, .*",
        r"text\.fits, cannot be read as FITS .*",
    )
    with pytest.raises(
        DataError,
        match="5 template maps cannot be read: " + "; ".join(rf"{i}\) {reason}" for i, reason in enumerate(reasons, 1)),
    ):
        read_templates(tmp_path, 16)
    found = read_templates(tmp_path, 16, unreadable="note")
    assert found.names == ("good",)
    assert found.sources == {"good.fits": checksum(tmp_path / "good.fits")}
    assert len(found.notes) == 4
    for note, reason in zip(found.notes, reasons, strict=True):
        assert re.fullmatch(f"Not read: {reason}", note)
    assert read_templates(tmp_path, 16, frame="equatorial", unreadable="note").names == ("a", "b", "good")
    with pytest.raises(ParameterError, match="unknown unreadable 'skip': known: error, note"):
        read_templates(tmp_path, 16, unreadable="skip")


def test_nothing_that_can_be_read_is_an_error_in_any_case(tmp_path):
    (tmp_path / "a.fits").write_text("no map")
    with pytest.raises(DataError, match=r"a\.fits cannot be read as FITS"):
        read_templates(tmp_path, 16, unreadable="note")


def test_one_name_in_two_files_of_a_folder(tmp_path):
    write_map(tmp_path / "EBV_NSIDE_0016.fits", DEC, quantity="EBV", survey="LS10")
    write_map(tmp_path / "EBV_NSIDE_0032.fits", to_nside(DEC, 32), quantity="EBV", survey="LS10")
    message = r"template EBV is in EBV_NSIDE_0016\.fits and in EBV_NSIDE_0032\.fits: keep one, or name it otherwise"
    with pytest.raises(DataError, match=message):
        read_templates(tmp_path, 16)
    found = read_templates(tmp_path, 16, declared={"EBV_NSIDE_0032.fits": {"name": "EBV fine"}})
    assert found.names == ("EBV", "EBV fine")


def test_declarations_are_checked_before_anything_is_read(tmp_path):
    (tmp_path / "stars.fits").write_text("no map")
    with pytest.raises(ParameterError, match=r"unknown map file 'star\.fits': did you mean 'stars\.fits'"):
        read_templates(tmp_path, 16, declared={"star.fits": {"frame": "galactic"}})


def test_some_of_the_maps_keep_files_and_notes(template_dir):
    found = read_templates(template_dir, 16)
    some = found.select(["EBV"])
    assert isinstance(some, ReadConditions)
    np.testing.assert_array_equal(some.maps, [DEC])
    assert (some.sources, some.notes) == (found.sources, found.notes)


def test_real_maps_of_mixed_origin(real_data):
    """Stars NESTED without a word of it, seeing of a small field at fine resolution, and many columns of one file."""
    pytest.importorskip("healsparse")
    files = (
        "gaia_stardens_nside128_nested_equatorial.fits",
        "y3a2_i_mangle_4096_fwhm.hsp",
        "desi_lrg_decals_pixels_nside128.fits.gz",
    )
    told = {files[0]: {"ordering": "NESTED"}}
    found = read_templates([real_data / name for name in files], 64, frame="equatorial", declared=told)
    assert found.names[:4] == ("gaia_stardens", "y3a2_i_mangle_4096_fwhm", "STARDENS", "SGR_STREAM")
    assert len(found.names) == 2 + 11
    assert not {"RA", "DEC", "NGAL", "FRACAREA"} & set(found.names)
    # the same stars from two files of different form
    seen = usable(found.maps[2])
    assert np.corrcoef(found.maps[0][seen], found.maps[2][seen])[0, 1] > 0.9
    assert 1 <= usable(found.maps[1]).sum() <= 10
    assert "Columns RA, DEC, NGAL, FRACAREA are not taken for templates: " + files[2] + "." in found.notes
