"""Files of weights and parameters: their format, written and read.

A file of weights has a row per galaxy, or per random, in the order of the catalogue; a sample
that exists as pixel counts has a row per pixel.  Everything a reader needs to know stands in the
header, card by card as in :data:`~sysmap_core.weights.header.CARDS`.  Tables are FITS, or Parquet with the header in
its metadata.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from ..errors import DataError, MissingDataError, ParameterError
from ..files import replacing
from ..methods import Decontamination
from ..sky import catalogue_checksum
from .formats import is_parquet, read_fits, read_parquet, write_fits, write_parquet

FORMATS: Mapping[str, str] = {"fits": ".fits", "parquet": ".parquet"}
"""Formats of the tables, with the ending of their files."""


@dataclass(frozen=True)
class WeightTable:
    """Weights of the objects of a catalogue, with what their file says about them.

    Parameters
    ----------
    columns : dict of str to ndarray, shape (n_rows,)
        RA and DEC [deg], or HPXPIXEL; what names the objects and their part; IN_FIT; and the weights [1].
    header : dict of str to bool, int, float, str or None
        Header cards, see :data:`~sysmap_core.weights.header.CARDS`.
    meanings : dict of str to str
        What each column is.
    parts : dict of str to ndarray, shape (n,)
        Table of the parts of a sample, see :func:`~.part_table`; empty for a whole sample.
    """

    columns: dict[str, np.ndarray]
    header: dict[str, object]
    meanings: dict[str, str]
    parts: dict[str, np.ndarray] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), ()))

    @property
    def weights(self) -> dict[str, np.ndarray]:
        """Columns of weights against contamination, by name."""
        given = "WEIGHT_IN"
        return {name: v for name, v in self.columns.items() if name.startswith("WEIGHT_") and name != given}


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
    """Write weights as a table, FITS or Parquet by the ending of the name.

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

    Raises
    ------
    ParameterError
        For another ending.
    DataError
        For text that a FITS table cannot hold.
    MissingDataError
        For Parquet without pyarrow.
    """
    path = Path(path)
    if path.suffix not in FORMATS.values():
        msg = f"file of weights {path.name!r} ends in {path.suffix!r}: give a name with {' or '.join(FORMATS.values())}"
        raise ParameterError(msg)
    if dtype == "E":
        single = {name: values.astype(np.float32) for name, values in table.weights.items()}
        table = replace(table, columns=table.columns | single)
    with replacing(path) as partial:
        (write_parquet if path.suffix == FORMATS["parquet"] else write_fits)(partial, table)
    return path


def read_weights(path: str | Path) -> WeightTable:
    """Read a file of weights of galaxies, of randoms, or of draws.

    Parameters
    ----------
    path : str or Path
        File that :func:`write_table` wrote, FITS or Parquet.

    Returns
    -------
    WeightTable
        Equal to the one that was written.

    Raises
    ------
    MissingDataError
        When there is no such file, or pyarrow is needed and not installed.
    DataError
        When it is no such file, is cut short or holds no weights.
    """
    return WeightTable(**(read_parquet(path) if is_parquet(path) else read_fits(path)))


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
        :class:`~.Decontamination` again, of a whole sample and of its parts.

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
    found = content.get("parts", [content]) if isinstance(content, dict) else []
    if not found or not all(isinstance(one, dict) and isinstance(one.get("methods"), dict) for one in found):
        msg = f"{path} holds no methods: give the ..._params.json that was written beside the weights"
        raise DataError(msg)
    restored = [one | {"methods": _methods(one["methods"])} for one in found]
    return content | {"parts": restored} if "parts" in content else restored[0]


def _methods(stored: dict[str, dict]) -> dict[str, object]:
    return {name: Decontamination.from_dict(m) if "galaxy_weights" in m else m for name, m in stored.items()}


def _existing(path: str | Path) -> Path:
    path = Path(path)
    if not path.is_file():
        msg = f"{str(path)!r} is not a file: check the name and the folder"
        raise MissingDataError(msg)
    return path
