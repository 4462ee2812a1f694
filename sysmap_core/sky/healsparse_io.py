"""HealSparse maps in files, for a part of the sky and fine resolutions.

HealSparse keeps its pixels NESTED and says nothing about the sky frame, which has therefore to be declared
unless the file has a COORDSYS card.  The package healsparse is needed: ``pip install healsparse``.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import healpy as hp
import numpy as np
from astropy.io import fits

from ..errors import DataError, MissingDataError, ParameterError, unknown_name
from ..files import replacing
from .healpix_io import declared, header_frame
from .partial_sky import PartialMap
from .pixels import check_nside

NSIDE_COVERAGE = 32
"""Resolution at which a written file says what part of the sky it holds."""


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
    healsparse, path = _healsparse(), Path(path)
    _check_is_healsparse(path)
    found = healsparse.HealSparseMap.read(str(path))
    header = {str(k): v for k, v in (found.metadata or {}).items()}
    if declared("frame", frame, header_frame(header, path), path) != "equatorial":
        msg = f"{path} is Galactic: bring it to equatorial coordinates first, as only those are read from HealSparse"
        raise DataError(msg)
    partial = _partial(_single(found, column, path), header, path)
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


def _healsparse():
    try:
        import healsparse
    except ImportError:
        msg = "HealSparse maps need the package healsparse, which is not installed: run `pip install healsparse`"
        raise MissingDataError(msg) from None
    return healsparse


def _check_is_healsparse(path: Path) -> None:
    if not path.is_file():
        msg = f"map file {str(path)!r} does not exist: check the name and the folder"
        raise MissingDataError(msg)
    try:
        kinds = [str(fits.getheader(path, 1).get("PIXTYPE", "")).strip()]
    except (OSError, IndexError):
        kinds = []
    if kinds != ["HEALSPARSE"]:
        msg = f"{path} is no HealSparse map in FITS format: read HEALPix files with healpix_io.read_map"
        raise DataError(msg)


def _single(found, column: str | None, path: Path):
    """The map with one number per pixel that was asked for."""
    if found.is_wide_mask_map:
        msg = f"{path} holds flags of several bits: write the one that is wanted as a map of its own"
        raise DataError(msg)
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
