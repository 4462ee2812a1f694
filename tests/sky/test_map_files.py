"""Files of maps of either format, and the observed fraction of pixels."""

import healpy as hp
import numpy as np
import pytest
from astropy.io import fits

from sysmap_core.errors import DataError, MissingDataError, ParameterError
from sysmap_core.sky.healpix_io import write_map
from sysmap_core.sky.healsparse_io import write_healsparse
from sysmap_core.sky.map_files import open_maps, read_coverage, read_coverage_map
from sysmap_core.sky.partial_sky import PartialMap, partial_map
from sysmap_core.sky.pixels import usable
from sysmap_core.sky.regrid import to_nside

NSIDE = 16

NPIX = hp.nside2npix(NSIDE)

RA, DEC = hp.pix2ang(NSIDE, np.arange(NPIX), lonlat=True)

FRACTION = np.where(DEC > 20, np.random.default_rng(0).uniform(0.2, 1.0, NPIX), 0.0)

RING = {"ORDERING": "RING", "COORDSYS": "C"}

SURVEY = {"quantity": "FRACAREA", "survey": "LS10"}


def table(path, columns, **cards):
    """Table with these columns by name, and cards."""
    forms = {"f": "D", "i": "K", "b": "L"}
    made = [fits.Column(name=n, format=forms[np.asarray(v).dtype.kind], array=v) for n, v in columns.items()]
    hdu = fits.BinTableHDU.from_columns(made)
    hdu.header.update(cards)
    hdu.writeto(path)
    return path


def test_a_file_says_what_it_is_whatever_its_ending(tmp_path):
    pytest.importorskip("healsparse")
    sparse = write_healsparse(tmp_path / "a.hsp", partial_map(FRACTION), **SURVEY).rename(tmp_path / "sparse.fits")
    plain = write_map(tmp_path / "a.fits", FRACTION, **SURVEY).rename(tmp_path / "plain.hsp")
    opened = open_maps(sparse), open_maps(plain)
    assert [one.sparse for one in opened] == [True, False]
    assert [one.columns for one in opened] == [(), ("FRACAREA",)]
    assert [one.ordering for one in opened] == ["NESTED", "RING"]
    assert [one.frame for one in opened] == ["equatorial", "equatorial"]
    for one in opened:
        np.testing.assert_array_equal(one.read().full_sky(), FRACTION)
    with pytest.raises(DataError, match="ordering='RING' contradicts the header, which says 'NESTED'"):
        opened[0].read(ordering="RING")
    with pytest.raises(MissingDataError, match=r"'.*no\.fits' does not exist"):
        open_maps(tmp_path / "no.fits")


def test_a_map_at_any_resolution(tmp_path):
    values = np.where(DEC < -60, hp.UNSEEN, RA)
    part = partial_map(values)
    for nside, kind in ((4, "mean"), (4, "sum"), (16, "mean"), (32, "mean"), (32, "sum")):
        np.testing.assert_allclose(part.at_nside(nside, kind), to_nside(values, nside, kind), rtol=1e-13)
    # the mean is that over the usable part of a pixel
    coarse = part.at_nside(4)
    edge = usable(coarse) & (to_nside(usable(values).astype(float), 4) < 1)
    assert edge.any()
    assert (coarse[edge] >= 0).all()


@pytest.mark.parametrize("nside", [4, 16, 64])
def test_coverage_of_any_format_is_the_same(tmp_path, nside):
    """Full sky, NESTED, a part of it without zeros, HealSparse, missing in place of zero."""
    pytest.importorskip("healsparse")
    some = np.flatnonzero(FRACTION)
    missing = np.where(FRACTION > 0, FRACTION, hp.UNSEEN)
    nested = hp.reorder(FRACTION, r2n=True)
    paths = [
        write_map(tmp_path / "full.fits", FRACTION, **SURVEY),
        write_map(tmp_path / "missing.fits.gz", missing, **SURVEY),
        table(tmp_path / "nested.fits", {"F": nested}, ORDERING="NESTED", COORDSYS="C"),
        table(tmp_path / "part.fits", {"HPXPIXEL": some, "NGAL": some, "FRACAREA": FRACTION[some]}, NSIDE=16, **RING),
        write_healsparse(tmp_path / "m.hsp", PartialMap(some, FRACTION[some], NSIDE), **SURVEY),
    ]
    for path in paths:
        np.testing.assert_allclose(read_coverage(path, nside), to_nside(FRACTION, nside), atol=1e-15)
    # an ordering for HEALPix maps is not meant for the last one
    np.testing.assert_array_equal(read_coverage(paths[-1], nside, ordering="RING"), read_coverage(paths[-1], nside))


def test_area_is_conserved_and_notes_say_what_was_done(tmp_path):
    path = write_map(tmp_path / "full.fits", FRACTION, **SURVEY)
    finer, same, coarser = (read_coverage_map(path, nside) for nside in (64, 16, 4))
    assert finer.notes == ("The observed fraction of full.fits has NSIDE 16 and is replicated to 64.",)
    assert same.notes == ()
    assert coarser.notes == (
        "The observed fraction of full.fits has NSIDE 16 and is averaged, missing pixels as zero, to 4.",
    )
    for one in (finer, same, coarser):
        assert one.fraction.mean() == pytest.approx(FRACTION.mean(), rel=1e-12)


