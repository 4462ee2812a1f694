"""What the files of weights say about themselves: header cards, the table of parts, and how to use the columns.

Everything a reader needs to know stands in the header, card by card as in :data:`CARDS`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from importlib.metadata import version

import numpy as np

from ..methods import METHODS, MIN_WEIGHT_DENOMINATOR, Decontamination
from ..sky import shared_footprint
from ..templates import TemplateSet
from .columns import recommended

CARDS: Mapping[str, str] = {
    "SAMPLE": "sample",
    "SIMULATD": "T: simulated galaxies, not a real sample",
    "WEIGHTOF": "what the rows are",
    "NSIDE": "HEALPix resolution of the fit",
    "ORDERING": "of the pixels",
    "COORDSYS": "of the pixels: C is equatorial",
    "NPIX": "footprint pixels",
    "NSYS": "templates",
    "NGAL": "galaxies in the catalogue",
    "NRAND": "randoms in the catalogue",
    "NPARTS": "parts of the sample, each with its own fit",
    "SYSFROM": "method behind WEIGHT_SYS",
    "SYSMODEL": "its contamination model",
    "COVFROM": "where the errors of its amplitudes come from",
    "TBASIS": "zero mean, unit rms there",
    "CLIPFRAC": "fraction of pixels at the floor of WEIGHT_SYS",
    "WFLOOR": "floor of the denominators of the weights",
    "UNITCOLS": "columns that are one because of their fit",
    "SEED": "seed of the run",
    "CODEVERS": "version of sysmap_core",
    "NOUTSIDE": "rows off the footprint, with weight one",
    "NNOPART": "rows in no part, with weight one",
    "CATSUM": "SHA-256 of the positions in order, shortened",
}
"""Header cards of every file of weights, with their comments."""

FURTHER_CARDS: Mapping[str, str] = {
    "IDCOL": "column that names the objects",
    "CORRECT": "verdict: T correct, F do not correct",
    "LOSSNONE": "expected rms of contamination without weights",
    "LOSSWITH": "the same with WEIGHT_SYS",
    "PGAIN": "probability that fitted amplitudes help",
    "LRT_LAM": "likelihood ratio of combined over additive",
    "LRT_P": "its p on a clustered sky",
    "SHRINK": "of the amplitudes of the weights, or none",
    "PRIOR": "T: its amplitudes hold a prior of the user",
    "NDRAWS": "draws from the errors of the amplitudes",
    "DRAWFROM": "covariance that they are drawn from",
    "DRAWSEED": "seed of the draws",
    "REGION": "region of the part",
    "ZBIN": "number of its redshift bin, 0 for all",
    "ZMIN": "smallest redshift",
    "ZMAX": "redshift that galaxies stay below",
}
"""Cards of some files."""

NUMBERED_CARDS: Mapping[str, str] = {
    "TMPL": "template",
    "TSUM": "SHA-256 of its standardised values, shortened",
    "A_SYS": "additive amplitude behind WEIGHT_SYS",
    "B_SYS": "multiplicative amplitude behind WEIGHT_SYS",
    "A_FIT": "its additive amplitude before any shrinkage",
    "B_FIT": "its multiplicative amplitude before any",
    "A_ADD": "additive amplitude behind WEIGHT_ADD",
    "A_CMB": "additive amplitude behind WEIGHT_COMB",
    "B_CMB": "multiplicative amplitude behind WEIGHT_COMB",
}
"""Cards of every template, with its number from 001."""

OF_A_PART = ("NSYS", "SYSFROM", "SYSMODEL", "COVFROM", "SEED")
"""Cards of :data:`CARDS` that a file of several parts has only where all parts agree."""

READ_ME = (
    "With a code that takes one weight per object, take WEIGHT of both files: WEIGHT_IN, the weights that came with "
    "the catalogue, times WEIGHT_ALONE, which takes the contamination out of the mean density of the galaxies and is "
    "one for randoms.",
    "To undo the contamination exactly take the pair of WEIGHT_SYS in w = (DD - 2 D Rs + Rs Rs) / RR, with WEIGHT_IN "
    "WEIGHT_SYS on galaxies D and randoms Rs, and WEIGHT_IN only on R: the weights of the randoms stay out of RR, and "
    "WEIGHT_SYS or WEIGHT_x of a combined method on galaxies without their partner of the same name on randoms can be "
    "worse than no weight.",
    "Leave out objects with IN_FIT false, which have weight one; column X of galaxies in redshift bin k goes with X_Zk "
    "of the randoms where there is one, and parts have mean densities of their own: measure them one by one, or "
    "multiply the randoms of each by PERRAND of the table PARTS.",
)
"""What a user has to know, in three sentences; they are in every file of weights."""


def comment(key: str) -> str:
    """Meaning of a header card; empty for an unknown one."""
    return (CARDS | FURTHER_CARDS).get(key) or NUMBERED_CARDS.get(key.rstrip("0123456789"), "")


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
    """Header cards of the files of weights of one fit, all but those that depend on the rows.

    Parameters
    ----------
    sample : Sample
        Sample with its catalogues.
    results : mapping of str to Decontamination
        Results by method.
    ratio_test : RatioTest, optional
        Test for multiplicative contamination.
    verdict : Verdict, optional
        What to do with the sample, from the result behind WEIGHT_SYS.

    Returns
    -------
    dict
        Keyword to value; their meanings are in :data:`~sysmap_core.weights.header.CARDS`.
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
        "NPARTS": 1,
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
    if best.prior is not None:
        cards["PRIOR"] = True
    cards |= verdict_cards(verdict, best.model)
    if ratio_test is not None:
        cards |= {"LRT_LAM": ratio_test.ratio, "LRT_P": ratio_test.p}
    numbered = {"TMPL": templates.names, "TSUM": template_checksums(templates)}
    numbered |= {"A_SYS": best.a_mean, "B_SYS": best.b_mean, "A_FIT": best.a, "B_FIT": best.b}
    for name, result in results.items():
        numbered |= {key: getattr(result, which) for key, which in METHODS[name].cards.items()}
    return cards | {
        f"{key}{i:03d}": values[i - 1] for i in range(1, templates.n_sys + 1) for key, values in numbered.items()
    }


def verdict_cards(verdict, model: str) -> dict[str, object]:
    """What the weights are expected to gain: their verdict in cards.

    Parameters
    ----------
    verdict : Verdict or None
        What to do with the sample.
    model : str
        Contamination model of the weights.

    Returns
    -------
    dict
        CORRECT, LOSSNONE, LOSSWITH and PGAIN; empty without a verdict.
    """
    if verdict is None:
        return {}
    losses = {"LOSSNONE": verdict.losses["none"], "LOSSWITH": verdict.losses.get(model)}
    return {"CORRECT": bool(verdict.correct), **losses, "PGAIN": verdict.probability}
