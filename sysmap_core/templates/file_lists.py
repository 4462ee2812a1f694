"""Which files are template maps, and how their templates are called."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import DataError, MissingDataError
from ..files import folder as existing_folder

ENDINGS = (".fits", ".fits.gz", ".fit", ".fit.gz", ".fits.fz", ".hsp", ".hs")
"""Endings of files of maps, in small letters or capitals."""

SHOWN = 6
"""Files of a folder that a message names."""

_TAIL = re.compile(r"(?:[_.-](?:nside[_-]?\d+|nested|nest|ring|equatorial|galactic))+$", re.IGNORECASE)


@dataclass(frozen=True)
class MapList:
    """Files of template maps.

    Parameters
    ----------
    files : dict of Path to str
        The files, with the name of the template of each that holds one.
    quantities : bool
        Whether these names are those of quantities, as in the folders of the LS10 samples.
    notes : tuple of str
        Sentences on what is there and is not read.
    """

    files: dict[Path, str]
    quantities: bool
    notes: tuple[str, ...] = ()


def list_maps(template_dir: str | Path | Sequence[str | Path], nside: int) -> MapList:
    """Files of template maps in a folder, or in a list.

    Parameters
    ----------
    template_dir : str, Path or sequence of them
        As in :func:`~.read_templates`.
    nside : int
        Resolution wanted.

    Returns
    -------
    MapList
        Files of a folder in the order of their names, those of a list in its order.

    Raises
    ------
    MissingDataError
        When the folder, a file of the list, or any map in the folder, is missing.
    DataError
        When two files of a list have one name.
    """
    if isinstance(template_dir, (str, Path)) and not _is_list(template_dir):
        given = Path(template_dir).expanduser()
        return _single_files([given]) if given.is_file() else _in_folder(given, nside)
    paths = template_dir.split(",") if isinstance(template_dir, str) else template_dir
    return _single_files([Path(str(path).strip()).expanduser() for path in paths])


def _is_list(template_dir: str | Path) -> bool:
    return "," in str(template_dir) and not Path(template_dir).expanduser().exists()


def _single_files(paths: Sequence[Path]) -> MapList:
    lost = [str(path) for path in paths if not path.is_file()]
    if lost or not paths:
        what = f"{', '.join(lost)}, which is not a file" if lost else "an empty list"
        msg = f"template_dir names {what}: give a folder, or a list of files, taken from {Path.cwd()}"
        raise MissingDataError(msg)
    twice = sorted({path.name for path in paths if [other.name for other in paths].count(path.name) > 1})
    if twice:
        msg = f"template_dir names two files {', '.join(twice)}: rename one of them, as files are known by their names"
        raise DataError(msg)
    return MapList({path: template_name(path.name) for path in paths}, False)


def _in_folder(top: Path, nside: int) -> MapList:
    """Maps of a folder: those of the folder of their resolution if there is one, else all."""
    there = sorted(path for path in existing_folder(top, "template_dir").iterdir() if not path.name.startswith("."))
    resolutions = [path.name for path in there if path.is_dir() and re.fullmatch(r"\d{4}", path.name)]
    files = [path for path in there if path.is_file()]
    maps = [path for path in files if _ending(path.name)]
    named = _named_by_quantity(top / f"{nside:04d}", nside)
    if named:
        beside = [path.name for path in sorted((top / f"{nside:04d}").glob("[!.]*")) if path not in named]
        beside = [*(name for name in beside if _ending(name)), *(path.name for path in maps)]
        why = f"as they are not SURVEY_QUANTITY_NSIDE_{nside:04d} in the folder {nside:04d}"
        return MapList(named, True, (f"Not read, {why}: {', '.join(beside)}.",) if beside else ())
    if maps:
        beside = [path.name for path in files if path not in maps]
        notes = (f"Not read, as they have no ending of a map: {', '.join(beside)}.",) if beside else ()
        return MapList({path: template_name(path.name) for path in maps}, False, notes)
    raise _nothing(top, nside, resolutions, there)


def _nothing(top: Path, nside: int, resolutions: list[str], there: list[Path]) -> MissingDataError:
    if not resolutions:
        return MissingDataError(
            f"no template map in {top}, {_holds(there)}: give files {', '.join(ENDINGS)}, or a folder {nside:04d} with "
            f"SURVEY_QUANTITY_NSIDE_{nside:04d}.fits"
        )
    of_nside = top / f"{nside:04d}"
    inside = sorted(of_nside.glob("[!.]*"))
    holds = f", {_holds(inside)}" if inside else ""
    return MissingDataError(
        f"no template map SURVEY_QUANTITY_NSIDE_{nside:04d}.fits in {of_nside}{holds}: "
        f"put them there, or take a resolution that is there ({', '.join(resolutions)})"
    )


def _holds(there: Sequence[Path]) -> str:
    names = [f"{path.name}/" if path.is_dir() else path.name for path in there]
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"which holds {', '.join(names[:SHOWN])}{more}" if names else "which is empty"


def _named_by_quantity(of_nside: Path, nside: int) -> dict[Path, str]:
    pattern = re.compile(rf"[A-Za-z0-9-]+_(.+)_NSIDE_0*{nside}")
    maps = [path for path in sorted(of_nside.glob("*")) if _ending(path.name)]
    matches = {path: pattern.fullmatch(path.name.removesuffix(_ending(path.name))) for path in maps}
    return {path: match[1] for path, match in matches.items() if match}


def _ending(name: str) -> str:
    """Ending of a file of maps; empty for another file."""
    fitting = [ending for ending in ENDINGS if name.lower().endswith(ending)]
    return name[-max(map(len, fitting)) :] if fitting else ""


def template_name(file: str) -> str:
    """Name of a template from that of its file.

    Parameters
    ----------
    file : str
        Name of the file.

    Returns
    -------
    str
        Without the ending, and without what says resolution, ordering and frame at its end.

    Examples
    --------
    >>> template_name("gaia_stardens_nside128_nested_equatorial.fits.gz")
    'gaia_stardens'
    """
    stem = file.removesuffix(_ending(file))
    return _TAIL.sub("", stem) or stem