def test_galactic_coverage_reaches_its_edge(tmp_path):
    """A part of the sky: what is missing is zero, and no pixel is lost for its neighbours."""
    some = np.flatnonzero(DEC > 20)
    cards = {"NSIDE": NSIDE, "ORDERING": "RING"}
    path = table(tmp_path / "g.fits", {"PIXEL": some, "MASK": np.ones(some.size)}, **cards)
    found = read_coverage(path, NSIDE, frame="galactic")
    latitude = hp.Rotator(coord=["C", "G"])(RA, DEC, lonlat=True)[1]
    assert found[latitude > 26].min() == pytest.approx(1.0)
    assert found[latitude < 14].max() == 0.0
    assert found.mean() == pytest.approx(some.size / NPIX, rel=0.02)


@pytest.mark.parametrize("made", ["bool", "integer", "float"])
def test_masks_are_coverage(tmp_path, made):
    mask = (DEC > 20).astype({"bool": bool, "integer": int, "float": float}[made])
    path = table(tmp_path / "m.fits", {"MASK": mask}, NSIDE=NSIDE, **RING)
    np.testing.assert_array_equal(read_coverage(path, NSIDE), DEC > 20)
    np.testing.assert_allclose(read_coverage(path, 4), to_nside((DEC > 20) * 1.0, 4))


def test_fractions_that_scatter_above_one(tmp_path):
    scattered = FRACTION.copy()
    scattered[:2] = (1.05, 1.02)
    path = write_map(tmp_path / "f.fits", scattered, **SURVEY)
    found = read_coverage_map(path, NSIDE)
    assert found.fraction.max() == 1.0
    assert found.notes == ("The observed fraction of f.fits exceeds one in 2 pixels by up to 0.05: one is taken.",)
    scattered[0] = 1.06
    with pytest.raises(
        DataError, match=r"g\.fits holds values from 0 to 1\.06: give a map of the observed fraction, f"
    ):
        read_coverage(write_map(tmp_path / "g.fits", scattered, **SURVEY), NSIDE)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            np.round(30 * FRACTION),
            r"holds whole numbers up to \d\d, it is a map of counts or depths: give a map of the o",
        ),
        (22 + FRACTION, r"holds values from 22 to 22\.\d+: give a map of the observed fraction"),
        (FRACTION - 0.5, r"holds values from -0\.5 to 0\.4\d+: give a map of the observed fraction"),
        (0 * FRACTION, "has no observed pixel: give a map of the observed fraction"),
        (np.full(NPIX, np.nan), "has no observed pixel"),
    ],
)
def test_maps_that_are_no_coverage(tmp_path, values, message):
    with pytest.raises(DataError, match=message):
        read_coverage(write_map(tmp_path / "f.fits", values, **SURVEY), NSIDE)


def test_which_column_is_the_coverage(tmp_path):
    columns = {"RA": RA, "DEC": DEC, "FRACAREA_12290": FRACTION, "EBV": RA}
    path = table(tmp_path / "p.fits", columns, NSIDE=NSIDE, **RING)
    np.testing.assert_array_equal(read_coverage(path, NSIDE), FRACTION)
    path = table(tmp_path / "q.fits", {"RA": RA, "DEC": DEC, "F_OBS": FRACTION}, NSIDE=NSIDE, **RING)
    np.testing.assert_array_equal(read_coverage(path, NSIDE), FRACTION)
    path = table(tmp_path / "r.fits", {"RA": RA, "F_OBS": FRACTION, "EBV": RA}, NSIDE=NSIDE, **RING)
    with pytest.raises(DataError, match=r"r\.fits has columns F_OBS, EBV: say which is the observed fraction with col"):
        read_coverage(path, NSIDE)
    np.testing.assert_array_equal(read_coverage(path, NSIDE, column="f_obs"), FRACTION)
    with pytest.raises(ParameterError, match="column 'MASK' not found: the table has RA, F_OBS, EBV"):
        read_coverage(path, NSIDE, column="MASK")


def test_coverage_says_what_it_is(tmp_path):
    path = table(tmp_path / "bare.fits", {"F": hp.reorder(FRACTION, r2n=True)})
    with pytest.raises(DataError, match="ordering of the pixels is not in the header"):
        read_coverage(path, NSIDE)
    np.testing.assert_array_equal(read_coverage(path, NSIDE, ordering="NESTED", frame="equatorial"), FRACTION)
    with pytest.raises(ParameterError, match="nside is 100: give a power of two"):
        read_coverage(path, 100)


def test_real_maps(real_data):
    pytest.importorskip("healsparse")
    counts = real_data / "desi_lrg_decals_counts_nside256.fits.gz"
    fraction = fits.getdata(counts)["FRACAREA"]
    assert read_coverage(counts, 64).sum() * 16 == pytest.approx(fraction.sum(), rel=1e-6)
    with pytest.raises(DataError, match=r"holds whole numbers up to \d+, it is a map of counts or depths"):
        read_coverage(counts, 64, column="NGAL")
    seeing = real_data / "y3a2_i_mangle_4096_fwhm.hsp"
    with pytest.raises(DataError, match=r"fwhm\.hsp holds values from .*: give a map of the observed fraction"):
        read_coverage(seeing, 64, frame="equatorial")
