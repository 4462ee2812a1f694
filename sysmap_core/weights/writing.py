"""Weights of galaxies and randoms, and the files that carry them.

Each galaxy and each random carries the weight of its pixel.  The pair that undoes the
contamination exactly is ``1 / (1 + B)`` on the galaxies and ``(1 + A) / (1 + B)`` on the
randoms; a galaxy weight alone cannot remove an additive part.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

import numpy as np

from ..files import plain
from ..methods import METHODS, MIN_WEIGHT_DENOMINATOR, Decontamination
from ..sky import Catalogue, Footprint, shared_footprint
from ..templates import TemplateSet
from .columns import _formula, _pair, at_positions, column, recommended
from .files import WeightTable, position_checksum, write_params, write_table


def write_weights(
    path: str | Path,
    header: Mapping[str, object],
    results: Mapping[str, Decontamination],
    galaxies: Catalogue | None,
) -> Path:
    """Write the weights of the galaxies, one row per galaxy in the order of the catalogue.

    Parameters
    ----------
    path : str or Path
        File to write; it appears complete or not at all.
    header : mapping
        Header cards, see :func:`header_cards`.
    results : mapping of str to Decontamination
        Results by method; each gives a column.
    galaxies : Catalogue or None
        Galaxies; a sample of pixel counts has none and gets one row per pixel.

    Returns
    -------
    Path
        The file.
    """
    best = recommended(results)
    columns = {METHODS[name].column: column(result) for name, result in results.items()}
    meanings = {METHODS[name].column: f"{METHODS[name].label}: {_formula(r)}" for name, r in results.items()}
    columns["WEIGHT_SYS"], meanings["WEIGHT_SYS"] = best.galaxy_weights, _pair(best)[0]
    return write_table(path, _table(header, "galaxies", best.footprint, galaxies, columns, meanings))


def write_random_weights(
    path: str | Path,
    header: Mapping[str, object],
    results: Mapping[str, Decontamination],
    randoms: Catalogue | None,
) -> Path:
    """Write the weights of the randoms that belong to WEIGHT_SYS of the galaxies.

    Parameters
    ----------
    path : str or Path
        File to write; it appears complete or not at all.
    header : mapping
        Header cards.
    results : mapping of str to Decontamination
        Results by method.
    randoms : Catalogue or None
        Randoms; a sample of pixel counts has none and gets one row per pixel.

    Returns
    -------
    Path
        The file.
    """
    best = recommended(results)
    columns, meanings = {"WEIGHT_SYS": best.random_weights}, {"WEIGHT_SYS": _pair(best)[1]}
    return write_table(path, _table(header, "randoms", best.footprint, randoms, columns, meanings))


def write_all(
    folder: str | Path,
    sample,
    results: Mapping[str, Decontamination],
    ratio_test=None,
    verdict=None,
) -> tuple[Path, Path, Path]:
    """Write the weights of galaxies and randoms and the fitted parameters of a sample.

    Parameters
    ----------
    folder : str or Path
        Where to write; made when missing.
    sample : Sample
        Sample with its catalogues.
    results : mapping of str to Decontamination
        Results by method.
    ratio_test : RatioTest, optional
        Test for multiplicative contamination.
    verdict : Verdict, optional
        What to do with the sample.

    Returns
    -------
    tuple of Path
        ``{id}_NSIDE{nside}_WEIGHTS.fits``, ``..._RANDOM_WEIGHTS.fits`` and ``..._params.json``.
    """
    cards, best = header_cards(sample, results, ratio_test, verdict), recommended(results)
    templates = best.templates
    content = {
        "sample_id": sample.identifier,
        "simulated": sample.simulated,
        "nside": best.footprint.nside,
        "n_sys": templates.n_sys,
        "n_galaxies": cards["NGAL"],
        "n_randoms": cards["NRAND"],
        "template_names": list(templates.names),
        "template_basis": f"{cards['TBASIS']}: zero mean, unit rms",
        "template_mean": templates.mean.tolist(),
        "template_rms": templates.rms.tolist(),
        "template_checksums": template_checksums(templates),
        "sources": dict(sample.sources),
        "code_version": version("sysmap-core"),
        "methods": {name: result.to_dict(maps=False) for name, result in results.items()},
        "lrt": None if ratio_test is None else plain(vars(ratio_test)),
        "verdict": None if verdict is None else plain(vars(verdict)),
    }
    if sample.truth is not None:
        content["truth"] = {"a": sample.truth.a.tolist(), "b": sample.truth.b.tolist()}
    stem = _stem(folder, sample, best)
    return (
        write_weights(f"{stem}_WEIGHTS.fits", cards, results, sample.galaxies),
        write_random_weights(f"{stem}_RANDOM_WEIGHTS.fits", cards, results, sample.randoms),
        write_params(f"{stem}_params.json", content),
    )


def template_checksums(templates: TemplateSet) -> list[str]:
    """Short checksum of every template.

    Parameters
    ----------
    templates : TemplateSet
        Standardised templates.

    Returns
    -------
    list of str, length n_sys
        First 16 hexadecimal digits of the SHA-256 of its values to six decimals.
    """
    # in fixed point, as sums differ in their last bits between machines
    values = np.ascontiguousarray(np.round(templates.values * 1e6), dtype="<i8")
    return [hashlib.sha256(row.tobytes()).hexdigest()[:16] for row in values]


def header_cards(
    sample,
    results: Mapping[str, Decontamination],
    ratio_test=None,
    verdict=None,
) -> dict[str, object]:
    """Header cards of the files of weights, all but those that depend on the rows.

    Parameters
    ----------
    sample : Sample
        Sample with its catalogues.
    results : mapping of str to Decontamination
        Results by method.
    ratio_test : RatioTest, optional
        Test for multiplicative contamination.
    verdict : Verdict, optional
        What to do with the sample.

    Returns
    -------
    dict
        Keyword to value; their meanings are in :data:`~sysmap_core.weights.files.CARDS`.
    """
    best = recommended(results)
    shared_footprint(**{f"result of {name}": result for name, result in results.items()})
    field, templates = best.field, best.templates
    n_galaxies, n_randoms = (len(c) if c is not None else 0 for c in (sample.galaxies, sample.randoms))
    cards = {
        "SAMPLE": sample.identifier,
        "SIMULATD": sample.simulated,
        "NSIDE": field.nside,
        "ORDERING": "RING",
        "COORDSYS": "C",
        "NPIX": field.n_pix,
        "NSYS": templates.n_sys,
        "NGAL": n_galaxies or round(field.n_galaxies),
        "NRAND": n_randoms,
        "SYSFROM": best.method,
        "SYSMODEL": best.model,
        "COVFROM": best.covariance,
        "SHRINK": best.shrinkage,
        "TBASIS": "standardised on the footprint",
        "CLIPFRAC": best.clipped,
        "WFLOOR": MIN_WEIGHT_DENOMINATOR,
        "SEED": best.seed,
        "CODEVERS": version("sysmap-core"),
    }
    if verdict is not None:
        cards["CORRECT"] = verdict.correct
    if ratio_test is not None:
        cards |= {"LRT_LAM": ratio_test.ratio, "LRT_P": ratio_test.p}
    numbered = {"TMPL": templates.names, "TSUM": template_checksums(templates)}
    numbered |= {"A_SYS": best.a_mean, "B_SYS": best.b_mean, "A_FIT": best.a, "B_FIT": best.b}
    for name, result in results.items():
        numbered |= {key: getattr(result, which) for key, which in METHODS[name].cards.items()}
    return cards | {
        f"{key}{i:03d}": values[i - 1] for i in range(1, templates.n_sys + 1) for key, values in numbered.items()
    }


def _stem(folder: str | Path, sample, best: Decontamination) -> str:
    return str(Path(folder) / f"{sample.identifier}_NSIDE{best.footprint.nside:04d}")


def _table(header, kind: str, footprint: Footprint, catalogue: Catalogue | None, columns, meanings) -> WeightTable:
    # from the pixels: a catalogue off the footprint has ones as well, and there they are wrong
    ones = [name for name, values in columns.items() if np.all(values == 1.0)]
    unit = dict.fromkeys("WEIGHT_SYS" if name.startswith("WEIGHT_SYS") else name for name in ones)
    place, outside = {"HPXPIXEL": footprint.pixels}, 0
    if catalogue is not None:
        place = {"RA": catalogue.ra, "DEC": catalogue.dec}
        outside = int(np.sum(at_positions(np.zeros(footprint.n_pix), footprint, catalogue)))
        columns = {name: at_positions(values, footprint, catalogue) for name, values in columns.items()}
    rows = {"WEIGHTOF": kind, "UNITCOLS": ", ".join(unit), "NOUTSIDE": outside, "CATSUM": position_checksum(place)}
    return WeightTable(place | columns, {**header, **rows}, meanings)
