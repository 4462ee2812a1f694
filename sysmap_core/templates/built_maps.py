"""Template maps that were built: several quantities and resolutions, with all that is known about them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from types import MappingProxyType

import healpy as hp
import numpy as np
from astropy.io import fits

from ..errors import DataError, MissingDataError, ParameterError, unknown_name
from ..files import folder as existing_folder
from ..sky import PartialMap, partial_map, read_healsparse, read_map, usable, write_healsparse, write_map
from .conditions import Conditions
from .quantities import Quantity

SURVEYS: Mapping[str, int] = MappingProxyType({"GAIA": 5, "LS10": 4})
"""Surveys, with the digits of NSIDE in the names of their files."""

FORMATS: Mapping[str, str] = MappingProxyType({"fits": ".fits", "healsparse": ".hsp"})
"""Formats of the files, with their endings."""

OBJECTS = "objects"
"""Folder of the maps of the number of objects, beside the templates so that nobody takes them for one."""

CARDS: Mapping[str, str] = MappingProxyType(
    {
        "COLUMN": "column of the table",
        "UNIT": "unit of the values",
        "AGGR": "mean, sum, count (per pixel), density (deg-2)",
        "AVERAGE": "quantity in which a mean is taken",
        "DEGRADE": "how sub-pixels became coarser pixels",
        "FROMIVAR": "T: column is an inverse variance",
        "SENTIN1": "value for 'not observed', left out",
        "SENTIN2": "value for 'not observed', left out",
        "SENTIN3": "value for 'not observed', left out",
        "ZEROPT": "[mag] magnitude of flux one",
        "MAGLOW": "[mag] brightest object counted",
        "MAGHIGH": "[mag] objects counted are brighter",
        "VALLOW": "smallest value the unit allows",
        "VALHIGH": "largest value the unit allows",
        "NSRC": "number of sources in the table",
        "NOUTSIDE": "sources off the footprint, left out",
        "NUSED": "sources behind this map",
        "NSENTIN": "sources with a sentinel, left out",
        "NMISSING": "sources without a value, left out",
        "NMIN": "least sources behind a pixel",
        "FOOTPRNT": "T: a footprint was given",
        "SIMULATD": "T: simulated sources",
        "CODEVERS": "version of sysmap_core",
    }
)
"""Header cards of a map that was built, with their comments, beside those of every map."""


@dataclass(frozen=True)
class TemplateMaps:
    """Maps of several quantities at several resolutions, on the part of the sky that was seen.

    Parameters
    ----------
    survey : str
        Survey, a row of :data:`SURVEYS`.
    quantities : tuple of Quantity, length n_sys
        What the maps are.
    pixels : dict of int to ndarray of int, shape (n_pix,)
        HEALPix indices by NSIDE, RING, equatorial, ascending.
    values : dict of int to ndarray, shape (n_sys, n_pix)
        Values in the unit of each quantity, UNSEEN where it has none.
    objects : dict of int to ndarray of int, shape (n_pix,)
        Rows of the table in every pixel, whatever their values.
    headers : dict of str to dict
        Header cards by name of the map, see :data:`CARDS`.
    sources : dict of str to str
        Checksum of every file that was read, by name.
    simulated : bool
        Whether the rows are simulated.
    """

    survey: str
    quantities: tuple[Quantity, ...]
    pixels: dict[int, np.ndarray]
    values: dict[int, np.ndarray]
    objects: dict[int, np.ndarray]
    headers: dict[str, dict[str, object]]
    sources: dict[str, str]
    simulated: bool

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the maps."""
        return tuple(q.name for q in self.quantities)

    @property
    def nsides(self) -> tuple[int, ...]:
        """Resolutions, ascending."""
        return tuple(sorted(self.pixels))

    def partial(self, name: str, nside: int) -> PartialMap:
        """One map where it has values.

        Parameters
        ----------
        name : str
            Name of the map.
        nside : int
            Resolution.

        Returns
        -------
        PartialMap
            Pixels and values, with the header cards.

        Raises
        ------
        ParameterError
            When there is no such map.
        """
        if name not in self.names:
            raise unknown_name("map", name, self.names)
        if nside not in self.pixels:
            msg = f"nside is {nside}: maps were built for {', '.join(map(str, self.nsides))}"
            raise ParameterError(msg)
        values = self.values[nside][self.names.index(name)]
        good = usable(values)
        return PartialMap(self.pixels[nside][good], values[good], nside, dict(self.headers[name]))

    def conditions(self, nside: int) -> Conditions:
        """Full-sky maps of one resolution, as the samples have them.

        Parameters
        ----------
        nside : int
            Resolution.

        Returns
        -------
        Conditions
            Maps of all quantities.
        """
        maps = np.array([self.partial(name, nside).full_sky() for name in self.names])
        origin = ", ".join(f"{name} {sums}" for name, sums in self.sources.items()) or "rows in memory"
        return Conditions(maps, self.names, dict.fromkeys(self.names, origin), self.names if self.simulated else ())


