"""Positions in the columns of a catalogue, in degrees: units that are declared, and never guessed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from astropy import units as u
from astropy.coordinates import Angle
from astropy.table import Column, Table

from ..errors import DataError, unknown_name

POSITION_UNITS = {"deg": (u.deg, u.deg), "rad": (u.rad, u.rad), "hourangle": (u.hourangle, u.deg)}
"""Units that can be declared, those of right ascension and declination."""

AGREEMENT_ARCSEC = 1.0
"""Largest distance between two positions of one object in a file."""

MIN_OBJECTS = 100
"""Fewest objects whose spread says something about their unit."""

_WORDS = {
    u.deg: ("deg", "degs", "degree", "degrees", "d:m:s", "dms", "dd:mm:ss", "dd:mm:ss.s"),
    u.rad: ("rad", "radian", "radians"),
    u.hourangle: ("hourangle", "h", "hr", "hrs", "hour", "hours", "h:m:s", "hms", "hh:mm:ss", "hh:mm:ss.s"),
    u.arcmin: ("arcmin", "arcminute", "arcminutes"),
    u.arcsec: ("arcsec", "arcsecond", "arcseconds"),
    u.mas: ("mas",),
}

_HOW = "declare it with position_unit='deg', 'rad' or 'hourangle'"


def positions(
    table: Table, pairs: Sequence[tuple[str, str]], path: str | Path, position_unit: str | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Equatorial positions of the objects of a table.

    Parameters
    ----------
    table : astropy.table.Table
        Columns with their units.
    pairs : sequence of tuple of str
        Columns of right ascension and declination.  The first pair is taken, others have to agree with it.
    path : str or Path
        The file, for messages.
    position_unit : {"deg", "rad", "hourangle"}, optional
        Unit of columns that have none; with ``"hourangle"`` it is that of right ascension, and declination is in
        degrees.

    Returns
    -------
    ra, dec : ndarray, shape (n_obj,)
        Equatorial coordinates [deg], right ascension from 0 to below 360.

    Raises
    ------
    DataError
        When there are no objects, a column holds no angles, its unit is not known or contradicts ``position_unit``,
        positions are missing, impossible or look like radians, or pairs of columns disagree.
    ParameterError
        When ``position_unit`` is not a known one.
    """
    if position_unit is not None and position_unit not in POSITION_UNITS:
        raise unknown_name("position_unit", position_unit, POSITION_UNITS)
    if not len(table):
        msg = f"{path} has no rows: give a catalogue with a row per object"
        raise DataError(msg)
    (ra, dec), *others = [_degrees(table, pair, path, position_unit) for pair in pairs]
    _check_possible(ra, dec, pairs[0], path)
    for pair, other in zip(pairs[1:], others, strict=True):
        _check_agreement((ra, dec), other, (pairs[0], pair), path)
    return wrapped(ra), dec


def wrapped(ra: np.ndarray) -> np.ndarray:
    """Right ascensions once around.

    Parameters
    ----------
    ra : ndarray, shape (n_obj,)
        Right ascensions [deg].

    Returns
    -------
    ndarray, shape (n_obj,)
        From 0 to below 360 [deg]; those that are there already do not change.
    """
    # minus a rounding error becomes 360 at first
    return np.mod(np.mod(ra, 360.0), 360.0)


def looks_like_radians(ra: np.ndarray, dec: np.ndarray) -> bool:
    """Whether numbers that should be degrees fill the sky in radians.

    Parameters
    ----------
    ra, dec : ndarray, shape (n_obj,)
        Positions without a unit.

    Returns
    -------
    bool
        True where there are at least :data:`MIN_OBJECTS`, all within -pi to 2 pi and -pi/2 to pi/2, and they reach
        over more than 5.5 in right ascension and 1 in declination.

    Notes
    -----
    In radians this is a survey around most of the sky.  In degrees it would be a field of at least 5.5 by 1 deg that
    begins and ends within the 9.4 by 3.1 deg around RA 1.6, Dec 0.  Radians of a smaller part of the sky cannot be told
    from a field there, and pass.
    """
    inside = np.min(ra) >= -np.pi and np.max(ra) <= 2 * np.pi and np.max(np.abs(dec)) <= np.pi / 2
    return bool(len(ra) >= MIN_OBJECTS and inside and np.ptp(ra) > 5.5 and np.ptp(dec) > 1)


