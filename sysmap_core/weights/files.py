"""Files of weights and parameters: their format, written and read.

A file of weights has a row per galaxy, or per random, in the order of the catalogue; a sample
that exists as pixel counts has a row per pixel.  Everything a reader needs to know stands in the
header, card by card as in :data:`CARDS`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.io import fits

from ..errors import DataError, MissingDataError
from ..files import plain, replacing
from ..methods import Decontamination
from ..sky import catalogue_checksum, fits_tables, native

CARDS: Mapping[str, str] = {
    "SAMPLE": "sample",
    "SIMULATD": "T: simulated galaxies, not a real sample",
    "WEIGHTOF": "what the rows are",
    "NSIDE": "HEALPix resolution of the fit",
    "ORDERING": "of the pixels",
    "COORDSYS": "of the pixels: C is equatorial",
    "NPIX": "footprint pixels",
    "NSYS": "templates",
    "NGAL": "galaxies in the catalogue",
    "NRAND": "randoms in the catalogue",
    "SYSFROM": "method behind WEIGHT_SYS",
    "SYSMODEL": "its contamination model",
    "COVFROM": "where the errors of its amplitudes come from",
    "TBASIS": "zero mean, unit rms there",
    "CLIPFRAC": "fraction of pixels at the floor of WEIGHT_SYS",
    "WFLOOR": "floor of the denominators of the weights",
    "UNITCOLS": "columns that are one because of their fit",
    "SEED": "seed of the run",
    "CODEVERS": "version of sysmap_core",
    "NOUTSIDE": "rows off the footprint, with weight one",
    "CATSUM": "SHA-256 of the positions in order, shortened",
}
"""Header cards of every file of weights, with their comments."""

FURTHER_CARDS: Mapping[str, str] = {
    "CORRECT": "verdict: T correct, F do not correct",
    "LRT_LAM": "likelihood ratio of combined over additive",
    "LRT_P": "its p on a clustered sky",
    "SHRINK": "of the amplitudes of the weights, or none",
    "NDRAWS": "draws from the errors of the amplitudes",
    "DRAWFROM": "covariance that they are drawn from",
    "DRAWSEED": "seed of the draws",
}
"""Cards of some files."""

NUMBERED_CARDS: Mapping[str, str] = {
    "TMPL": "template",
    "TSUM": "SHA-256 of its standardised values, shortened",
    "A_SYS": "additive amplitude behind WEIGHT_SYS",
    "B_SYS": "multiplicative amplitude behind WEIGHT_SYS",
    "A_FIT": "its additive amplitude before any shrinkage",
    "B_FIT": "its multiplicative amplitude before any",
    "A_ADD": "additive amplitude behind WEIGHT_ADD",
    "A_CMB": "additive amplitude behind WEIGHT_COMB",
    "B_CMB": "multiplicative amplitude behind WEIGHT_COMB",
}
"""Cards of every template, with its number from 001."""


@dataclass(frozen=True)
class WeightTable:
    """Weights of the objects of a catalogue, with what their file says about them.

    Parameters
    ----------
    columns : dict of str to ndarray, shape (n_rows,)
        RA and DEC [deg], or HPXPIXEL, and the weights [1].
    header : dict of str to bool, int, float, str or None
        Header cards, see :data:`CARDS`.
    meanings : dict of str to str
        What each column of weights is.
    """

    columns: dict[str, np.ndarray]
    header: dict[str, object]
    meanings: dict[str, str]

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), ()))

    @property
    def weights(self) -> dict[str, np.ndarray]:
        """Columns of weights, by name."""
        return {name: values for name, values in self.columns.items() if name.startswith("WEIGHT_")}


def position_checksum(columns: Mapping[str, np.ndarray]) -> str:
    """Checksum that ties a file of weights to its catalogue.

    Parameters
    ----------
    columns : mapping of str to ndarray, shape (n_rows,)
        With RA and DEC [deg], or with HPXPIXEL.

    Returns
    -------
    str
        16 hexadecimal digits, other ones when rows change their order.
    """
    if "HPXPIXEL" in columns:
        return catalogue_checksum(columns["HPXPIXEL"], np.empty(0))[:16]
    return catalogue_checksum(columns["RA"], columns["DEC"])[:16]


def write_table(path: str | Path, table: WeightTable, *, dtype: str = "D") -> Path:
    """Write weights as a FITS table.

    Parameters
    ----------
    path : str or Path
        File to write; it appears complete or not at all.
    table : WeightTable
        What to write.
    dtype : {"D", "E"}
        FITS format of the weights: double or single precision.

    Returns
    -------
    Path
        The file.
    """
    formats = {"HPXPIXEL": "K"} | dict.fromkeys(table.weights, dtype)
    hdu = fits.BinTableHDU.from_columns(
        [
            fits.Column(name, formats.get(name, "D"), array=values, unit="deg" if name in ("RA", "DEC") else None)
            for name, values in table.columns.items()
        ],
        name="WEIGHTS",
    )
    for number, name in enumerate(table.columns, 1):
        hdu.header.comments[f"TTYPE{number}"] = table.meanings.get(name, "")
    for key, value in table.header.items():
        comment = _comment(key)
        # a card has room for 67 characters of text and comment; the text is what matters
        fits_in = not isinstance(value, str) or max(len(value), 18) + len(comment) <= 65
        hdu.header[key] = (plain(value), comment if fits_in else "")
    with replacing(path) as partial:
        hdu.writeto(partial)
    return Path(path)


def read_weights(path: str | Path) -> WeightTable:
    """Read a file of weights of galaxies, of randoms, or of draws.

    Parameters
    ----------
    path : str or Path
        File that :func:`write_table` wrote.

    Returns
    -------
    WeightTable
        Equal to the one that was written.

    Raises
    ------
    MissingDataError
        When there is no such file.
    DataError
        When it is no FITS file, is cut short or holds no weights.
    """
    with fits_tables(path, what="file of weights") as hdus:
        return _table(hdus, Path(path))


def write_params(path: str | Path, content: Mapping[str, object]) -> Path:
    """Write fitted parameters as JSON.

    Parameters
    ----------
    path : str or Path
        File to write; it appears complete or not at all.
    content : mapping
        Plain Python values.

    Returns
    -------
    Path
        The file.
    """
    with replacing(path) as partial:
        partial.write_text(json.dumps(content, indent=1) + "\n")
    return Path(path)


def read_params(path: str | Path) -> dict[str, object]:
    """Read fitted parameters.

    Parameters
    ----------
    path : str or Path
        File that :func:`write_params` wrote.

    Returns
    -------
    dict
        The same content; methods that were stored with their maps are
        :class:`~.Decontamination` again.

    Raises
    ------
    MissingDataError
        When there is no such file.
    DataError
        When it is not JSON, or holds no methods.
    """
    path = _existing(path)
    try:
        content = json.loads(path.read_text())
    except ValueError as error:
        msg = f"{path} is no JSON file ({error}): give the ..._params.json that was written beside the weights"
        raise DataError(msg) from None
    if not isinstance(content, dict) or not isinstance(content.get("methods"), dict):
        msg = f"{path} holds no methods: give the ..._params.json that was written beside the weights"
        raise DataError(msg)
    stored = content["methods"].items()
    methods = {name: Decontamination.from_dict(m) if "galaxy_weights" in m else m for name, m in stored}
    return content | {"methods": methods}


def _existing(path: str | Path) -> Path:
    path = Path(path)
    if not path.is_file():
        msg = f"{str(path)!r} is not a file: check the name and the folder"
        raise MissingDataError(msg)
    return path


def _comment(key: str) -> str:
    return (CARDS | FURTHER_CARDS).get(key) or NUMBERED_CARDS.get(key.rstrip("0123456789"), "")


def _table(hdus, path: Path) -> WeightTable:
    if "WEIGHTS" not in hdus:
        msg = f"{path} has no table WEIGHTS: give a file that write_all or write_weight_draws wrote"
        raise DataError(msg)
    hdu = hdus["WEIGHTS"]
    names = hdu.columns.names
    columns = {name: native(hdu.data[name]) for name in names}
    comments = {name: hdu.header.comments[f"TTYPE{number}"] for number, name in enumerate(names, 1)}
    cards = hdu.header.copy(strip=True)
    header = {key: value for key, value in cards.items() if key not in ("EXTNAME", "")}
    return WeightTable(columns, header, {name: text for name, text in comments.items() if text})