def map_path(top: str | Path, survey: str, name: str, nside: int, file_format: str = "fits") -> Path:
    """File of a map in a folder of templates.

    Parameters
    ----------
    top : str or Path
        Folder of the templates.
    survey, name : str
        Survey and quantity.
    nside : int
        Resolution.
    file_format : {"fits", "healsparse"}
        Format.

    Returns
    -------
    Path
        ``{top}/{nside:04d}/{survey}_{name}_NSIDE_{nside}.fits`` with as many digits as the survey has,
        or with the ending ``.hsp``.

    Raises
    ------
    ParameterError
        When the survey or the format is not a known one.
    """
    if survey not in SURVEYS:
        raise unknown_name("survey", survey, SURVEYS)
    if file_format not in FORMATS:
        raise unknown_name("file_format", file_format, FORMATS)
    file = f"{survey}_{name}_NSIDE_{nside:0{SURVEYS[survey]}d}{FORMATS[file_format]}"
    return Path(top) / f"{nside:04d}" / file


def write_maps(maps: TemplateMaps, top: str | Path, file_format: str = "fits") -> tuple[Path, ...]:
    """Write maps into a folder of templates, each under a temporary name until it is complete.

    Parameters
    ----------
    maps : TemplateMaps
        What to write.
    top : str or Path
        Folder of the templates, made when it is missing.
    file_format : {"fits", "healsparse"}
        Full-sky HEALPix maps, which :func:`~.read_templates` reads, or HealSparse for a
        part of the sky at NSIDE 1024 and more.

    Returns
    -------
    tuple of Path
        Files of the templates.  Those of the number of objects are in a folder ``objects`` beside them.

    Raises
    ------
    ParameterError
        When the format is not a known one.
    MissingDataError
        When healsparse is wanted and not installed.
    """
    written = []
    for nside in maps.nsides:
        for name in maps.names:
            path = map_path(top, maps.survey, name, nside, file_format)
            cards = maps.headers[name] | _source_cards(maps.sources)
            written.append(_write(path, maps.partial(name, nside), name, maps.survey, cards))
        path = map_path(top, maps.survey, "OBJECTS", nside, file_format)
        objects = PartialMap(maps.pixels[nside], maps.objects[nside].astype(float), nside)
        cards = {"AGGR": "count", "UNIT": "count", "SIMULATD": maps.simulated}
        _write(path.parent / OBJECTS / path.name, objects, "OBJECTS", maps.survey, cards)
    return tuple(written)


