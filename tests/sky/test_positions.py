"""Positions: each unit comes back as degrees, and what is not clear or not possible is said."""

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import Angle
from astropy.table import Column, MaskedColumn, Table

from sysmap_core.errors import DataError, ParameterError
from sysmap_core.sky.positions import looks_like_radians, positions

RA = np.array([0.0, 359.875, 12.5, 187.5])

DEC = np.array([-60.0, 10.25, 33.0, -0.5])

PAIR = [("RA", "DEC")]


def table(ra, dec, units=(None, None), names=PAIR[0]):
    columns = [Column(np.asarray(values), name=name) for name, values in zip(names, (ra, dec), strict=True)]
    for column, unit in zip(columns, units, strict=True):
        column.unit = None if unit is None else u.Unit(unit, parse_strict="silent")
    return Table(columns)


def words(values, unit, sep):
    return Angle(values, u.deg).to_string(unit=unit, sep=sep, precision=6)


def check(found):
    np.testing.assert_allclose(found[0], RA, atol=1e-9)
    np.testing.assert_allclose(found[1], DEC, atol=1e-9)


RAD = np.pi / 180

NUMBERS = [
    (1, 1, None, None),
    (1, 1, "deg", "deg"),
    (1, 1, "degrees", "Degree"),
    (1, 1, "Angle[deg]", "'deg'"),
    (RAD, RAD, "rad", "radian"),
    (1 / 15, 1, "h", "deg"),
    (1 / 15, 1, "hourangle", None),
    (1 / 15, 1, "HR", "deg"),
    (60, 60, "arcmin", "arcmin"),
    (3600, 3600, "arcsec", "arcsec"),
    (3.6e6, 3600, "mas", "arcsec"),
    (RAD, 1, "rad", "deg"),
]


@pytest.mark.parametrize(("of_ra", "of_dec", "ra_unit", "dec_unit"), NUMBERS)
def test_units_of_the_file_are_obeyed(of_ra, of_dec, ra_unit, dec_unit):
    check(positions(table(RA * of_ra, DEC * of_dec, (ra_unit, dec_unit)), PAIR, "c"))


@pytest.mark.parametrize(("unit", "of_ra", "of_dec"), [("deg", 1, 1), ("rad", RAD, RAD), ("hourangle", 1 / 15, 1)])
def test_units_can_be_declared(unit, of_ra, of_dec):
    check(positions(table(RA * of_ra, DEC * of_dec), PAIR, "c", unit))


TEXT = [
    (words(RA, u.hourangle, ":"), words(DEC, u.deg, ":"), ("h:m:s", "d:m:s"), None),
    (words(RA, u.hourangle, ":"), words(DEC, u.deg, " "), ('"h:m:s"', '"d:m:s"'), None),
    (words(RA, u.hourangle, " "), words(DEC, u.deg, ":"), ("hours", "deg"), None),
    (words(RA, u.deg, ":"), words(DEC, u.deg, ":"), ("deg", "deg"), None),
    (words(RA, u.hourangle, "hms"), words(DEC, u.deg, "dms"), (None, None), None),
    (words(RA, u.deg, "dms"), words(DEC, u.deg, "dms"), (None, None), None),
    (words(RA, u.hourangle, ":"), words(DEC, u.deg, ":"), (None, None), "hourangle"),
    (words(RA, u.hourangle, "hms"), DEC, (None, "deg"), None),
    (words(RA, u.hourangle, "hms"), words(DEC, u.deg, ":"), ("deg", "deg"), None),
]


@pytest.mark.parametrize(("ra", "dec", "units", "declared"), TEXT)
def test_sexagesimal_text(ra, dec, units, declared):
    check(positions(table(ra, dec, units), PAIR, "c", declared))


def test_right_ascensions_go_from_0_to_below_360():
    ra, _ = positions(table([-180.0, -1e-18, -0.125, 360.0, 0.0], [0.0] * 5), PAIR, "c")
    assert ra.tolist() == [180.0, 0.0, 359.875, 0.0, 0.0]
    given = np.random.default_rng(1).uniform(0, 360, 1000)
    np.testing.assert_array_equal(positions(table(given, np.zeros(1000)), PAIR, "c")[0], given)


BAD = [
    (["1:2:3"] * 4, DEC, (None, None), None, "column RA is text such as '1:2:3' without a unit: declare it with posi"),
    (["1.5"] * 4, DEC, (None, None), None, "column RA is text such as '1.5' without a unit: declare it with position_"),
    (
        ["abc"] * 4,
        DEC,
        ("deg", "deg"),
        None,
        r"column RA holds text that is no angle \(.+\): write 12:34:56\.7 or 12h34",
    ),
    (RA, DEC, ("km", None), None, "column RA is in 'km': give positions in degrees, radians or hours"),
    (RA, DEC, ("h:m:s", None), None, "column RA is in 'h:m:s': give positions in degrees, radians or hours"),
    (RA, DEC, ("deg", "hour"), None, "column DEC is a declination in hours: give it in degrees"),
    (RA, DEC, ("deg", "deg"), "rad", "position_unit='rad' contradicts column RA, which is in deg: leave position_unit"),
    (RA, DEC, (None, "rad"), "hourangle", "position_unit='hourangle' contradicts column DEC, which is in rad: leave"),
    (RA * RAD, DEC * RAD, (None, "rad"), None, "only one of the columns RA and DEC has a unit, rad: declare it with"),
    (np.ones((4, 3)), DEC, (None, None), None, r"column RA has \(3,\) values in a row: give one number per row"),
    (RA, DEC > 0, (None, None), None, "column DEC holds no numbers: give positions in degrees"),
    ([], [], (None, None), None, "c has no rows: give a catalogue with a row per object"),
]


