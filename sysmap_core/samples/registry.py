"""Galaxy samples by name: read from their files, or simulated and labelled so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from ..errors import DataError, MissingDataError, ParameterError, unknown_name
from ..files import checksum, folder
from ..sky import check_nside, table_columns, usable
from ..templates import read_templates
from .lrg import NSIDE_TEMPLATES, read_lrg_pixels
from .ls10 import LS10_SAMPLES
from .reading import read_sample
from .sample import Sample, SampleInfo
from .simulated import simulate_sample
from .spec import SampleSpec

LRG = SampleInfo("desi_lrg_decals", "DESI luminous red galaxy targets, DECaLS", NSIDE_TEMPLATES, 606302)
"""Real counts per pixel with eleven real templates."""

SAMPLES: Mapping[str, SampleInfo] = MappingProxyType({info.identifier: info for info in (*LS10_SAMPLES, LRG)})
"""All samples by identifier."""

SUFFIXES = (".fits", ".fits.gz", ".FITS", ".fit")
"""Endings of the files of a catalogue."""

COMPLETENESS = "WEIGHT_COMP"
"""Weight that the catalogues of LS10 may have."""

SHOWN = 6
"""Files of a folder that a message names."""


def find_sample(name: str | float) -> SampleInfo:
    """Sample of a name.

    Parameters
    ----------
    name : str or float
        Identifier of a sample, or the mass threshold of one of the nine, e.g. ``"10.5"``.

    Returns
    -------
    SampleInfo
        What is published about it.

    Raises
    ------
    ParameterError
        When there is no such sample.
    """
    text = str(name).strip()
    folded = {identifier.lower(): info for identifier, info in SAMPLES.items()}
    if text.lower() in folded:
        return folded[text.lower()]
    try:
        threshold = float(text)
    except ValueError:
        threshold = None
    for info in LS10_SAMPLES:
        if info.log_mass == threshold:
            return info
    raise unknown_name("sample", name, [*(str(info.log_mass) for info in LS10_SAMPLES), *SAMPLES])


def load_sample(
    name: str | float,
    nside: int,
    *,
    data_dir: str | Path | None = None,
    template_dir: str | Path | None = None,
    template_ordering: str | None = None,
    template_frame: str | None = None,
    seed: int = 0,
) -> Sample:
    """Load a sample, or simulate it when no folder of catalogues is given.

    Parameters
    ----------
    name : str or float
        As in :func:`find_sample`.
    nside : int
        Resolution of the run.
    data_dir : str or Path, optional
        Folder with ``{identifier}_DATA.fits`` and ``{identifier}_RAND.fits``, or with another of :data:`SUFFIXES`;
        without it the sample is simulated.  Of desi_lrg_decals, the folder of its files (environment variable
        SYSMAP_DATA by default).
    template_dir : str or Path, optional
        Folder of template maps, see :func:`~.read_templates`.
        Simulated samples have simulated templates without it.
    template_ordering, template_frame : str, optional
        Ordering and frame of the template maps, where their headers do not say.
    seed : int
        Seed of a simulation.

    Returns
    -------
    Sample
        Counts, coverage, templates and, for a simulation, the truth.

    Raises
    ------
    ParameterError
        When the sample is not known, or is not available at this resolution.
    MissingDataError
        When a folder or file that was asked for is not there, a catalogue is missing, or real catalogues come
        without real templates.
    DataError
        When files do not hold what they should.
    """
    info = find_sample(name)
    check_nside(nside)
    if info is LRG:
        if template_dir:
            msg = f"template_dir is {str(template_dir)!r}: {LRG.identifier} has its own templates, leave it empty"
            raise ParameterError(msg)
        return _load_lrg(nside, data_dir)
    how = {"ordering": template_ordering or None, "frame": template_frame or None}
    if data_dir:
        return _read_ls10(info, nside, data_dir, template_dir, **how)
    return simulate_sample(info, nside, seed, read_templates(template_dir, nside, **how) if template_dir else None)


def sample_of(spec: SampleSpec) -> Sample:
    """Sample that a spec describes.

    Parameters
    ----------
    spec : SampleSpec
        Files of any survey, or the name of a sample.

    Returns
    -------
    Sample
        Read from its files, or simulated.

    Raises
    ------
    ParameterError, MissingDataError, DataError
        As in :func:`~.read_sample` and :func:`load_sample`.
    """
    if not spec.sample:
        return read_sample(spec)
    spec.checked()
    return load_sample(
        spec.sample,
        spec.nside,
        data_dir=spec.data_dir,
        template_dir=spec.template_dir,
        template_ordering=spec.ordering,
        template_frame=spec.frame,
        seed=spec.seed,
    )


def _load_lrg(nside: int, data_dir: str | Path | None) -> Sample:
    data = read_lrg_pixels(data_dir, nside)
    inside = data.coverage > 0
    lost = {n: int((~usable(m[inside])).sum()) for n, m in zip(data.names, data.maps, strict=True)}
    whole = int(usable(data.maps[:, inside]).all(0).sum())
    missing = ", ".join(f"{n} in {count}" for n, count in lost.items() if count)
    notes = (
        "Counts and templates are real: nothing is simulated.",
        f"Of {inside.sum()} pixels {whole} have all {len(data.names)} templates; undefined are {missing or 'none'}.",
    )
    return Sample(
        identifier=LRG.identifier,
        title=LRG.title,
        nside=nside,
        galaxy_counts=data.counts,
        coverage=data.coverage,
        maps=data.maps,
        template_names=data.names,
        galaxies=None,
        randoms=None,
        simulated=False,
        truth=None,
        sources={data.path.name: checksum(data.path)},
        missing="drop",
        notes=notes,
    )


def _catalogue_paths(info: SampleInfo, data_dir: str | Path) -> list[Path]:
    """Files of galaxies and randoms; a folder that was given is never passed over for a simulation."""
    top = folder(data_dir, "data_dir")
    there = sorted(path.name for path in top.iterdir())
    stems = [f"{info.identifier}_{kind}" for kind in ("DATA", "RAND")]
    found = [[name for name in there if name in {stem + suffix for suffix in SUFFIXES}] for stem in stems]
    for names in found:
        if len(names) > 1:
            msg = f"{' and '.join(names)} are both in {top}: leave one of them"
            raise DataError(msg)
    lacking = [f"{stem}.fits" for stem, names in zip(stems, found, strict=True) if not names]
    if lacking:
        more = f" and {len(there) - SHOWN} more" if len(there) > SHOWN else ""
        holds = f"it holds {', '.join(there[:SHOWN])}{more}" if there else "it is empty"
        msg = (
            f"data_dir {top} lacks {' and '.join(lacking)}, {holds}: rename the files, or give no data_dir to simulate"
        )
        raise MissingDataError(msg)
    return [top / name for names in found for name in names]


def _read_ls10(
    info: SampleInfo, nside: int, data_dir: str | Path, template_dir, ordering: str | None, frame: str | None
) -> Sample:
    paths = _catalogue_paths(info, data_dir)
    if not template_dir:
        msg = f"{paths[0].name} is a real catalogue and needs real templates: give template_dir"
        raise MissingDataError(msg)
    weights = [(COMPLETENESS,) if COMPLETENESS in table_columns(path) else () for path in paths]
    sample = read_sample(
        SampleSpec(
            nside,
            data=paths[0],
            randoms=paths[1],
            template_dir=template_dir,
            identifier=info.identifier,
            title=info.title,
            weight_columns=weights[0],
            random_weight_columns=weights[1],
            ordering=ordering or "",
            frame=frame or "",
        )
    )
    if len(sample.galaxies) == info.n_galaxies:
        return sample
    note = f"The catalogue has {len(sample.galaxies)} galaxies, the sample is published with {info.n_galaxies}."
    return replace(sample, notes=(*sample.notes, note))
