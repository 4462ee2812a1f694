"""How surveys name the columns of their catalogues.

Names are compared in any case.  Those that come first are preferred.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from ..errors import DataError, ParameterError, unknown_name

POSITIONS = (
    ("RA", "DEC"),
    ("TARGET_RA", "TARGET_DEC"),
    ("ALPHAWIN_J2000", "DELTAWIN_J2000"),
    ("ALPHA_J2000", "DELTA_J2000"),
    ("RAJ2000", "DECJ2000"),
    ("RAJ2000", "DEJ2000"),
    ("_RAJ2000", "_DEJ2000"),
    ("RA_J2000", "DEC_J2000"),
    ("RA2000", "DEC2000"),
    ("RA_ICRS", "DEC_ICRS"),
    ("RA_ICRS", "DE_ICRS"),
    ("RIGHT_ASCENSION", "DECLINATION"),
    ("COORD_RA", "COORD_DEC"),
    ("RAMEAN", "DECMEAN"),
    ("RASTACK", "DECSTACK"),
    ("RA_DEG", "DEC_DEG"),
    ("RA_GAL", "DEC_GAL"),
)
"""Right ascension and declination, those of one habit together.

Positions of a counterpart in another catalogue, such as RA_GAIA, are left out: they are not those of the object.
"""

REDSHIFTS = (
    "Z",
    "REDSHIFT",
    "Z_SPEC",
    "ZSPEC",
    "Z_PHOT",
    "ZPHOT",
    "PHOTOZ",
    "PHOTO_Z",
    "Z_B",
    "ZREDMAGIC",
    "Z_MEAN",
    "ZMEAN",
    "Z_PHOT_MEAN",
    "DNF_Z",
    "Z_COSMO",
    "REDSHIFT_COSMO",
    "Z_CGAL",
    "Z_TRUE",
)
"""Redshift."""

IDENTIFIERS = (
    "TARGETID",
    "COADD_OBJECT_ID",
    "COADD_OBJECTS_ID",
    "OBJECT_ID",
    "OBJECTID",
    "OBJID",
    "OBJ_ID",
    "SOURCE_ID",
    "SOURCEID",
    "UNIQUE_GAL_ID",
    "GALAXY_ID",
    "SPECOBJID",
    "LS_ID",
    "SEQNR",
    "ID",
)
"""What an object is called."""

MAX_NAMES = 20
"""Most names that a message lists."""


def checked_names(argument: str, names: Sequence[str]) -> tuple[str, ...]:
    """Names of columns in an argument.

    Parameters
    ----------
    argument : str
        What it is called.
    names : sequence of str
        What came.

    Returns
    -------
    tuple of str
        The names.

    Raises
    ------
    ParameterError
        When it is a single text, whose letters would be taken for names.
    """
    if isinstance(names, str):
        msg = f"{argument} is {names!r}: give a list of names, such as [{names!r}]"
        raise ParameterError(msg)
    return tuple(names)


def has_columns(names: Iterable[str], wanted: Iterable[str]) -> bool:
    """Whether a table has columns, in any case.

    Parameters
    ----------
    names : iterable of str
        Columns there are.
    wanted : iterable of str
        Those wanted.

    Returns
    -------
    bool
        Whether all are there.
    """
    return {str(name).lower() for name in wanted} <= {name.lower() for name in names}


def shortened(names: Sequence[str]) -> str:
    """Names for a message, which may be many.

    Parameters
    ----------
    names : sequence of str
        All of them.

    Returns
    -------
    str
        The first :data:`MAX_NAMES`, and how many more there are.
    """
    more = f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else ""
    return ", ".join(names[:MAX_NAMES]) + more


def named_column(names: Iterable[str], wanted: str, path: str | Path) -> str:
    """Column of a name in any case.

    Parameters
    ----------
    names : iterable of str
        Columns there are.
    wanted : str
        The one wanted.
    path : str or Path
        The file, for messages.

    Returns
    -------
    str
        One of ``names``.

    Raises
    ------
    DataError
        When several differ only by their case, and none is the same.
    ParameterError
        When there is none.
    """
    names = list(names)
    if wanted in names:
        return wanted
    found = [name for name in names if name.lower() == str(wanted).lower()]
    if len(found) > 1:
        msg = f"{path} has columns {' and '.join(found)} and none is {wanted}: give the name in the case of the file"
        raise DataError(msg)
    if not found:
        raise unknown_name(f"column of {path}", wanted, names)
    return found[0]


def find_positions(names: Iterable[str]) -> list[tuple[str, str]]:
    """Columns of right ascension and declination.

    Parameters
    ----------
    names : iterable of str
        Columns of a table.

    Returns
    -------
    list of tuple of str
        Pairs of one habit, preferred ones first; several where a table has positions of several kinds, or where names
        differ only by their case.

    Examples
    --------
    >>> find_positions(["ra", "DELTA_J2000", "ALPHA_J2000", "Dec"])
    [('ra', 'Dec'), ('ALPHA_J2000', 'DELTA_J2000')]
    """
    names = list(names)
    pairs = [(a, d) for ra, dec in POSITIONS for a in _same(names, ra) for d in _same(names, dec)]
    alike = [pair for pair in pairs if _style(pair[0]) == _style(pair[1])]
    # Ra goes with Dec as ra goes with dec, where both are there
    return [p for p in pairs if p in alike or not any(p[0] in other or p[1] in other for other in alike)]


def find_redshift(names: Iterable[str], path: str | Path) -> str:
    """Column of the redshift.

    Parameters
    ----------
    names : iterable of str
        Columns of a table.
    path : str or Path
        The file, for messages.

    Returns
    -------
    str
        The only one that has a name of a redshift.

    Raises
    ------
    DataError
        When there is none, or several: spectroscopic and photometric ones are not the same.

    Examples
    --------
    >>> find_redshift(["RA", "DEC", "Z_PHOT"], "galaxies.fits")
    'Z_PHOT'
    """
    names = list(names)
    found = [name for habit in REDSHIFTS for name in _same(names, habit)]
    if len(found) != 1:
        has = f"columns {', '.join(found)} that may be the redshift" if found else "no column of a known redshift"
        there = "" if found else f", it has {shortened(names)}"
        msg = f"{path} has {has}{there}: name the one that is meant"
        raise DataError(msg)
    return found[0]


def find_identifier(names: Iterable[str]) -> str | None:
    """Column of what an object is called.

    Parameters
    ----------
    names : iterable of str
        Columns of a table.

    Returns
    -------
    str or None
        The preferred one; None where no name is known.

    Examples
    --------
    >>> find_identifier(["ID", "objectId", "ra", "dec"])
    'objectId'
    """
    names = list(names)
    return next((name for habit in IDENTIFIERS for name in _same(names, habit)), None)


def find_weights(names: Iterable[str]) -> list[str]:
    """Columns of weights.

    Parameters
    ----------
    names : iterable of str
        Columns of a table.

    Returns
    -------
    list of str
        Those called W, or starting with WEIGHT, in their order.

    Examples
    --------
    >>> find_weights(["RA", "DEC", "WEIGHT_COMP", "weight_zfail", "w"])
    ['WEIGHT_COMP', 'weight_zfail', 'w']
    """
    return [name for name in names if name.upper() == "W" or name.upper().startswith("WEIGHT")]


def _same(names: Sequence[str], habit: str) -> list[str]:
    return [name for name in names if name.upper() == habit]


def _style(name: str) -> str:
    """How the letters of a name are written."""
    return next((s for s in ("isupper", "islower", "istitle") if getattr(name, s)()), "mixed")
