"""Tables of weights in FITS and in Parquet: their columns, header, meanings and parts, with how to use them."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path

import numpy as np
from astropy.io import fits

from ..errors import DataError, MissingDataError
from ..files import plain
from ..sky import fits_tables, native
from .header import READ_ME, comment

_KEY = b"sysmap_core"

_UNIT = {"RA": "deg", "DEC": "deg"}

_LEFT_OUT = ("EXTNAME", "", "COMMENT")


def write_fits(path: Path, table) -> None:
    """Write weights as FITS: a table WEIGHTS, and a table PARTS where the sample has any.

    Parameters
    ----------
    path : Path
        File to write.
    table : WeightTable
        What to write.

    Raises
    ------
    DataError
        For text that a FITS table cannot hold.
    """
    hdu = fits.BinTableHDU.from_columns([_column(*one) for one in table.columns.items()], name="WEIGHTS")
    for number, name in enumerate(table.columns, 1):
        hdu.header.comments[f"TTYPE{number}"] = table.meanings.get(name, "")
    set_cards(hdu.header, table.header)
    for sentence in READ_ME:
        for line in textwrap.wrap(sentence, 70):
            hdu.header.add_comment(line)
    hdus = [fits.PrimaryHDU(), hdu]
    if table.parts:
        hdus.append(fits.BinTableHDU.from_columns([_column(*one) for one in table.parts.items()], name="PARTS"))
    fits.HDUList(hdus).writeto(path)


def set_cards(header: fits.Header, cards: dict[str, object]) -> None:
    """Put cards into a header, each with its comment where there is room.

    Parameters
    ----------
    header : astropy.io.fits.Header
        Header to be filled.
    cards : mapping
        Keyword to value.
    """
    for key, value in cards.items():
        text = comment(key)
        # a card has room for 67 characters of text and comment; the text is what matters
        fits_in = not isinstance(value, str) or max(len(value), 18) + len(text) <= 65
        header[key] = (plain(value), text if fits_in else "")


def read_fits(path: str | Path) -> dict[str, dict]:
    """Read weights from FITS.

    Parameters
    ----------
    path : str or Path
        File that :func:`write_fits` wrote.

    Returns
    -------
    dict
        Attributes of a :class:`~.WeightTable`.

    Raises
    ------
    MissingDataError
        When there is no such file.
    DataError
        When it is no FITS file, is cut short or holds no weights.
    """
    with fits_tables(path, what="file of weights") as hdus:
        if "WEIGHTS" not in hdus:
            msg = f"{path} has no table WEIGHTS: give a file that write_all or write_weight_draws wrote"
            raise DataError(msg)
        hdu = hdus["WEIGHTS"]
        columns = _columns(hdu)
        comments = {name: hdu.header.comments[f"TTYPE{number}"] for number, name in enumerate(columns, 1)}
        header = {key: value for key, value in hdu.header.copy(strip=True).items() if key not in _LEFT_OUT}
        parts = _columns(hdus["PARTS"]) if "PARTS" in hdus else {}
    return {
        "columns": columns,
        "header": header,
        "meanings": {name: text for name, text in comments.items() if text},
        "parts": parts,
    }


def _columns(hdu: fits.BinTableHDU) -> dict[str, np.ndarray]:
    return {name: native(hdu.data[name]) for name in hdu.columns.names}


def _column(name: str, values: np.ndarray) -> fits.Column:
    values = np.asarray(values)
    if values.dtype.kind == "u":
        # FITS has signed numbers only, and an offset for the others
        return fits.Column(name, "K", bzero=2**63, array=values.astype(np.uint64))
    if values.dtype.kind == "U":
        return fits.Column(name, f"{max(values.dtype.itemsize // 4, 1)}A", array=_ascii(name, values))
    kinds = {"b": "L", "i": "K", "f": "E" if values.dtype == np.float32 else "D"}
    return fits.Column(name, kinds[values.dtype.kind], array=values, unit=_UNIT.get(name))


def _ascii(name: str, values: np.ndarray) -> np.ndarray:
    wrong = sum(not value.isascii() or value != value.rstrip() for value in values.tolist())
    if wrong:
        msg = f"{name} has {wrong} texts with other letters than ASCII or blanks at the end: write Parquet instead"
        raise DataError(msg)
    return values


def is_parquet(path: str | Path) -> bool:
    """Whether a file is a Parquet table, by its first letters; False where there is no file."""
    path = Path(path)
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(4) == b"PAR1"


def write_parquet(path: Path, table) -> None:
    """Write weights as Parquet; header, meanings and parts are JSON in the metadata of its schema.

    Parameters
    ----------
    path : Path
        File to write.
    table : WeightTable
        What to write.

    Raises
    ------
    MissingDataError
        When pyarrow is not installed.
    """
    arrow, parquet = _pyarrow()
    about = {"header": table.header, "meanings": table.meanings, "parts": dict(table.parts), "read_me": READ_ME}
    rows = arrow.table({name: arrow.array(values) for name, values in table.columns.items()})
    parquet.write_table(rows.replace_schema_metadata({_KEY: json.dumps(plain(about)).encode()}), path)


def read_parquet(path: str | Path) -> dict[str, dict]:
    """Read weights from Parquet.

    Parameters
    ----------
    path : str or Path
        File that :func:`write_parquet` wrote.

    Returns
    -------
    dict
        Attributes of a :class:`~.WeightTable`.

    Raises
    ------
    MissingDataError
        When pyarrow is not installed.
    DataError
        When it is cut short or holds no weights.
    """
    arrow, parquet = _pyarrow()
    try:
        rows = parquet.read_table(path, partitioning=None)
    except (arrow.ArrowException, OSError) as error:
        reason = str(error).split("\n")[0].rstrip(".")
        msg = f"{path} cannot be read as a Parquet table ({reason}): write or copy it again"
        raise DataError(msg) from None
    about = (rows.schema.metadata or {}).get(_KEY)
    if about is None:
        msg = f"{path} has no header of weights: give a file that write_all or write_weight_draws wrote"
        raise DataError(msg)
    about = json.loads(about)
    columns = {name: _values(rows.column(name).to_numpy()) for name in rows.column_names}
    parts = {name: _values(np.array([np.nan if v is None else v for v in one])) for name, one in about["parts"].items()}
    return {"columns": columns, "header": about["header"], "meanings": about["meanings"], "parts": parts}


def _values(column: np.ndarray) -> np.ndarray:
    return column.astype(str) if column.dtype.kind == "O" else np.array(column)


def _pyarrow():
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        msg = "Parquet files need the package pyarrow, which is not installed: run `pip install pyarrow`"
        raise MissingDataError(msg) from None
    return pyarrow, parquet
