"""Weights for amplitudes drawn from their errors, to carry those errors into any statistic."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ..errors import ParameterError
from ..methods import MIN_WEIGHT_DENOMINATOR, Decontamination
from ..sky import Catalogue
from .columns import pair_meaning
from .files import write_table
from .parts import common_cards, fitted_parts
from .rows import object_table
from .writing import file_stem

MAX_DRAWS = 990
"""A FITS table has room for 999 columns."""


def draw_amplitudes(result: Decontamination, n_draws: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw amplitudes from the posterior behind the weights, or from the errors of a fit without shrinkage.

    Parameters
    ----------
    result : Decontamination
        Fit of a method.
    n_draws : int
        Draws; the first ones are the same for any number.
    seed : int
        Of the draws.

    Returns
    -------
    a, b : ndarray, shape (n_draws, n_sys)
        Amplitudes, per rms of the template.

    Raises
    ------
    ParameterError
        When ``n_draws`` is not between 1 and 990.
    """
    if not 1 <= n_draws <= MAX_DRAWS:
        msg = f"n_draws is {n_draws}: give 1 to {MAX_DRAWS}, the columns that a FITS table has room for"
        raise ParameterError(msg)
    children = np.random.SeedSequence(seed).spawn(n_draws)
    if result.shrinkage != "none":
        posterior, n_sys = result.posterior(), len(result.a)
        drawn = np.array([posterior.draw(np.random.default_rng(child)) for child in children])
        a, b = drawn[:, :n_sys], drawn[:, -n_sys:]
        return a, 0.0 * b if result.model == "additive" else b
    cov = result.cov
    eigenvalues, vectors = np.linalg.eigh(cov)
    # rounding of a singular matrix, as that of b = a is, would come back as its root
    kept = np.where(eigenvalues > 1e-12 * eigenvalues.max(), eigenvalues, 0.0)
    # the symmetric root is unique, where eigenvectors depend on the library that found them
    root = (vectors * np.sqrt(kept)) @ vectors.T
    noise = np.array([np.random.default_rng(child).standard_normal(len(cov)) for child in children])
    a, b = np.split(np.concatenate([result.a, result.b]) + noise @ root, 2, axis=1)
    return a, b


def draw_weights(result: Decontamination, a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of weights for other amplitudes than the fitted ones.

    Parameters
    ----------
    result : Decontamination
        Fit of a method.
    a, b : ndarray, shape (n_draws, n_sys)
        Amplitudes, per rms of the template.

    Returns
    -------
    galaxies, randoms : ndarray, shape (n_draws, n_pix)
        ``1 / (1 + B)`` and ``(1 + A) / (1 + B)``; methods whose density is a curve of the templates
        are followed linearly around it.
    """
    values, efficiency = result.templates.values, 1.0 / result.galaxy_weights
    density = result.random_weights * efficiency + (a - result.a_mean) @ values
    floored = np.maximum(efficiency + (b - result.b_mean) @ values, MIN_WEIGHT_DENOMINATOR)
    return 1.0 / floored, density / floored


def write_weight_draws(
    folder: str | Path,
    sample,
    results: Mapping[str, Decontamination],
    *,
    n_draws: int = 100,
    seed: int | None = None,
) -> tuple[Path, Path]:
    """Write WEIGHT_SYS for amplitudes drawn from their errors, for galaxies and for randoms.

    Parameters
    ----------
    folder : str or Path
        Where to write; made when missing.
    sample : Sample
        Sample with its catalogues.
    results : mapping of str to Decontamination
        Results by method; the recommended one is drawn from.
    n_draws : int
        Columns WEIGHT_SYS_000, WEIGHT_SYS_001, ..., in single precision.
    seed : int, optional
        Of the draws; that of the fit by default.

    Returns
    -------
    tuple of Path
        ``{id}_NSIDE{nside}_WEIGHT_DRAWS.fits`` and ``..._RANDOM_WEIGHT_DRAWS.fits``, read by
        :func:`~.read_weights`; column k of one belongs to column k of the other.

    Raises
    ------
    ParameterError
        When ``n_draws`` is not between 1 and 990, the columns that a FITS table has room for, or the sample has a name
        that no file can have.

    Notes
    -----
    Any statistic of the weighted catalogues is marginalised over the errors of the correction by::

        values = [statistic(g, r) for g, r in zip(galaxies.weights.values(), randoms.weights.values())]
        mean, cov = np.mean(values, axis=0), np.cov(values, rowvar=False)
    """
    parts = fitted_parts(sample, results)
    best = parts[0].best
    seed = best.seed if seed is None else seed
    a, b = draw_amplitudes(best, n_draws, seed)
    header = common_cards(sample, parts) | {"NDRAWS": n_draws, "DRAWFROM": best.covariance, "DRAWSEED": seed}
    stem, weights, meanings = file_stem(folder, sample, best), draw_weights(best, a, b), pair_meaning(best)

    def write(i: int, kind: str, objects: Catalogue | None, ending: str) -> Path:
        columns = {f"WEIGHT_SYS_{k:03d}": values for k, values in enumerate(weights[i].astype(np.float32))}
        table = object_table(header, kind, objects, parts, [columns], dict.fromkeys(columns, meanings[i]))
        return write_table(f"{stem}_{ending}.fits", table, dtype="E")

    return (
        write(0, "galaxies", sample.galaxies, "WEIGHT_DRAWS"),
        write(1, "randoms", sample.randoms, "RANDOM_WEIGHT_DRAWS"),
    )