@pytest.mark.parametrize(("ra", "dec", "units", "declared", "message"), BAD)
def test_columns_that_are_no_clear_angles(ra, dec, units, declared, message):
    with pytest.raises(DataError, match=message):
        positions(table(ra, dec, units), PAIR, "c", declared)


def test_a_unit_that_is_not_known():
    with pytest.raises(ParameterError, match="unknown position_unit 'degree': did you mean 'deg'"):
        positions(table(RA, DEC), PAIR, "c", "degree")


def test_positions_that_cannot_be_used_are_counted():
    message = (
        "c: 6 of 8 positions in RA and DEC cannot be used, 2 not finite, 2 with |Dec| above 90, 2 with RA outside "
        "-180 to 360: correct or remove these rows"
    )
    with pytest.raises(DataError) as info:
        positions(table([0, np.nan, 1, 2, 2, 400, -999, 3], [0, 0, np.inf, 91, -99, 0, 0, 90]), PAIR, "c")
    assert str(info.value) == message


def test_masked_positions_and_empty_text_are_missing():
    masked = Table({"RA": MaskedColumn(RA, mask=[0, 1, 0, 0]), "DEC": DEC})
    with pytest.raises(DataError, match="1 of 4 positions in RA and DEC cannot be used, 1 not finite: correct or"):
        positions(masked, PAIR, "c")
    text = Table({"RA": MaskedColumn(["1h", "", " ", "2h"], mask=[0, 0, 0, 1]), "DEC": DEC})
    with pytest.raises(DataError, match="3 of 4 positions in RA and DEC cannot be used, 3 not finite"):
        positions(text, PAIR, "c")


def sphere(seed, size=2000):
    rng = np.random.default_rng(seed)
    return rng.uniform(0, 2 * np.pi, size), np.arcsin(rng.uniform(-0.7, 0.9, size))


@pytest.mark.parametrize("turned", [0.0, np.pi])
def test_radians_of_a_wide_survey_are_refused_without_a_unit(turned):
    ra, dec = sphere(1)
    with pytest.raises(DataError, match=r"c: RA reaches from .* to .* and DEC from .*, which looks like radians: decl"):
        positions(table(ra - turned, dec), PAIR, "c")
    as_declared = positions(table(ra - turned, dec), PAIR, "c", "rad")
    np.testing.assert_allclose(as_declared[0], np.degrees(ra - turned) % 360)
    np.testing.assert_allclose(as_declared[1], np.degrees(dec))
    # in degrees it is a field of 6.3 by 1.9 deg, if somebody says so
    assert len(positions(table(ra, dec), PAIR, "c", "deg")[0]) == 2000
    assert len(positions(table(ra, dec, ("deg", "deg")), PAIR, "c")[0]) == 2000


@pytest.mark.parametrize(
    ("ra", "dec"),
    [
        ((0.0, 2.0), (-1.0, 1.0)),  # a field at RA 1
        ((0.0, 5.0), (-1.25, 1.25)),  # a part of an equatorial stripe
        ((0.0, 6.0), (0.0, 0.9)),
        ((0.0, 7.0), (-1.25, 1.25)),
        ((-3.5, 2.5), (-1.25, 1.25)),
        ((0.0, 6.2), (0.0, 1.7)),
    ],
)
def test_small_fields_near_the_origin_pass(ra, dec):
    rng = np.random.default_rng(2)
    edges = np.array([[*ra], [*dec]])
    points = rng.uniform(edges[:, :1], edges[:, 1:], (2, 500))
    points[:, :2] = edges
    assert not looks_like_radians(*points)


def test_few_objects_say_nothing_about_their_unit():
    ra, dec = sphere(3, 150)
    assert looks_like_radians(ra, dec)
    assert not looks_like_radians(ra[:99], dec[:99])


def two_pairs(shift_ra=0.0, shift_dec=0.0, unit="rad"):
    made = table(RA, DEC)
    for name, values in (("COORD_RA", RA + shift_ra), ("COORD_DEC", DEC + shift_dec)):
        made[name] = Column(values * u.deg.to(unit), unit=unit)
    return made


BOTH = [*PAIR, ("COORD_RA", "COORD_DEC")]


def test_pairs_that_agree():
    # 1.5 arcsec of right ascension are less on the sky at this declination
    shift = np.array([1.5, 0, 0, 0]) / 3600
    check(positions(two_pairs(shift), BOTH, "c"))
    around = two_pairs()
    around["COORD_RA"][0] = 2 * np.pi
    check(positions(around, BOTH, "c"))


@pytest.mark.parametrize("which", ["shift_ra", "shift_dec"])
def test_pairs_that_disagree(which):
    shift = np.array([0, 0, 0, 1.5]) / 3600
    message = (
        r"c: positions in RA, DEC and in COORD_RA, COORD_DEC differ in 1 of 4 rows, by up to 1\.5 arcsec: "
        "say with ra_column and dec_column which ones are meant"
    )
    with pytest.raises(DataError, match=message):
        positions(two_pairs(**{which: shift}), BOTH, "c")


def test_where_the_second_position_is_missing_the_first_is_taken():
    made = two_pairs()
    made["COORD_RA"][2] = np.nan
    check(positions(made, BOTH, "c"))
