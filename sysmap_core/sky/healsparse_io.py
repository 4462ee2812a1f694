"""HealSparse maps in files, for a part of the sky and fine resolutions.

HealSparse keeps its pixels NESTED and says nothing about the sky frame, which has therefore to be declared
unless the file has a COORDSYS card.  The package healsparse is needed: ``pip install healsparse``.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path

import healpy as hp
import numpy as np
from astropy.io import fits

from ..errors import DataError, MissingDataError, ParameterError, unknown_name
from ..files import replacing
from .fits_files import fits_tables, native
from .healpix_io import declared, header_frame
from .partial_sky import PartialMap
from .pixels import check_nside

NSIDE_COVERAGE = 32
"""Resolution at which a written file says what part of the sky it holds."""

_STRUCTURE = {
    *("XTENSION", "BITPIX", "NAXIS", "NAXIS1", "PCOUNT", "GCOUNT", "BSCALE", "BZERO"),
    *("EXTNAME", "PIXTYPE", "NSIDE", "SENTINEL", "RESHAPED"),
}


def read_healsparse(
    path: str | Path,
    *,
    frame: str | None = None,
    column: str | None = None,
    nside: int | None = None,
    kind: str | None = None,
    average: str = "linear",
) -> PartialMap:
    """Read a HealSparse map as RING, equatorial.

    Parameters
    ----------
    path : str or Path
        HealSparse file in FITS format.
    frame : {"equatorial", "galactic"}, optional
        Sky frame of the file.  Needed when its header has no COORDSYS card.
    column : str, optional
        Which map of a file that holds several.
    nside : int, optional
        Resolution wanted, that of the file by default.
    kind, average : str, optional
        How values are brought to a lower resolution, see :meth:`.PartialMap.degraded`; ``kind`` is
        needed then.

    Returns
    -------
    PartialMap
        Pixels that have a value, without UNSEEN and NaN, and the cards of the file.

    Raises
    ------
    MissingDataError
        When healsparse is not installed, or there is no such file.
    DataError
        When the file is no HealSparse map, is Galactic or of flags, has no value, or when its frame is not declared.
    ParameterError
        When a name is not known, or ``kind`` is needed and not given.
    """
    path = Path(path)
    partial = sparse_part(sparse_map(path), path, column=column, frame=frame)
    if nside is None or check_nside(nside) == partial.nside:
        return partial
    if kind is None:
        msg = (
            f"{path.name} has NSIDE {partial.nside} and {nside} is wanted: give kind='sum' for counts, "
            "'mean' for densities and conditions"
        )
        raise ParameterError(msg)
    return partial.degraded(nside, kind, average=average)


def write_healsparse(
    path: str | Path,
    values: PartialMap,
    *,
    quantity: str,
    survey: str,
    aggregation: str = "mean",
    cards: Mapping[str, object] | None = None,
) -> Path:
    """Write a map as HealSparse, under a temporary name until it is complete.

    Parameters
    ----------
    path : str or Path
        File to write or replace.
    values : PartialMap
        Map.
    quantity, survey, aggregation : str
        As in :func:`~.write_map`.
    cards : mapping, optional
        Further header cards.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    MissingDataError
        When healsparse is not installed.
    """
    healsparse = _healsparse()
    sparse = healsparse.HealSparseMap.make_empty(min(NSIDE_COVERAGE, values.nside), values.nside, np.float64)
    sparse.update_values_pix(values.pixels, np.asarray(values.values, float), nest=False)
    sparse.metadata = {"COORDSYS": "C", "SURVEY": survey, "QUANTITY": quantity, "AGGR": aggregation, **(cards or {})}
    with replacing(path) as partial:
        sparse.write(str(partial), clobber=True)
    return Path(path)


def is_healsparse(path: str | Path) -> bool:
    """Whether a file says of itself that it is a HealSparse map, whatever its ending.

    Parameters
    ----------
    path : str or Path
        File.

    Returns
    -------
    bool
        False also for what is no FITS file.
    """
    with warnings.catch_warnings():
        # that it is cut short is said when it is read
        warnings.simplefilter("ignore")
        try:
            with Path(path).open("rb") as file:
                return str(fits.getheader(file).get("PIXTYPE", "")).strip() == "HEALSPARSE"
        except (OSError, EOFError):
            return False


def sparse_map(path: Path):
    """Open a HealSparse file.

    Parameters
    ----------
    path : Path
        File.

    Returns
    -------
    healsparse.HealSparseMap
        What it holds.

    Raises
    ------
    MissingDataError
        When healsparse is not installed, or there is no such file.
    DataError
        When the file is no HealSparse map, is damaged, or of flags.
    """
    healsparse = _healsparse()
    if not path.is_file():
        msg = f"map file {str(path)!r} does not exist: check the name and the folder"
        raise MissingDataError(msg)
    if not is_healsparse(path):
        msg = f"{path} is no HealSparse map in FITS format: read HEALPix files with healpix_io.read_map"
        raise DataError(msg)
    with fits_tables(path, what="map file", wrong="cannot be read as HealSparse") as hdus:
        offset = "BZERO" in hdus[1].header
        found = _with_offset(healsparse, hdus, path) if offset else healsparse.HealSparseMap.read(str(path))
    if found.is_wide_mask_map:
        msg = f"{path} holds flags of several bits: write the one that is wanted as a map of its own"
        raise DataError(msg)
    return found


def sparse_columns(found) -> tuple[str, ...]:
    """Names of the maps of an opened file that holds several; none where it holds one."""
    return tuple(found.dtype.names or ())


def sparse_header(found) -> dict[str, object]:
    """Cards of an opened file."""
    return {str(k): v for k, v in (found.metadata or {}).items()}


def sparse_part(found, path: Path, *, column: str | None = None, frame: str | None = None) -> PartialMap:
    """One map of an opened file, RING, equatorial.

    Parameters
    ----------
    found : healsparse.HealSparseMap
        What the file holds.
    path : Path
        The file, for messages.
    column, frame : str, optional
        As in :func:`read_healsparse`.

    Returns
    -------
    PartialMap
        Where the map has values: no pixel with the sentinel of the file, UNSEEN, NaN, or False in a mask.

    Raises
    ------
    DataError
        When the map is Galactic or has no value, or when its frame is not declared.
    ParameterError
        When a name is not known.
    """
    header = sparse_header(found)
    if declared("frame", frame, header_frame(header, path), path) != "equatorial":
        msg = f"{path} is Galactic: bring it to equatorial coordinates first, as only those are read from HealSparse"
        raise DataError(msg)
    return _partial(_single(found, column, path), header, path)


def _healsparse():
    try:
        import healsparse
    except ImportError:
        msg = "HealSparse maps need the package healsparse, which is not installed: run `pip install healsparse`"
        raise MissingDataError(msg) from None
    return healsparse


def _with_offset(healsparse, hdus: fits.HDUList, path: Path):
    """Map of unsigned numbers or short signed ones, which FITS stores with an offset, as the package cannot map it."""
    image = hdus[1]
    values, header = native(image.data), image.header
    coverage = healsparse.HealSparseCoverage.read(str(path))
    made = healsparse.HealSparseMap(
        cov_map=coverage, sparse_map=values, nside_sparse=header["NSIDE"], sentinel=header["SENTINEL"]
    )
    made.metadata = {k: v for k, v in header.items() if k.strip() and k not in _STRUCTURE}
    return made


def _single(found, column: str | None, path: Path):
    """The map with one number per pixel that was asked for."""
    if found.is_rec_array:
        names = found.dtype.names
        if column not in names:
            raise unknown_name("column", column, names)
        return found.get_single(column)
    if column is not None:
        msg = f"column is {column!r}: {path.name} holds a single map, leave it out"
        raise ParameterError(msg)
    return found


def _partial(found, header: dict[str, object], path: Path) -> PartialMap:
    nested = found.valid_pixels
    values = np.asarray(found.get_values_pix(nested), float)
    good = np.isfinite(values) & (values > 0.99 * hp.UNSEEN)
    if not good.any():
        msg = f"{path} has no value in any pixel: check what it holds"
        raise DataError(msg)
    pixels = hp.nest2ring(found.nside_sparse, nested[good])
    order = np.argsort(pixels)
    return PartialMap(pixels[order], values[good][order], found.nside_sparse, header)
