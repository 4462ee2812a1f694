"""Weights of a result: of its pixels, and of objects."""

from __future__ import annotations

from collections.abc import Mapping

import healpy as hp
import numpy as np

from ..methods import METHODS, MIN_WEIGHT_DENOMINATOR, Decontamination
from ..sky import Catalogue, Footprint


def recommended(results: Mapping[str, Decontamination]) -> Decontamination:
    """Result behind WEIGHT_SYS: the first choice of those that were run and converged.

    Parameters
    ----------
    results : mapping of str to Decontamination
        Results by method.

    Returns
    -------
    Decontamination
        One of them: that of GLS-comb where it converged, which leaves less contamination and more of the clustering
        than the likelihood of pixels; else that of MCMC-comb; else that of GLS, which knows no multiplicative
        contamination.  Without any of these it is the last method that was run.
    """
    fitted = _preferred(results)
    converged = [result for result in fitted if _converged(result)]
    return (converged or fitted or list(results.values())[-1:])[0]


def recommendation(results: Mapping[str, Decontamination]) -> str:
    """Why a result is behind WEIGHT_SYS, in a sentence.

    Parameters
    ----------
    results : mapping of str to Decontamination
        Results by method.

    Returns
    -------
    str
        For people, with the methods whose place it takes.
    """
    best, passed = recommended(results), []
    for result in _preferred(results):
        if result is best:
            break
        passed.append(f"{result.method} did not converge ({result.status})")
    if passed:
        return f"WEIGHT_SYS is that of {best.method}, as {' and '.join(passed)}."
    if not _preferred(results):
        return f"WEIGHT_SYS is that of {best.method}, the last that was run, as none of the recommended methods was."
    alone = f", which did not converge ({best.status}), as no other method did that could take its place"
    ending = "" if _converged(best) else alone
    return f"WEIGHT_SYS is that of {best.method}, the first choice of those that were run{ending}."


def _preferred(results: Mapping[str, Decontamination]) -> list[Decontamination]:
    """Results that may be recommended, the first choice first."""
    preference = {name: METHODS[name].preference for name in results}
    return [results[name] for name in sorted(results, key=preference.get, reverse=True) if preference[name]]


def _converged(result: Decontamination) -> bool:
    return bool(result.diagnostics.get("converged", True))


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


def random_column(result: Decontamination) -> np.ndarray:
    r"""Weight of the randoms of every pixel that belongs to :func:`column` of the galaxies.

    Parameters
    ----------
    result : Decontamination
        Fit of a method.

    Returns
    -------
    ndarray, shape (n_pix,)
        One for additive methods, ``(1 + A) / (1 + B)`` of the others.

    Notes
    -----
    Galaxies and randoms of a pixel have the weighted overdensity :math:`W_g (1 + \delta_{\rm obs}) - W_r`.  It is the
    true one for the pair of a combined method.  That of an additive method, :math:`1 / (1 + A)` and one, is also safe
    without the randoms: its mean density is the true one, and fluctuations are divided by 1 + A.  Exact where the
    contamination is additive is one on the galaxies and 1 + A on the randoms, the pair that WEIGHT_SYS is then.
    """
    return np.ones(result.footprint.n_pix) if result.model == "additive" else result.random_weights


def alone(result: Decontamination) -> np.ndarray:
    """Weight of the galaxies of every pixel for codes that take one weight per object.

    Parameters
    ----------
    result : Decontamination
        Fit of a method.

    Returns
    -------
    ndarray, shape (n_pix,)
        ``1 / (1 + A)`` with a floor of 0.01 on the denominator: the mean density of the galaxies becomes the true one,
        whatever B is.
    """
    return 1.0 / np.maximum(result.density, MIN_WEIGHT_DENOMINATOR)


def weight_columns(results: Mapping[str, Decontamination], kind: str) -> dict[str, tuple[np.ndarray, str]]:
    """Columns of weights of a fit, each with the same name for galaxies and for randoms.

    Parameters
    ----------
    results : mapping of str to Decontamination
        Results by method.
    kind : {"galaxies", "randoms"}
        Whose weights.

    Returns
    -------
    dict of str to tuple of ndarray, shape (n_pix,), and str
        Weights of the pixels and what they are: a column per method, and WEIGHT_SYS.
    """
    best, galaxies, found = recommended(results), kind == "galaxies", {}
    for name, result in results.items():
        values = column(result) if galaxies else random_column(result)
        found[METHODS[name].column] = values, f"{METHODS[name].label}: {_formulas(result)[0 if galaxies else 1]}"
    system = best.galaxy_weights if galaxies else best.random_weights
    return found | {"WEIGHT_SYS": (system, pair_meaning(best)[0 if galaxies else 1])}


def at_positions(values: np.ndarray, footprint: Footprint, catalogue: Catalogue) -> np.ndarray:
    """Value of the pixel that every object lies in.

    Parameters
    ----------
    values : ndarray, shape (n_pix,)
        Values on the footprint.
    footprint : Footprint
        Its pixels.
    catalogue : Catalogue
        Objects.

    Returns
    -------
    ndarray, shape (n_obj,)
        Values; one for objects off the footprint.
    """
    full = footprint.full_sky(values, fill=1.0)
    return full[hp.ang2pix(footprint.nside, catalogue.ra, catalogue.dec, lonlat=True)]


def on_footprint(footprint: Footprint, catalogue: Catalogue) -> np.ndarray:
    """Which objects lie on a footprint.

    Parameters
    ----------
    footprint : Footprint
        Its pixels.
    catalogue : Catalogue
        Objects.

    Returns
    -------
    ndarray of bool, shape (n_obj,)
        True on the footprint.
    """
    return at_positions(np.zeros(footprint.n_pix), footprint, catalogue) == 0.0


def _formulas(result: Decontamination) -> tuple[str, str]:
    if result.model == "additive":
        return "1 / (1 + A)", "1"
    return "1 / (1 + B)", "(1 + A) / (1 + B)" if result.model == "combined" else "1"


def pair_meaning(result: Decontamination) -> tuple[str, str]:
    """What WEIGHT_SYS of a result is, of galaxies and of randoms."""
    if result.model == "additive":
        return "1, with 1 + A of the randoms", "1 + A, with 1 of the galaxies"
    return "1 / (1 + B), with (1 + A) / (1 + B) of randoms", "(1 + A) / (1 + B), with 1 / (1 + B) of galaxies"