def _degrees(
    table: Table, pair: tuple[str, str], path: str | Path, position_unit: str | None
) -> tuple[np.ndarray, np.ndarray]:
    """Positions [deg] of a pair of columns, NaN where they are missing."""
    given = [_declared(table[name], path) for name in pair]
    if given[1] is u.hourangle:
        msg = f"{path}: column {pair[1]} is a declination in hours: give it in degrees"
        raise DataError(msg)
    asked = POSITION_UNITS.get(position_unit, (None, None))
    for name, unit, wanted in zip(pair, given, asked, strict=True):
        if unit and wanted and unit is not wanted:
            msg = (
                f"{path}: position_unit={position_unit!r} contradicts column {name}, which is in {unit}: "
                "leave position_unit out, or correct the unit in the file if it is wrong"
            )
            raise DataError(msg)
    units = [unit or wanted for unit, wanted in zip(given, asked, strict=True)]
    if units.count(None) == 1 and u.rad in units:
        msg = f"{path}: only one of the columns {pair[0]} and {pair[1]} has a unit, rad: {_HOW}"
        raise DataError(msg)
    ra, dec = (_angles(table[name], unit, path) for name, unit in zip(pair, units, strict=True))
    numbers = all(table[name].dtype.kind != "U" for name in pair)
    if numbers and not any(units) and np.isfinite(ra + dec).all() and looks_like_radians(ra, dec):
        msg = (
            f"{path}: {pair[0]} reaches from {ra.min():.3f} to {ra.max():.3f} and {pair[1]} from {dec.min():.3f} to "
            f"{dec.max():.3f} without a unit, which looks like radians: {_HOW}"
        )
        raise DataError(msg)
    return ra, dec


def _declared(column: Column, path: str | Path) -> u.UnitBase | None:
    """Unit of a column; None where it has none."""
    word = str(column.unit or "").strip(" '\"").lower()
    if not word:
        return None
    # as columns of angles are written by the Euclid and Gaia archives
    word = word.removeprefix("angle[").removesuffix("]")
    unit = next((unit for unit, words in _WORDS.items() if word in words), None)
    # hours, minutes and seconds are written as text
    if unit is None or (":" in word and column.dtype.kind != "U"):
        msg = f"{path}: column {column.name} is in {str(column.unit)!r}: give positions in degrees, radians or hours"
        raise DataError(msg)
    return unit


def _angles(column: Column, unit: u.UnitBase | None, path: str | Path) -> np.ndarray:
    if column.ndim != 1:
        msg = f"{path}: column {column.name} has {column.shape[1:]} values in a row: give one number per row"
        raise DataError(msg)
    if column.dtype.kind == "U":
        return _parsed(column, unit, path)
    if column.dtype.kind not in "iuf":
        msg = f"{path}: column {column.name} holds no numbers: give positions in degrees"
        raise DataError(msg)
    values = np.array(column, float)
    values[np.ma.getmaskarray(column)] = np.nan
    values *= (unit or u.deg).to(u.deg)
    return values


def _parsed(column: Column, unit: u.UnitBase | None, path: str | Path) -> np.ndarray:
    """Sexagesimal text; what is hours and what degrees has to be said by the unit or by its letters."""
    words = np.char.strip(np.asarray(np.ma.filled(column, ""), str))
    there = words != ""
    values = np.full(len(words), np.nan)
    try:
        values[there] = Angle(list(words[there]), unit=unit).to_value(u.deg) if there.any() else np.nan
    except u.UnitsError:
        msg = f"{path}: column {column.name} is text such as {str(words[there][0])!r} without a unit: {_HOW}"
        raise DataError(msg) from None
    except (ValueError, TypeError) as error:
        msg = f"{path}: column {column.name} holds text that is no angle ({error}): write 12:34:56.7 or 12h34m56.7s"
        raise DataError(msg) from None
    return values


def _check_possible(ra: np.ndarray, dec: np.ndarray, pair: tuple[str, str], path: str | Path) -> None:
    missing = ~np.isfinite(ra + dec)
    beyond = ~missing & (np.abs(dec) > 90)
    outside = ~missing & ~beyond & ((ra < -180) | (ra > 360))
    kinds = {"not finite": missing, "with |Dec| above 90": beyond, "with RA outside -180 to 360": outside}
    bad = [f"{rows.sum()} {kind}" for kind, rows in kinds.items() if rows.any()]
    if bad:
        msg = (
            f"{path}: {(missing | beyond | outside).sum()} of {len(ra)} positions in {pair[0]} and {pair[1]} cannot be "
            f"used, {', '.join(bad)}: correct or remove these rows"
        )
        raise DataError(msg)


def _check_agreement(
    first: tuple[np.ndarray, np.ndarray], other: tuple[np.ndarray, np.ndarray], pairs: Sequence, path: str | Path
) -> None:
    """Refuse two positions of an object; where the second one is missing, there is only one."""
    distance = _separation(*map(np.radians, (*first, *other)))
    apart = distance > np.radians(AGREEMENT_ARCSEC / 3600)
    if apart.any():
        names = [f"{ra}, {dec}" for ra, dec in pairs]
        arcsec = np.degrees(distance[apart].max()) * 3600
        msg = (
            f"{path}: positions in {names[0]} and in {names[1]} differ in {apart.sum()} of {len(apart)} rows, by up to "
            f"{arcsec:.3g} arcsec: say with ra_column and dec_column which ones are meant"
        )
        raise DataError(msg)


def _separation(ra1: np.ndarray, dec1: np.ndarray, ra2: np.ndarray, dec2: np.ndarray) -> np.ndarray:
    """Angular distance [rad], exact for small ones."""
    square = np.sin((dec2 - dec1) / 2) ** 2 + np.cos(dec1) * np.cos(dec2) * np.sin((ra2 - ra1) / 2) ** 2
    return 2 * np.arcsin(np.sqrt(np.clip(square, 0, 1)))