def read_maps(top: str | Path, survey: str, file_format: str = "fits") -> TemplateMaps:
    """Read what :func:`write_maps` wrote.

    Parameters
    ----------
    top : str or Path
        Folder of the templates.
    survey : str
        Survey.
    file_format : {"fits", "healsparse"}
        Format.

    Returns
    -------
    TemplateMaps
        All quantities and resolutions of the survey, in the order of their names.

    Raises
    ------
    MissingDataError
        When there is no such folder or no map in it, or a map of objects is missing.
    DataError
        When a resolution lacks a quantity, or a map was not built by this package.
    """
    files = _files(existing_folder(top, "template_dir"), survey, file_format)
    names = tuple(sorted({name for name, _ in files}))
    nsides = sorted({nside for _, nside in files})
    pixels, values, objects, headers, sources = {}, {}, {}, {}, {}
    for nside in nsides:
        path = map_path(top, survey, "OBJECTS", nside, file_format)
        counted = _read(path.parent / OBJECTS / path.name)
        pixels[nside], objects[nside] = counted.pixels, counted.values.astype(np.int64)
        values[nside] = np.full((len(names), len(counted.pixels)), hp.UNSEEN)
        for row, name in zip(values[nside], names, strict=True):
            if (name, nside) not in files:
                msg = f"{name} is missing at NSIDE {nside} in {top}, and there at others: build all resolutions at once"
                raise DataError(msg)
            one = _read(files[name, nside])
            if not np.isin(one.pixels, counted.pixels).all():
                msg = f"{files[name, nside]} has pixels without objects in {path.name}: build both at once"
                raise DataError(msg)
            row[np.searchsorted(counted.pixels, one.pixels)] = one.values
            headers[name] = _known_cards(one.header, files[name, nside])
            sources |= _read_sources(one.header)
    quantities = tuple(Quantity.from_cards(name, headers[name]) for name in names)
    simulated = any(bool(h["SIMULATD"]) for h in headers.values())
    return TemplateMaps(survey, quantities, pixels, values, objects, headers, sources, simulated)


def _write(path: Path, values: PartialMap, quantity: str, survey: str, cards: Mapping[str, object]) -> Path:
    cards = dict(cards) | {"CODEVERS": version("sysmap-core")}
    if path.suffix == FORMATS["healsparse"]:
        return write_healsparse(path, values, quantity=quantity, survey=survey, aggregation=cards["AGGR"], cards=cards)
    commented = {k: (v, CARDS[k]) if k in CARDS else v for k, v in cards.items()} | {"TUNIT1": cards["UNIT"]}
    return write_map(path, values.full_sky(), quantity=quantity, survey=survey, cards=commented)


def _read(path: Path) -> PartialMap:
    if path.suffix == FORMATS["healsparse"]:
        return read_healsparse(path)
    return partial_map(read_map(path), dict(fits.getheader(path, 1)))


def _source_cards(sources: Mapping[str, str]) -> dict[str, str]:
    cards = {}
    for i, (name, checksum) in enumerate(sources.items(), 1):
        cards |= {f"SRC{i:03d}": name, f"SUM{i:03d}": checksum}
    return cards


def _read_sources(header: Mapping[str, object]) -> dict[str, str]:
    numbers = [k[3:] for k in header if re.fullmatch(r"SRC\d{3}", k)]
    return {header[f"SRC{n}"]: header[f"SUM{n}"] for n in numbers}


def _known_cards(header: Mapping[str, object], path: Path) -> dict[str, object]:
    if "NSRC" not in header or "COLUMN" not in header:
        msg = f"{path} was not built by this package: read it with healpix_io.read_map"
        raise DataError(msg)
    return {k: header[k] for k in CARDS if k in header and k != "CODEVERS"}


def _files(top: Path, survey: str, file_format: str) -> dict[tuple[str, int], Path]:
    """Files of a survey by quantity and resolution."""
    ending = map_path(top, survey, "", 1, file_format).suffix
    pattern = re.compile(rf"{survey}_(.+)_NSIDE_0*(\d+){re.escape(ending)}")
    found = {}
    for path in sorted(top.glob(f"[0-9][0-9][0-9][0-9]/{survey}_*{ending}")):
        match = pattern.fullmatch(path.name)
        if match:
            found[match[1], int(match[2])] = path
    if not found:
        msg = f"no map {survey}_*{ending} in the folders of {top}: build it, or check template_dir and the survey"
        raise MissingDataError(msg)
    return found
