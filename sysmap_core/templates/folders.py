"""Folders and lists of template maps, of any survey and origin.

A map is read by what its file says of itself; what the file leaves open is declared, for all files or for each.
Nothing is guessed, and no map is left out without a word.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import DataError, SysmapError, unknown_name
from ..files import checksum
from ..sky import check_nside
from .conditions import Conditions
from .file_lists import list_maps
from .map_files import Declaration, FileMaps, declarations, read_file

UNREADABLE = ("error", "note")
"""What becomes of a map that cannot be read."""


@dataclass(frozen=True)
class ReadConditions(Conditions):
    """Maps of observing conditions that were read from files.

    Parameters
    ----------
    maps, names, simulated
        As in :class:`~.Conditions`.
    sources : dict
        SHA-256 of every file by its name.
    notes : tuple of str
        Sentences on what was declared, averaged, replicated or not read.
    """

    notes: tuple[str, ...] = ()

    def select(self, names: Sequence[str]) -> ReadConditions:
        """Some of the maps, in a given order, with all files and notes; see :meth:`.Conditions.select`."""
        some = super().select(names)
        return ReadConditions(some.maps, some.names, dict(self.sources), some.simulated, self.notes)


def read_templates(
    template_dir: str | Path | Sequence[str | Path],
    nside: int,
    *,
    ordering: str | None = None,
    frame: str | None = None,
    declared: Mapping[str, Mapping[str, object]] | None = None,
    unreadable: str = "error",
) -> ReadConditions:
    """Read template maps, all brought to RING, equatorial, and one resolution.

    Parameters
    ----------
    template_dir : str, Path or sequence of them
        Folder of maps, or a list of maps (also as text, with commas), each HEALPix in a FITS table or HealSparse.

        A folder with folders of resolutions such as ``0064/`` is read as that of the LS10 samples: maps
        ``{survey}_{quantity}_NSIDE_0064.fits`` of one or several surveys, each with the name of its quantity.  Of
        another folder all files with the ending of a map are read (``.fits``, ``.fit``, compressed or not, ``.hsp``,
        ``.hs``).
    nside : int
        Resolution wanted.
    ordering, frame : str, optional
        As in :func:`~.read_map`, for all files whose headers do not say.
    declared : mapping of str to mapping, optional
        What is to be known of single files, by file name: ``ordering``, ``frame``, ``column`` (one or several),
        ``name`` of the template, and ``kind``, ``"sum"`` for counts.  It goes before ``ordering`` and ``frame``.
    unreadable : {"error", "note"}
        Whether a map that cannot be read is an error, or only named in the notes.

    Returns
    -------
    ReadConditions
        Maps in the order of their files, UNSEEN where they are missing, with checksums and notes.

    Raises
    ------
    MissingDataError
        When the folder, a file, or any map in the folder, is missing.
    DataError
        When two files hold one template, or a file cannot be read as it says: all such files are named at once.
    ParameterError
        When a name in ``declared``, an ordering or a frame is not a known one.

    Notes
    -----
    Outside the LS10 layout, the template of a file with one map has the name of the file, without the ending and
    what says resolution, ordering and frame at its end (``_NSIDE_0064``, ``_nside64``, ``_nested``, ``_equatorial``);
    templates of a file with several have the names of their columns.  Columns of pixel indices, positions, observed
    area and counts of galaxies or randoms are no templates.

    Maps of another resolution are averaged over the usable area of every pixel, or summed when they are of kind
    ``"sum"`` (or their AGGR card says sum or count); coarser ones are replicated.  In the LS10 layout they are an
    error.

    Examples
    --------
    >>> import tempfile, numpy as np
    >>> from sysmap_core.sky import write_map
    >>> from sysmap_core.templates import read_templates
    >>> folder = tempfile.mkdtemp()
    >>> path = write_map(folder + "/dust_nside2.fits", np.linspace(0, 1, 48), quantity="EBV", survey="SFD")
    >>> found = read_templates(folder, 1)
    >>> found.names, found.notes
    (('dust',), ('Maps of NSIDE 2 are averaged to 1 over their pixels with values: dust_nside2.fits.',))
    """
    check_nside(nside)
    if unreadable not in UNREADABLE:
        raise unknown_name("unreadable", unreadable, UNREADABLE)
    found = list_maps(template_dir, nside)
    told = declarations(declared, [path.name for path in found.files])
    read, failed = [], {}
    for path, name in found.files.items():
        try:
            one = _read(path, nside, told[path.name], name, found.quantities, ordering=ordering, frame=frame)
            read.append(one)
        except SysmapError as error:
            failed[path] = error
    if failed and (unreadable == "error" or not read):
        raise _error(failed)
    names = tuple(name for one in read for name in one.names)
    _check_names(read)
    notes = (*found.notes, *_notes(read, nside), *(f"Not read: {reason}." for reason in _reasons(failed)))
    sources = {one.path.name: checksum(one.path) for one in read}
    return ReadConditions(np.concatenate([one.maps for one in read]), names, sources, notes=notes)


def _read(
    path: Path, nside: int, told: Declaration, name: str, quantity: bool, *, ordering: str | None, frame: str | None
) -> FileMaps:
    one = read_file(path, nside, told, name=name, quantity=quantity, ordering=ordering, frame=frame)
    if quantity and one.nside != nside:
        msg = f"{path} has NSIDE {one.nside}: move it to the folder of its resolution"
        raise DataError(msg)
    return one


def _check_names(read: Sequence[FileMaps]) -> None:
    of: dict[str, str] = {}
    for one in read:
        for name in one.names:
            if name in of:
                msg = f"template {name} is in {of[name]} and in {one.path.name}: keep one, or name it otherwise"
                raise DataError(msg)
            of[name] = one.path.name


def _reasons(failed: Mapping[Path, SysmapError]) -> list[str]:
    """Why files cannot be read, those of one reason together."""
    files: dict[str, list[str]] = {}
    for path, error in failed.items():
        reason = str(error).replace(f"{path}: ", "").replace(f"{path} ", "").replace(str(path), path.name)
        files.setdefault(reason, []).append(path.name)
    return [f"{', '.join(names)}, {reason}" for reason, names in files.items()]


def _error(failed: Mapping[Path, SysmapError]) -> SysmapError:
    if len(failed) == 1:
        return next(iter(failed.values()))
    listed = "; ".join(f"{i}) {reason}" for i, reason in enumerate(_reasons(failed), 1))
    return DataError(f"{len(failed)} template maps cannot be read: {listed}")


def _notes(read: Sequence[FileMaps], nside: int) -> Iterator[str]:
    groups: dict[str, list[str]] = {}
    for one in read:
        if one.nside > nside:
            how = f"averaged to {nside} over their pixels with values" if one.kind == "mean" else f"summed to {nside}"
            groups.setdefault(f"Maps of NSIDE {one.nside} are {how}", []).append(one.path.name)
        elif one.nside < nside:
            how = f"replicated to {nside}, which adds no detail"
            groups.setdefault(f"Maps of NSIDE {one.nside} are {how}", []).append(one.path.name)
        if one.undeclared:
            how = f"Taken as declared, as headers do not say, {' and '.join(one.undeclared)}"
            groups.setdefault(how, []).append(one.path.name)
        if one.left:
            groups.setdefault(f"Columns {', '.join(one.left)} are not taken for templates", []).append(one.path.name)
    return (f"{sentence}: {', '.join(files)}." for sentence, files in groups.items())
