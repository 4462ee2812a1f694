"""Weights as maps: written with the fit, and applied to any later catalogue or mock.

A map has the weights of the pixels of every part, of galaxies and of randoms.  In FITS every part is a HEALPix table
with explicit pixels, RING and equatorial; in HealSparse it is a column of the one map.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import healpy as hp
import numpy as np
from astropy.io import fits

from ..errors import DataError, MissingDataError, ParameterError
from ..files import plain, replacing
from ..methods import Decontamination
from ..sky import fits_tables, native
from .columns import alone, weight_columns
from .formats import set_cards
from .parts import FittedPart, fitted_parts

KINDS: Mapping[str, str] = {"galaxies": "", "randoms": "RANDOM_"}
"""Whose weights, and what their columns begin with."""

ENDINGS = (".fits", ".hsp")

NSIDE_COVERAGE = 32
"""Resolution at which a HealSparse file says what part of the sky it holds."""


@dataclass(frozen=True)
class WeightMap:
    """Weights of the pixels of a part of a sample.

    Parameters
    ----------
    pixels : ndarray of int, shape (n_pix,)
        HEALPix indices, RING, equatorial.
    nside : int
        Resolution.
    columns : dict of str to ndarray, shape (n_pix,)
        Weights of galaxies, and those of randoms under names with ``RANDOM_`` in front [1].
    region : str
        Name of its region; empty where there is one for all.
    z_bin : int
        Number of its redshift bin; zero where there is one for all.
    header : dict
        Its cards, see :data:`~sysmap_core.weights.header.CARDS`.
    """

    pixels: np.ndarray
    nside: int
    columns: dict[str, np.ndarray]
    region: str
    z_bin: int
    header: dict[str, object]


def write_weight_maps(path: str | Path, sample, results: Mapping[str, Decontamination] | Sequence[FittedPart]) -> Path:
    """Write the weights of a sample as a map.

    Parameters
    ----------
    path : str or Path
        File to write or replace: HEALPix where it ends in ``.fits``, HealSparse where it ends in ``.hsp``.
    sample : Sample
        The whole sample.
    results : mapping of str to Decontamination, or sequence of FittedPart
        Results by method; or the parts of the sample with theirs.

    Returns
    -------
    Path
        The file, for :func:`~.apply_weights`.

    Raises
    ------
    ParameterError
        For another ending, or a name of the sample that no file can have.
    DataError
        When parts cannot share a file.
    MissingDataError
        For HealSparse without healsparse.
    """
    path = Path(path)
    if path.suffix not in ENDINGS:
        msg = f"map of weights {path.name!r} ends in {path.suffix!r}: give a name with {' or '.join(ENDINGS)}"
        raise ParameterError(msg)
    maps = [_of_part(sample, fitted) for fitted in fitted_parts(sample, results)]
    with replacing(path) as partial:
        (_write_healsparse if path.suffix == ".hsp" else _write_healpix)(partial, maps)
    return path


def read_weight_maps(path: str | Path) -> tuple[WeightMap, ...]:
    """Read a map of weights.

    Parameters
    ----------
    path : str or Path
        File that :func:`write_weight_maps` wrote.

    Returns
    -------
    tuple of WeightMap
        One of every part.

    Raises
    ------
    MissingDataError
        When there is no such file, or healsparse is needed and not installed.
    DataError
        When it is something else, or cut short.
    """
    return _read_healsparse(path) if Path(path).suffix == ".hsp" else _read_healpix(path)


def _of_part(sample, fitted: FittedPart) -> WeightMap:
    columns = {"WEIGHT_ALONE": alone(fitted.best)}
    for kind, start in KINDS.items():
        columns |= {start + name: values for name, (values, _) in weight_columns(fitted.results, kind).items()}
    footprint, part = fitted.best.footprint, fitted.part
    header = fitted.cards | {"SAMPLE": sample.identifier} | fitted.place
    columns["RANDOM_WEIGHT_ALONE"] = np.ones(footprint.n_pix)
    return WeightMap(footprint.pixels, footprint.nside, columns, part.region, part.z_bin, header)


def _write_healpix(path: Path, maps: Sequence[WeightMap]) -> None:
    hdus = [fits.PrimaryHDU()]
    for number, one in enumerate(maps, 1):
        columns = [fits.Column("PIXEL", "K", array=one.pixels)]
        columns += [fits.Column(name, "D", array=values) for name, values in one.columns.items()]
        table = fits.BinTableHDU.from_columns(columns, name=f"PART{number:03d}")
        table.header.update(PIXTYPE="HEALPIX", INDXSCHM="EXPLICIT", OBJECT="PARTIAL")
        set_cards(table.header, one.header)
        hdus.append(table)
    fits.HDUList(hdus).writeto(path)


def _read_healpix(path: str | Path) -> tuple[WeightMap, ...]:
    with fits_tables(path, what="map of weights") as hdus:
        found = [hdu for hdu in hdus if hdu.name.startswith("PART") and hdu.columns.names[0] == "PIXEL"]
        if not found:
            msg = f"{path} has no maps of weights: give a file that write_weight_maps wrote"
            raise DataError(msg)
        return tuple(_from_table(hdu) for hdu in found)


def _from_table(hdu: fits.BinTableHDU) -> WeightMap:
    header = {key: value for key, value in hdu.header.copy(strip=True).items() if key not in ("EXTNAME", "")}
    columns = {name: native(hdu.data[name]) for name in hdu.columns.names}
    pixels = columns.pop("PIXEL")
    return WeightMap(pixels, header["NSIDE"], columns, header.get("REGION", ""), header.get("ZBIN", 0), header)


def _write_healsparse(path: Path, maps: Sequence[WeightMap]) -> None:
    healsparse, nside = _healsparse(), maps[0].nside
    pixels, n_parts = np.unique(np.concatenate([one.pixels for one in maps]), return_counts=True)
    names = [f"{name}_P{number:03d}" for number, one in enumerate(maps, 1) for name in one.columns]
    # the first column says which pixels are there: each has a part, and not every part has each
    values = np.zeros(len(pixels), [("N_PARTS", float), *((name, float) for name in names)])
    values["N_PARTS"] = n_parts
    for number, one in enumerate(maps, 1):
        rows = np.searchsorted(pixels, one.pixels)
        for name, weights in one.columns.items():
            values[f"{name}_P{number:03d}"] = hp.UNSEEN
            values[f"{name}_P{number:03d}"][rows] = weights
    coverage = min(NSIDE_COVERAGE, nside)
    sparse = healsparse.HealSparseMap.make_empty(coverage, nside, values.dtype, primary="N_PARTS")
    sparse.update_values_pix(pixels, values, nest=False)
    about = [{"region": one.region, "z_bin": one.z_bin, "header": one.header} for one in maps]
    sparse.metadata = {"COORDSYS": "C", "QUANTITY": "weights", "PARTS": json.dumps(plain(about))}
    sparse.write(str(path), clobber=True)


def _read_healsparse(path: str | Path) -> tuple[WeightMap, ...]:
    healsparse = _healsparse()
    if not Path(path).is_file():
        msg = f"map of weights {str(path)!r} does not exist: check the name and the folder"
        raise MissingDataError(msg)
    try:
        found = healsparse.HealSparseMap.read(str(path))
        parts = json.loads((found.metadata or {})["PARTS"])
    except (OSError, RuntimeError, KeyError, IndexError, TypeError, ValueError) as error:
        reason = str(error).split("\n")[0].rstrip(".") or type(error).__name__
        msg = f"{path} is no HealSparse map of weights ({reason}): give a file that write_weight_maps wrote"
        raise DataError(msg) from None
    return tuple(_from_sparse(found, number, about) for number, about in enumerate(parts, 1))


def _from_sparse(found, number: int, about: Mapping[str, object]) -> WeightMap:
    ending = f"_P{number:03d}"
    names = [name for name in found.dtype.names if name.endswith(ending)]
    nested = found.get_single(names[0]).valid_pixels
    pixels = hp.nest2ring(found.nside_sparse, nested)
    order = np.argsort(pixels)
    values = found.get_values_pix(nested[order])
    columns = {name.removesuffix(ending): np.array(values[name]) for name in names}
    return WeightMap(pixels[order], found.nside_sparse, columns, about["region"], about["z_bin"], dict(about["header"]))


def _healsparse():
    try:
        import healsparse
    except ImportError:
        msg = "HealSparse maps need the package healsparse, which is not installed: run `pip install healsparse`"
        raise MissingDataError(msg) from None
    return healsparse
