r"""Weights of galaxies and randoms, and the files that carry them.

With a code that takes one weight per object, take WEIGHT of both files: WEIGHT_IN, the weights that came with the
catalogue, times WEIGHT_ALONE, which takes the contamination out of the mean density of the galaxies and is one for
randoms.  To undo the contamination exactly take the pair of WEIGHT_SYS in
:math:`w = (DD - 2 D R_s + R_s R_s) / RR`, with WEIGHT_IN WEIGHT_SYS on galaxies D and randoms :math:`R_s`, and
WEIGHT_IN only on R: the weights of the randoms stay out of RR, and WEIGHT_SYS or the column of a combined method on
galaxies, without their partner of the same name on randoms, can be worse than no weight.  Leave out objects with IN_FIT
false, which have weight one; column X of galaxies in redshift bin k goes with X_Zk of the randoms where there is one,
and parts have mean densities of their own: measure them one by one, or multiply the randoms of each by PERRAND of the
table PARTS.

Notes
-----
A pixel with the density :math:`1 + \delta_{\rm obs} = (1 + A) + (1 + B)\,\delta` has the true overdensity
:math:`W_g (1 + \delta_{\rm obs}) - W_r` with :math:`W_g = 1 / (1 + B)` and :math:`W_r = (1 + A) / (1 + B)`.  One weight
:math:`1 / (1 + A)` leaves :math:`\delta\,(1 + B) / (1 + A)`: the mean density is right, and the correlation function
to the second order in A and B.  The same order is lost when a code puts the pair into all of DD, DR and RR.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

from ..errors import unknown_name
from ..files import plain
from ..methods import Decontamination
from .files import FORMATS, write_params, write_table
from .header import template_checksums
from .parts import FittedPart, fitted_parts, labelled
from .rows import weight_table


def write_all(
    folder: str | Path,
    sample,
    results: Mapping[str, Decontamination] | Sequence[FittedPart],
    ratio_test=None,
    verdict=None,
    *,
    format: str = "fits",
    identifier_column: str | None = None,
) -> tuple[Path, Path, Path]:
    """Write the weights of galaxies and randoms and the fitted parameters of a sample, or of all of its parts.

    Parameters
    ----------
    folder : str or Path
        Where to write; made when missing.
    sample : Sample
        The whole sample with its catalogues.
    results : mapping of str to Decontamination, or sequence of FittedPart
        Results by method; or the parts of the sample with theirs, which share the files.
    ratio_test : RatioTest, optional
        Test for multiplicative contamination of the whole sample.
    verdict : Verdict, optional
        What to do with the whole sample, from the result behind WEIGHT_SYS.
    format : {"fits", "parquet"}
        Of the two tables.
    identifier_column : str, optional
        Column of the catalogue that names the objects, such as TARGETID: it is carried along as it is.

    Returns
    -------
    tuple of Path
        ``{id}_NSIDE{nside}_WEIGHTS.fits``, ``..._RANDOM_WEIGHTS.fits`` and ``..._params.json``; the first two end in
        ``.parquet`` where that is asked for.

    Raises
    ------
    ParameterError
        For a name of the sample that is none of a file, an unknown format or identifier, or a test beside parts.
    DataError
        When parts cannot share a file, or FITS cannot hold a text.
    MissingDataError
        For Parquet without pyarrow.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from sysmap_core import decontaminate, overdensity, standardise
    >>> from sysmap_core.samples import Sample
    >>> counts, pixels = np.random.default_rng(0).poisson(20.0, 768), np.arange(768)
    >>> maps = np.random.default_rng(1).normal(size=(1, 768))
    >>> fit = decontaminate(overdensity(counts, np.ones(768), pixels), standardise(maps, ["dust"], pixels), "OLS")
    >>> sample = Sample("toy", "toy", 8, counts, np.ones(768), maps, ("dust",), None, None, True, None, {}, "error", ())
    >>> for path in write_all(tempfile.mkdtemp(), sample, {"OLS": fit}):
    ...     print(path.name)
    toy_NSIDE0008_WEIGHTS.fits
    toy_NSIDE0008_RANDOM_WEIGHTS.fits
    toy_NSIDE0008_params.json
    """
    if format not in FORMATS:
        raise unknown_name("format", format, FORMATS)
    parts = fitted_parts(sample, results, ratio_test, verdict)
    tables = [
        weight_table(sample, parts, kind, identifier_column=identifier_column) for kind in ("galaxies", "randoms")
    ]
    stem, ending = file_stem(folder, sample, parts[0].best), FORMATS[format]
    return (
        write_table(f"{stem}_WEIGHTS{ending}", tables[0]),
        write_table(f"{stem}_RANDOM_WEIGHTS{ending}", tables[1]),
        write_params(f"{stem}_params.json", params_content(sample, parts)),
    )


def file_stem(folder: str | Path, sample, result: Decontamination) -> str:
    """What the names of the files of a sample begin with, in a folder."""
    return str(Path(folder) / f"{sample.identifier}_NSIDE{result.footprint.nside:04d}")


def params_content(sample, parts: Sequence[FittedPart]) -> dict[str, object]:
    """Fitted parameters of a sample, for :func:`~.write_params`.

    Parameters
    ----------
    sample : Sample
        The whole sample.
    parts : sequence of FittedPart
        Its parts.

    Returns
    -------
    dict
        Of a whole sample; with regions or bins, ``parts`` has those of each.
    """
    if not labelled(parts):
        return _part_content(parts[0])
    n_galaxies, n_randoms = (len(c) if c is not None else 0 for c in (sample.galaxies, sample.randoms))
    return {
        "sample_id": sample.identifier,
        "simulated": sample.simulated,
        "nside": parts[0].best.footprint.nside,
        "n_galaxies": n_galaxies or sum(p.cards["NGAL"] for p in parts),
        "n_randoms": n_randoms,
        "sources": dict(sample.sources),
        "code_version": version("sysmap-core"),
        "parts": [_place(p) | _part_content(p) for p in parts],
    }


def _place(fitted: FittedPart) -> dict[str, object]:
    names = {"REGION": "region", "ZBIN": "z_bin", "ZMIN": "z_min", "ZMAX": "z_max"}
    return {names[key]: value for key, value in fitted.place.items()}


def _part_content(fitted: FittedPart) -> dict[str, object]:
    sample, best, cards = fitted.part.sample, fitted.best, fitted.cards
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
        "methods": {name: result.to_dict(maps=False) for name, result in fitted.results.items()},
        "lrt": None if fitted.ratio_test is None else plain(vars(fitted.ratio_test)),
        "verdict": None if fitted.verdict is None else plain(vars(fitted.verdict)),
    }
    if sample.truth is not None:
        content["truth"] = {"a": sample.truth.a.tolist(), "b": sample.truth.b.tolist()}
    return content
