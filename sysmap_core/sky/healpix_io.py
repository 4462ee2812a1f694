"""HEALPix maps in files: reading as RING equatorial, and writing.

A map file often does not say how its pixels are ordered or which sky frame they are in.
Nothing is guessed here: what the header leaves open has to be declared by the caller.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import healpy as hp
import numpy as np
from astropy.io import fits

from ..errors import DataError, unknown_name
from ..files import replacing
from .map_tables import MapTable, map_table
from .partial_sky import PartialMap, partial_map
from .pixels import usable
from .regrid import galactic_to_equatorial

ORDERINGS = ("RING", "NESTED")

FRAMES = ("equatorial", "galactic")

_FRAME_WORDS = {
    "equatorial": ("C", "Q", "EQU", "EQUATORIAL", "CEL", "CELESTIAL", "ICRS", "FK5", "J2000"),
    "galactic": ("G", "GAL", "GALACTIC"),
}

_HOW = {
    "ordering": "declare it with ordering='RING' or 'NESTED' (template_ordering of a sample)",
    "frame": "declare it with frame='equatorial' or 'galactic' (template_frame of a sample)",
}


def read_map(
    path: str | Path, *, ordering: str | None = None, frame: str | None = None, column: int | str = 0
) -> np.ndarray:
    """Read a HEALPix map as a full-sky map, RING, equatorial.

    Parameters
    ----------
    path : str or Path
        FITS file with a binary table: one value per pixel, or pixel indices and values.
    ordering : {"RING", "NESTED"}, optional
        Pixel ordering of the file.  Needed when its header has no ORDERING card.
    frame : {"equatorial", "galactic"}, optional
        Sky frame of the file.  Needed when its header has no COORDSYS card.
    column : int or str
        Which map: name of a column of any table of the file, or position among the columns of the first table that
        hold numbers.  A column of pixel indices is not counted; it is known by its name, and else by what it holds.

    Returns
    -------
    ndarray, shape (12 nside^2,)
        Map values in the file's unit and at its resolution, UNSEEN where they are missing.

    Raises
    ------
    MissingDataError
        When there is no such file.
    DataError
        When ordering or frame is not declared, is declared in contradiction to the header,
        or the table is no HEALPix map but a catalogue, or holds the numbers of its pixels only.
    ParameterError
        When ordering, frame or column is not a known one.

    Notes
    -----
    A Galactic map is evaluated at the equatorial pixel centres, see
    :func:`~.galactic_to_equatorial`.
    """
    return equatorial(map_table(path, column), column, ordering=ordering, frame=frame).full_sky()


def write_map(
    path: str | Path,
    values: np.ndarray,
    *,
    quantity: str,
    survey: str,
    aggregation: str = "mean",
    cards: Mapping[str, object] | None = None,
) -> Path:
    """Write a full-sky RING equatorial map, under a temporary name until it is complete.

    Parameters
    ----------
    path : str or Path
        File to write or replace.
    values : ndarray, shape (12 nside^2,)
        Map, RING, equatorial; NaN is written as UNSEEN.
    quantity, survey : str
        What the map holds, and which survey it comes from (QUANTITY and SURVEY).
    aggregation : str
        How objects became pixel values, e.g. ``"mean"`` or ``"count"`` (AGGR).
    cards : mapping, optional
        Further header cards.

    Returns
    -------
    Path
        The file.
    """
    values = np.where(usable(values), values, hp.UNSEEN)
    table = fits.BinTableHDU.from_columns([fits.Column(name=quantity, format="D", array=values)])
    table.header.update(
        PIXTYPE="HEALPIX",
        ORDERING="RING",
        COORDSYS="C",
        NSIDE=hp.npix2nside(values.size),
        INDXSCHM="IMPLICIT",
        SURVEY=survey,
        QUANTITY=quantity,
        AGGR=aggregation,
    )
    table.header.update(cards or {})
    with replacing(path) as partial:
        fits.HDUList([fits.PrimaryHDU(), table]).writeto(partial, overwrite=True)
    return Path(path)


def equatorial(
    table: MapTable,
    column: int | str | None,
    *,
    ordering: str | None = None,
    frame: str | None = None,
    fill: float = hp.UNSEEN,
) -> PartialMap:
    """One map of a table, RING, equatorial.

    Parameters
    ----------
    table : MapTable
        The table.
    column : int, str or None
        Which map, as in :func:`read_map`; None for the only one.
    ordering, frame : str, optional
        As in :func:`read_map`.
    fill : float
        What a Galactic map has where it has no value: by default it is missing, and so is every pixel that touches it.

    Returns
    -------
    PartialMap
        Where the map has values.

    Raises
    ------
    DataError, ParameterError
        As :func:`read_map`.
    """
    ordering = declared("ordering", ordering, header_ordering(table.header, table.path), table.path)
    frame = declared("frame", frame, header_frame(table.header, table.path), table.path)
    found = table.partial(column, ordering)
    if frame == "equatorial":
        return found
    values = found.full_sky()
    return partial_map(galactic_to_equatorial(np.where(usable(values), values, fill)), found.header)


def declared(kind: str, argument: str | None, card: str | None, path: str | Path) -> str:
    """Ordering or frame of a file, from what the user and its header say of it.

    Parameters
    ----------
    kind : {"ordering", "frame"}
        What it is about.
    argument : str, optional
        What the user says, in any case.
    card : str, optional
        What the header says.
    path : str or Path
        The file, for messages.

    Returns
    -------
    str
        Member of :data:`ORDERINGS` or :data:`FRAMES`.

    Raises
    ------
    ParameterError
        When there is no such ordering or frame.
    DataError
        When the two contradict one another, or neither says anything: nothing is guessed.
    """
    known = ORDERINGS if kind == "ordering" else FRAMES
    if argument:
        folded = {k.lower(): k for k in known}
        if argument.lower() not in folded:
            raise unknown_name(kind, argument, known)
        argument = folded[argument.lower()]
        if card and card != argument:
            msg = (
                f"{path}: {kind}={argument!r} contradicts the header, which says {card!r}: "
                f"leave {kind} out, or correct the header if it is wrong"
            )
            raise DataError(msg)
    if not (argument or card):
        msg = f"{path}: the {kind} of the pixels is not in the header: {_HOW[kind]}"
        raise DataError(msg)
    return argument or card


def header_ordering(header: Mapping[str, object], path: str | Path) -> str | None:
    """Ordering of the pixels that a header declares.

    Parameters
    ----------
    header : mapping
        Header with ORDERING or HPXNEST, or without.
    path : str or Path
        The file, for messages.

    Returns
    -------
    str or None
        Member of :data:`ORDERINGS`; None where the header does not say.

    Raises
    ------
    DataError
        For another ordering.
    """
    if "ORDERING" not in header:
        # the table convention of astropy-healpix and healsparse
        return None if "HPXNEST" not in header else ORDERINGS[bool(header["HPXNEST"])]
    word = str(header["ORDERING"]).strip().upper()
    found = {"RING": "RING", "NEST": "NESTED", "NESTED": "NESTED"}.get(word)
    if word and found is None:
        msg = f"{path}: ORDERING is {word!r}: only RING and NESTED can be read"
        raise DataError(msg)
    return found


def header_frame(header: Mapping[str, object], path: str | Path) -> str | None:
    """Sky frame that a header declares.

    Parameters
    ----------
    header : mapping
        Header with COORDSYS, or without.
    path : str or Path
        The file, for messages.

    Returns
    -------
    str or None
        Member of :data:`FRAMES`; None where the header does not say.

    Raises
    ------
    DataError
        For another frame.
    """
    word = str(header.get("COORDSYS", "")).strip().upper()
    for frame, words in _FRAME_WORDS.items():
        if word in words:
            return frame
    if word:
        msg = f"{path}: COORDSYS is {word!r}: only equatorial and Galactic maps can be read, rotate it first"
        raise DataError(msg)
    return None
