"""Do galaxies and randoms belong together?  What is wrong is said before anything is fitted."""

from __future__ import annotations

import numpy as np

from ..errors import DataError
from ..sky import MIN_RANDOMS, Catalogue, Counts, footprint, pixel_counts

MIN_OVERLAP = 0.5
"""Share of the galaxies that has to lie where the coverage is."""

GOOD_OVERLAP = 0.9
"""Share below which a note says so."""

MIN_TYPICAL = 2.0
"""Randoms in a typical pixel below which nothing can be fitted."""

MAX_OFF_MAP = 0.01
"""Share of the randoms that may lie where a map says that nothing was observed."""

_COARSE = 32

_CLEARLY = 5.0  # standard deviations


def check_catalogues(galaxies: Catalogue, randoms: Catalogue, names: tuple[str, str]) -> None:
    """Refuse randoms that are galaxies.

    Parameters
    ----------
    galaxies, randoms : Catalogue
        The two.
    names : tuple of str
        Their files, for messages.

    Raises
    ------
    DataError
        When both are the same, or the randoms are the more clustered ones.
    """
    if len(galaxies) == len(randoms) and np.array_equal(galaxies.ra, randoms.ra):
        msg = f"randoms {names[1]} hold the positions of the galaxies of {names[0]}: give random points of the survey"
        raise DataError(msg)
    more = _excess(randoms, galaxies)
    if more > _CLEARLY:
        msg = (
            f"randoms {names[1]} are more clustered than the galaxies {names[0]}, by {more:.0f} standard deviations: "
            "swap data and randoms"
        )
        raise DataError(msg)


def _excess(one: Catalogue, other: Catalogue) -> float:
    """How much more variance of its density one catalogue has in coarse pixels, without shot noise, over its error."""
    counts = np.array([pixel_counts(c.ra, c.dec, _COARSE) for c in (one, other)])
    counts = counts[:, counts.sum(0) > 0]
    mean = counts.mean(1, keepdims=True)
    # the variance of either part of the sky, coverage included, without that of Poisson counts
    terms = ((counts / mean - 1.0) ** 2 - counts / mean**2) if counts.shape[1] > 1 else np.zeros((2, 1))
    difference = terms[0] - terms[1]
    error = np.std(difference) / np.sqrt(difference.size)
    return float(difference.mean() / error) if error > 0 else 0.0


def check_overlap(inside: np.ndarray, what: str) -> list[str]:
    """Refuse galaxies on another sky than the coverage.

    Parameters
    ----------
    inside : ndarray of bool, shape (n_gal,)
        Which galaxies lie where the coverage is.
    what : str
        What the coverage is made of, for messages.

    Returns
    -------
    list of str
        A note with the numbers, when galaxies lie elsewhere.

    Raises
    ------
    DataError
        When less than :data:`MIN_OVERLAP` of them lie on it.
    """
    share = float(inside.mean())
    off = f"{np.sum(~inside)} of {len(inside)} galaxies lie in pixels without {what}"
    if share < MIN_OVERLAP:
        msg = f"{off}: check that both cover the same sky, in the same unit and frame"
        raise DataError(msg)
    if share == 1.0:
        return []
    warning = ", which is a lot: do both cover the same sky?" if share < GOOD_OVERLAP else "."
    return [f"{off}{warning}"]


def check_number(galaxies: Catalogue, randoms: Catalogue, coverage: Counts, nside: int) -> list[str]:
    """Refuse a coverage that was counted with far too few randoms.

    Parameters
    ----------
    galaxies, randoms : Catalogue
        The two.
    coverage : Counts
        Randoms per pixel.
    nside : int
        Resolution.

    Returns
    -------
    list of str
        Notes when there are fewer than galaxies, or than multiplicative amplitudes need, with the resolution that would
        do.

    Raises
    ------
    DataError
        When there are fewer than :data:`MIN_TYPICAL` in a typical pixel.
    """
    pixels = footprint(coverage)
    typical = float(np.median(coverage.weights[pixels] / coverage.object_weight(pixels)))
    enough = enough_nside(typical, nside)
    advice = f"give more randoms, or nside {enough}, where {MIN_RANDOMS} would be in a pixel"
    if typical < MIN_TYPICAL:
        msg = f"the coverage was counted with {typical:.1f} randoms in a typical pixel of nside {nside}: {advice}"
        raise DataError(msg)
    fewer = f"The randoms are fewer than the galaxies, {len(randoms)} for {len(galaxies)}: their noise dominates."
    notes = [fewer] if len(randoms) < len(galaxies) else []
    if typical < MIN_RANDOMS:
        notes.append(f"With {typical:.1f} randoms in a typical pixel b cannot be fitted: {advice}.")
    return notes


def enough_nside(typical: float, nside: int) -> int:
    """Largest resolution with :data:`~.MIN_RANDOMS` randoms in a pixel.

    Parameters
    ----------
    typical : float
        Randoms in a pixel now.
    nside : int
        Resolution now.

    Returns
    -------
    int
        Resolution, at least 1.

    Examples
    --------
    >>> enough_nside(5.0, 64), enough_nside(2.0, 64)
    (32, 16)
    """
    while nside > 1 and typical < MIN_RANDOMS:
        nside, typical = nside // 2, 4.0 * typical
    return nside


def check_map(counts: Counts, observed: Counts, off: float) -> list[str]:
    """Refuse a map of the coverage that randoms contradict.

    Parameters
    ----------
    counts : Counts
        Randoms of every pixel, in what the map says was observed.
    observed : Counts
        Observed fraction of every pixel.
    off : float
        Share of the randoms that lie where nothing was observed.

    Returns
    -------
    list of str
        A note with the scatter of the randoms around the map, over that of random points.

    Raises
    ------
    DataError
        When more than :data:`MAX_OFF_MAP` of them lie there.
    """
    if off > MAX_OFF_MAP:
        msg = f"{off:.1%} of the randoms lie where the coverage is zero: check that both describe the same survey"
        raise DataError(msg)
    pixels = footprint(observed)
    expected = observed.weights[pixels]
    expected = expected * (counts.weights[pixels].sum() / expected.sum())
    scatter = np.mean((counts.weights[pixels] - expected) ** 2 / (counts.object_weight(pixels) * expected))
    return [
        "The coverage is the map of the observed fraction; randoms scatter around it "
        f"{np.sqrt(scatter):.2f} times as much as random points."
    ]
