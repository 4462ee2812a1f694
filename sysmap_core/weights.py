"""Files of weights and of fitted parameters.

Each galaxy and each random carries the weight of its pixel.  The pair that undoes the
contamination exactly is ``1 / (1 + B)`` on the galaxies and ``(1 + A) / (1 + B)`` on the
randoms; a galaxy weight alone cannot remove an additive part.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import healpy as hp
import numpy as np
from astropy.io import fits

from .catalogues import Catalogue, catalogue_checksum
from .decontamination import MIN_WEIGHT_DENOMINATOR, Decontamination
from .files import plain, replacing
from .methods import METHODS
from .sky import Field
from .templates import TemplateSet

RECOMMENDED = "MCMC-comb"


def recommended(results: Mapping[str, Decontamination]) -> Decontamination:
    """Result behind WEIGHT_SYS: the combined one, or the last when that was not run.

    Parameters
    ----------
    results : mapping of str to Decontamination
        Results by method.

    Returns
    -------
    Decontamination
        One of them.
    """
    return results.get(RECOMMENDED) or list(results.values())[-1]


def column(result: Decontamination) -> np.ndarray:
    """Weight of the galaxies of every pixel, as the column of this method is defined.

    Parameters
    ----------
    result : Decontamination
        Fit of a method.

    Returns
    -------
    ndarray, shape (n_pix,)
        ``1 / (1 + A)`` of additive methods, ``1 / (1 + B)`` of the others, with a floor of 0.01 on
        the denominator.
    """
    if result.model != "additive":
        return result.galaxy_weights
    return 1.0 / np.maximum(result.random_weights, MIN_WEIGHT_DENOMINATOR)


def at_positions(values: np.ndarray, field: Field, catalogue: Catalogue) -> np.ndarray:
    """Value of the pixel that every object lies in.

    Parameters
    ----------
    values : ndarray, shape (n_pix,)
        Values on the footprint.
    field : Field
        Footprint.
    catalogue : Catalogue
        Objects.

    Returns
    -------
    ndarray, shape (n_obj,)
        Values; one for objects off the footprint.
    """
    full = field.full_sky(values, fill=1.0)
    return full[hp.ang2pix(field.nside, catalogue.ra, catalogue.dec, lonlat=True)]


def write_weights(
    path: str | Path,
    header: Mapping[str, object],
    field: Field,
    templates: TemplateSet,
    results: Mapping[str, Decontamination],
    galaxies: Catalogue | None,
) -> Path:
    """Write the weights of the galaxies, one row per galaxy in the order of the catalogue.

    Parameters
    ----------
    path : str or Path
        File to write; it appears complete or not at all.
    header : mapping
        Further header cards, see :func:`header_cards`.
    field : Field
        Footprint.
    templates : TemplateSet
        Templates of the fits.
    results : mapping of str to Decontamination
        Results by method; each gives a column.
    galaxies : Catalogue or None
        Galaxies; a sample of pixel counts has none and gets one row per pixel.

    Returns
    -------
    Path
        The file.
    """
    columns = {METHODS[name].column: column(result) for name, result in results.items()}
    columns["WEIGHT_SYS"] = recommended(results).galaxy_weights
    return _write(path, header, field, columns, galaxies)


def write_random_weights(
    path: str | Path,
    header: Mapping[str, object],
    field: Field,
    results: Mapping[str, Decontamination],
    randoms: Catalogue | None,
) -> Path:
    """Write the weights of the randoms that belong to WEIGHT_SYS of the galaxies.

    Parameters
    ----------
    path : str or Path
        File to write; it appears complete or not at all.
    header : mapping
        Further header cards.
    field : Field
        Footprint.
    results : mapping of str to Decontamination
        Results by method.
    randoms : Catalogue or None
        Randoms; a sample of pixel counts has none and gets one row per pixel.

    Returns
    -------
    Path
        The file.
    """
    return _write(path, header, field, {"WEIGHT_SYS": recommended(results).random_weights}, randoms)


def write_all(
    folder: str | Path,
    sample,
    field: Field,
    templates: TemplateSet,
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
    field : Field
        Footprint of the fit.
    templates : TemplateSet
        Templates of the fit.
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
    stem = f"{sample.identifier}_NSIDE{field.nside:04d}"
    n_galaxies, n_randoms = (len(c) if c is not None else 0 for c in (sample.galaxies, sample.randoms))
    counts = {"n_galaxies": n_galaxies or round(field.n_galaxies), "n_randoms": n_randoms}
    cards = header_cards(
        sample.identifier,
        field,
        results,
        simulated=sample.simulated,
        **counts,
        ratio_test=ratio_test,
        correct=None if verdict is None else verdict.correct,
    )
    content = {
        "sample_id": sample.identifier,
        "simulated": sample.simulated,
        "nside": field.nside,
        "n_sys": templates.n_sys,
        **counts,
        "template_names": list(templates.names),
        "template_basis": "standardised on the footprint: zero mean, unit rms",
        "template_mean": templates.mean.tolist(),
        "template_rms": templates.rms.tolist(),
        "sources": dict(sample.sources),
        "methods": {name: result.to_dict(maps=False) for name, result in results.items()},
        "lrt": None if ratio_test is None else plain(vars(ratio_test)),
        "verdict": None if verdict is None else plain(vars(verdict)),
    }
    if sample.truth is not None:
        content["truth"] = {"a": sample.truth.a.tolist(), "b": sample.truth.b.tolist()}
    folder = Path(folder)
    return (
        write_weights(folder / f"{stem}_WEIGHTS.fits", cards, field, templates, results, sample.galaxies),
        write_random_weights(folder / f"{stem}_RANDOM_WEIGHTS.fits", cards, field, results, sample.randoms),
        write_params(folder / f"{stem}_params.json", content),
    )


def header_cards(
    sample: str,
    field: Field,
    results: Mapping[str, Decontamination],
    *,
    simulated: bool,
    n_galaxies: int,
    n_randoms: int,
    ratio_test=None,
    correct: bool | None = None,
) -> dict[str, tuple[object, str]]:
    """Header cards of the weights files, from one table with a comment each.

    Parameters
    ----------
    sample : str
        Identifier of the sample.
    field : Field
        Footprint.
    results : mapping of str to Decontamination
        Results by method.
    simulated : bool
        Whether the galaxies are simulated.
    n_galaxies, n_randoms : int
        Objects in the catalogues.
    ratio_test : RatioTest, optional
        Test for multiplicative contamination.
    correct : bool, optional
        Whether the verdict is to correct.

    Returns
    -------
    dict
        Keyword to value and comment.
    """
    chosen = recommended(results)
    cards = {
        "SAMPLE": (sample, ""),
        "SIMULATD": (simulated, "T: simulated galaxies, not a real sample"),
        "NSIDE": (field.nside, "HEALPix resolution of the fit, RING, equatorial"),
        "NPIX": (field.n_pix, "footprint pixels"),
        "NSYS": (len(chosen.names), "templates"),
        "NGAL": (n_galaxies, "galaxies in the catalogue"),
        "NRAND": (n_randoms, "randoms in the catalogue"),
        "SYSFROM": (chosen.method, "method behind WEIGHT_SYS"),
        "CLIPFRAC": (chosen.clipped, "fraction of pixels at the floor of the weights"),
        "SEED": (chosen.seed, "seed of the run"),
    }
    if correct is not None:
        cards["CORRECT"] = (correct, "verdict: T correct, F do not correct")
    if ratio_test is not None:
        cards["LRT_LAM"] = (ratio_test.ratio, "likelihood ratio of combined over additive")
        cards["LRT_P"] = (ratio_test.p, "its p on a clustered sky")
    for i, name in enumerate(chosen.names, 1):
        cards[f"TMPL{i:03d}"] = (name, "template")
        if "MCMC-add" in results:
            cards[f"A_ADD{i:03d}"] = (results["MCMC-add"].a[i - 1], "additive amplitude, additive model")
        if "MCMC-comb" in results:
            cards[f"A_CMB{i:03d}"] = (results["MCMC-comb"].a[i - 1], "additive amplitude, combined model")
            cards[f"B_CMB{i:03d}"] = (results["MCMC-comb"].b[i - 1], "multiplicative amplitude")
    return cards


def write_params(path: str | Path, content: Mapping[str, object]) -> Path:
    """Write fitted parameters as JSON.

    Parameters
    ----------
    path : str or Path
        File to write; it appears complete or not at all.
    content : mapping
        Plain Python values.

    Returns
    -------
    Path
        The file.
    """
    with replacing(path) as partial:
        partial.write_text(json.dumps(content, indent=1) + "\n")
    return Path(path)


def _write(path, header, field: Field, columns: Mapping[str, np.ndarray], catalogue: Catalogue | None) -> Path:
    if catalogue is None:
        place = {"HPXPIXEL": field.pixels}
        outside, digest = 0, catalogue_checksum(field.pixels.astype(float), field.expected)
    else:
        place = {"RA": catalogue.ra, "DEC": catalogue.dec}
        outside = int(np.sum(at_positions(np.zeros(field.n_pix), field, catalogue)))
        columns = {name: at_positions(values, field, catalogue) for name, values in columns.items()}
        digest = catalogue_checksum(catalogue.ra, catalogue.dec)
    data = place | columns
    table = fits.BinTableHDU.from_columns(
        [fits.Column(n, "K" if v.dtype.kind == "i" else "D", array=v, unit=_unit(n)) for n, v in data.items()],
        name="WEIGHTS",
    )
    for key, card in header.items():
        table.header[key] = card
    table.header["NOUTSIDE"] = (outside, "rows off the footprint, with weight one")
    table.header["CATSUM"] = (digest[:16], "SHA-256 of the positions in order, shortened")
    with replacing(path) as partial:
        table.writeto(partial)
    return Path(path)


def _unit(name: str) -> str | None:
    return "deg" if name in ("RA", "DEC") else None
