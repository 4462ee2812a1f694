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

from ..errors import DataError, ParameterError, unknown_name
from ..files import replacing
from .fits_files import first_table, fits_tables
from .pixels import usable
from .regrid import galactic_to_equatorial

ORDERINGS = ("RING", "NESTED")

FRAMES = ("equatorial", "galactic")

_INDEX_COLUMNS = {"PIXEL", "PIX", "IPIX", "HPIX", "HPXPIXEL", "HPX_PIXEL", "PIXEL_INDEX", "INDEX"}

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
        hold values (a column of pixel indices is not counted).

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
        or the table is no HEALPix map.
    ParameterError
        When ordering, frame or column is not a known one.

    Notes
    -----
    A Galactic map is evaluated at the equatorial pixel centres, see
    :func:`~.galactic_to_equatorial`.
    """
    header, table = _table_with(column, Path(path))
    ordering = declared("ordering", ordering, _header_ordering(header, path), path)
    frame = declared("frame", frame, header_frame(header, path), path)
    values = _full_sky(header, table, column, path)
    if ordering == "NESTED":
        values = hp.reorder(values, n2r=True)
    return galactic_to_equatorial(values) if frame == "galactic" else values


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


def _table_with(column: int | str, path: Path) -> tuple[fits.Header, np.ndarray]:
    """First table that has a column of this name; the first one where none has, or a position is given."""
    advice = "a HEALPix map in a FITS table"
    with fits_tables(path, what="map file", wrong="cannot be read as FITS", advice=f"give {advice}") as hdus:
        tables = [hdu for hdu in hdus if isinstance(hdu, fits.BinTableHDU)]
        named = [hdu for hdu in tables if str(column).lower() in map(str.lower, hdu.columns.names)]
        hdu = named[0] if named else first_table(hdus, path, advice)
        return hdu.header, hdu.data


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


def _header_ordering(header: fits.Header, path: str | Path) -> str | None:
    if "ORDERING" not in header:
        # the table convention of astropy-healpix and healsparse
        return None if "HPXNEST" not in header else ORDERINGS[bool(header["HPXNEST"])]
    word = str(header["ORDERING"]).strip().upper()
    found = {"RING": "RING", "NEST": "NESTED", "NESTED": "NESTED"}.get(word)
    if word and found is None:
        msg = f"{path}: ORDERING is {word!r}: only RING and NESTED can be read"
        raise DataError(msg)
    return found


def header_frame(header: fits.Header, path: str | Path) -> str | None:
    """Sky frame that a header declares.

    Parameters
    ----------
    header : astropy.io.fits.Header
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


def _full_sky(header: fits.Header, table: np.ndarray, column: int | str, path: str | Path) -> np.ndarray:
    index = next((n for n in table.names if n.upper() in _INDEX_COLUMNS), None)
    values = np.asarray(table[_value_column(table.names, index, column)], float).ravel()
    # float32 UNSEEN is not equal to the float64 one: bring all sentinels to one value
    values = np.where(np.isfinite(values) & (values > 0.99 * hp.UNSEEN), values, hp.UNSEEN)
    nside = header.get("NSIDE", header.get("HPXNSIDE"))
    if nside is None and hp.isnpixok(values.size):
        nside = hp.npix2nside(values.size)
    if nside is None or (index is None and values.size != hp.nside2npix(nside)):
        msg = (
            f"{path}: {values.size} values and NSIDE {nside} do not make a full-sky map: "
            "add an NSIDE card, and a PIXEL column for a part of the sky"
        )
        raise DataError(msg)
    return values if index is None else _placed(values, np.asarray(table[index]).ravel(), nside, path)


def _placed(values: np.ndarray, pixels: np.ndarray, nside: int, path: str | Path) -> np.ndarray:
    full = np.full(hp.nside2npix(nside), hp.UNSEEN)
    if pixels.size and (pixels.min() < 0 or pixels.max() >= full.size or np.unique(pixels).size != pixels.size):
        msg = (
            f"{path}: pixel indices repeat, or leave 0 to {full.size - 1} for NSIDE {nside}: check NSIDE and the table"
        )
        raise DataError(msg)
    full[pixels] = values
    return full


def _value_column(names: list[str], index: str | None, column: int | str) -> str:
    held = [n for n in names if n != index]
    if isinstance(column, str):
        found = next((n for n in held if n.lower() == column.lower()), None)
        if found is None:
            msg = f"column {column!r} not found: the table has {', '.join(held)}"
            raise ParameterError(msg)
        return found
    if not 0 <= column < len(held):
        msg = f"column is {column}: the file has {len(held)} columns with values, {', '.join(held)}"
        raise ParameterError(msg)
    return held[column]
