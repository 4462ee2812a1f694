"""Folders of template maps, in the names of the LS10 samples."""

from __future__ import annotations

import re
from pathlib import Path

import healpy as hp
import numpy as np

from ..errors import DataError, MissingDataError
from ..files import checksum, folder
from ..sky import check_nside, read_healsparse, read_map


def read_templates(
    template_dir: str | Path, nside: int, *, ordering: str | None = None, frame: str | None = None
) -> tuple[np.ndarray, tuple[str, ...], dict[str, str]]:
    """Read all template maps of one resolution.

    Parameters
    ----------
    template_dir : str or Path
        Folder with one folder per resolution, e.g. ``0064/``, that holds ``{survey}_{quantity}_NSIDE_0064.fits``
        for one or several surveys, e.g. GAIA and LS10, or the same with ``.fits.gz`` or, for HealSparse, ``.hsp``.
    nside : int
        Resolution.
    ordering, frame : str, optional
        As in :func:`read_map`, for all files.

    Returns
    -------
    maps : ndarray, shape (n_sys, 12 nside^2)
        Template maps, RING, equatorial, in the order of their file names.
    names : tuple of str, length n_sys
        Their quantities.
    checksums : dict
        SHA-256 of every file by its name.

    Raises
    ------
    MissingDataError
        When the folder, or any map of this resolution in it, is missing.
    DataError
        When two files hold one quantity, a file has another resolution, or it cannot be read as it says.
    """
    top = folder(template_dir, "template_dir")
    files = _template_files(top, check_nside(nside))
    maps = np.empty((len(files), hp.nside2npix(nside)))
    for row, path in zip(maps, files.values(), strict=True):
        values = _read(path, ordering, frame)
        if values.size != row.size:
            msg = f"{path} has NSIDE {hp.npix2nside(values.size)}: move it to the folder of its resolution"
            raise DataError(msg)
        row[:] = values
    return maps, tuple(files), {path.name: checksum(path) for path in files.values()}


def _read(path: Path, ordering: str | None, frame: str | None) -> np.ndarray:
    # HealSparse keeps its pixels NESTED: there is no ordering to declare
    if path.suffix == ".hsp":
        return read_healsparse(path, frame=frame).full_sky()
    return read_map(path, ordering=ordering, frame=frame)


def _template_files(top: Path, nside: int) -> dict[str, Path]:
    """Files of one resolution by quantity."""
    pattern = re.compile(rf"[A-Za-z0-9-]+_(.+)_NSIDE_0*{nside}\.(?:fits|fits\.gz|hsp)")
    found: dict[str, Path] = {}
    for path in sorted((top / f"{nside:04d}").glob("*")):
        match = pattern.fullmatch(path.name)
        if match and match[1] in found:
            msg = f"template {match[1]} is in {found[match[1]].name} and in {path.name}: keep one of them"
            raise DataError(msg)
        if match:
            found[match[1]] = path
    if not found:
        there = ", ".join(sorted(p.name for p in top.iterdir() if re.fullmatch(r"\d{4}", p.name))) or "none"
        msg = (
            f"no template map SURVEY_QUANTITY_NSIDE_{nside:04d}.fits in {top}/{nside:04d}: "
            f"put them there, or take a resolution that is there ({there})"
        )
        raise MissingDataError(msg)
    return found
