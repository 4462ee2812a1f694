"""Fits of the parts of a sample, whose weights share one file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import DataError, ParameterError
from ..methods import Decontamination
from ..samples import SamplePart, check_identifier, whole
from ..sky import Catalogue
from .columns import alone, at_positions, on_footprint, recommended
from .header import header_cards, template_checksums, verdict_cards


@dataclass(frozen=True)
class FittedPart:
    """A part of a sample with its fits.

    Parameters
    ----------
    part : SamplePart
        Region, bin in redshift, or all of a sample.
    results : mapping of str to Decontamination
        Its results by method.
    ratio_test : RatioTest, optional
        Its test for multiplicative contamination.
    verdict : Verdict, optional
        What to do with it, from the result behind WEIGHT_SYS.

    Raises
    ------
    DataError
        When there are no results.
    """

    part: SamplePart
    results: Mapping[str, Decontamination]
    ratio_test: object = None
    verdict: object = None

    def __post_init__(self):
        if not self.results:
            msg = f"part {self.part.label!r} came without results: fit it with run_methods first"
            raise DataError(msg)

    @property
    def best(self) -> Decontamination:
        """Result behind WEIGHT_SYS."""
        return recommended(self.results)

    @property
    def cards(self) -> dict[str, object]:
        """Its header cards, as :func:`~.header_cards` gives them."""
        return header_cards(self.part.sample, self.results, self.ratio_test, self.verdict)

    @property
    def place(self) -> dict[str, object]:
        """Cards that say which part it is: REGION, ZBIN, ZMIN and ZMAX; empty for a whole sample."""
        if not (self.part.region or self.part.z_bin):
            return {}
        low, high = self.part.z_range or (None, None)
        return {"REGION": self.part.region, "ZBIN": self.part.z_bin, "ZMIN": low, "ZMAX": high}


def fitted_parts(sample, results, ratio_test=None, verdict=None) -> tuple[FittedPart, ...]:
    """Parts of a sample, from fits of the whole or from fits of the parts.

    Parameters
    ----------
    sample : Sample
        The whole sample.
    results : mapping of str to Decontamination, or sequence of FittedPart
        Results by method, or parts with their own.
    ratio_test : RatioTest, optional
        Test of the whole sample.
    verdict : Verdict, optional
        Verdict on the whole sample.

    Returns
    -------
    tuple of FittedPart
        Parts whose weights can share a file.

    Raises
    ------
    ParameterError
        When the sample has a name that no file can have, or a test or verdict came beside parts.
    DataError
        When there are no parts, or they cannot share a file.
    """
    check_identifier(sample.identifier)
    if isinstance(results, Mapping):
        return (FittedPart(whole(sample), results, ratio_test, verdict),)
    if ratio_test is not None or verdict is not None:
        msg = "ratio_test or verdict came beside several parts: give each FittedPart its own"
        raise ParameterError(msg)
    parts = tuple(results)
    _check_together(parts)
    return parts


def _check_together(parts: Sequence[FittedPart]) -> None:
    if not parts:
        msg = "no parts came: give a FittedPart for every region and bin"
        raise DataError(msg)
    places = [(p.part.region, p.part.z_bin) for p in parts]
    mixed = any(len({bool(value) for value in kind}) > 1 for kind in zip(*places, strict=True))
    if mixed or len(set(places)) < len(places):
        came = ", ".join(repr(p.part.label) for p in parts)
        msg = f"parts are {came}: give each a region, a bin or both of its own, and all of them of the same kind"
        raise DataError(msg)
    for what, values in {
        "methods": [", ".join(sorted(p.results)) for p in parts],
        "nside": [str(p.best.footprint.nside) for p in parts],
    }.items():
        if len(set(values)) > 1:
            came = "; ".join(f"{value} in {p.part.label!r}" for p, value in zip(parts, values, strict=True))
            msg = f"{what} differ between parts ({came}): run all parts in the same way"
            raise DataError(msg)


def labelled(parts: Sequence[FittedPart]) -> bool:
    """Whether a file has to say which part a row belongs to."""
    return any(p.place for p in parts)


def common_cards(sample, parts: Sequence[FittedPart]) -> dict[str, object]:
    """Header cards of a file of parts: those of the sample, and those on which all parts agree.

    Parameters
    ----------
    sample : Sample
        The whole sample.
    parts : sequence of FittedPart
        Its parts.

    Returns
    -------
    dict
        Keyword to value; NPIX is the sum over the parts, and CLIPFRAC the largest.
    """
    first, *others = cards = [p.cards for p in parts]
    if not others:
        return first | {"SAMPLE": sample.identifier, **_numbers(sample, cards)}
    absent = object()
    agreed = {key: value for key, value in first.items() if all(c.get(key, absent) == value for c in others)}
    totals = {
        "NPARTS": len(parts),
        "NPIX": sum(c["NPIX"] for c in cards),
        "CLIPFRAC": max(c["CLIPFRAC"] for c in cards),
    }
    return agreed | {"SAMPLE": sample.identifier, "SIMULATD": sample.simulated} | totals | _numbers(sample, cards)


def _numbers(sample, cards: Sequence[Mapping[str, object]]) -> dict[str, int]:
    n_galaxies, n_randoms = (len(c) if c is not None else 0 for c in (sample.galaxies, sample.randoms))
    return {"NGAL": n_galaxies or sum(c["NGAL"] for c in cards), "NRAND": n_randoms}


def part_table(parts: Sequence[FittedPart]) -> dict[str, np.ndarray]:
    """Table of the parts, a row for each part and template.

    Parameters
    ----------
    parts : sequence of FittedPart
        Parts of a sample.

    Returns
    -------
    dict of str to ndarray
        Number, region and bin of the part; the method behind WEIGHT_SYS with its model; template and checksum; the
        amplitudes of the weights with their errors, and those of the fit with theirs; and of the part its pixels,
        objects, PERRAND, floor, and what the verdict says.  PERRAND is the sum of WEIGHT of galaxies over that of
        randoms, by which the randoms of a part are multiplied before several parts are measured together.
    """
    rows = [row for number, fitted in enumerate(parts, 1) for row in _part_rows(number, fitted)]
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


def _part_rows(number: int, fitted: FittedPart) -> list[dict[str, object]]:
    best, part, cards = fitted.best, fitted.part, fitted.cards
    low, high = part.z_range or (np.nan, np.nan)
    of_part = {"PART": number, "REGION": part.region, "ZBIN": part.z_bin, "ZMIN": float(low), "ZMAX": float(high)}
    of_part |= {"METHOD": best.method, "MODEL": best.model}
    verdict = {"LOSSNONE": None, "LOSSWITH": None, "PGAIN": None} | verdict_cards(fitted.verdict, best.model)
    after = {key: cards[key] for key in ("NPIX", "NGAL", "NRAND", "CLIPFRAC")} | {"PERRAND": _per_random(fitted)}
    after |= {key: np.nan if verdict[key] is None else float(verdict[key]) for key in ("LOSSNONE", "LOSSWITH", "PGAIN")}
    of_templates = {"TMPL": best.names, "TSUM": template_checksums(best.templates)}
    errors = weight_errors(best)
    of_templates |= {"A_SYS": best.a_mean, "A_ERR": errors[0], "B_SYS": best.b_mean, "B_ERR": errors[1]}
    of_templates |= {"A_FIT": best.a, "A_FITERR": np.sqrt(np.diag(best.cov_a))}
    of_templates |= {"B_FIT": best.b, "B_FITERR": np.sqrt(np.diag(best.cov_b))}
    return [of_part | {k: v[i] for k, v in of_templates.items()} | after for i in range(len(best.names))]


def weight_errors(result: Decontamination) -> tuple[np.ndarray, np.ndarray]:
    """Errors of the amplitudes in the weights of a result.

    Parameters
    ----------
    result : Decontamination
        Fit of a method.

    Returns
    -------
    a, b : ndarray, shape (n_sys,)
        Standard deviations of the posterior, or of the fit where its amplitudes are in the weights as they are.
    """
    n_sys = len(result.a)
    if result.shrinkage == "none":
        return np.sqrt(np.diag(result.cov_a)), np.sqrt(np.diag(result.cov_b))
    errors = np.sqrt(np.diag(result.posterior().cov))
    return errors[:n_sys], 0.0 * errors if result.model == "additive" else errors[-n_sys:]


def _per_random(fitted: FittedPart) -> float:
    galaxies, randoms = fitted.part.sample.galaxies, fitted.part.sample.randoms
    if galaxies is None or randoms is None:
        return float("nan")
    footprint = fitted.best.footprint
    of_galaxies = at_positions(alone(fitted.best), footprint, galaxies) * input_weights(galaxies)
    sums = [
        weights[on_footprint(footprint, objects)].sum()
        for weights, objects in ((of_galaxies, galaxies), (input_weights(randoms), randoms))
    ]
    return float(sums[0] / sums[1]) if sums[1] else float("nan")


def input_weights(catalogue: Catalogue) -> np.ndarray:
    """Weights that came with a catalogue, one each where there were none, shape (n_obj,) [1]."""
    return np.ones(len(catalogue)) if catalogue.weights is None else np.asarray(catalogue.weights, float)
