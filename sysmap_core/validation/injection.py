r"""Contamination put into catalogues that exist, such as mocks from anywhere.

Galaxies whose density is :math:`\bar n (1 + \delta)` become a catalogue of the combined model (Berlfein et al. 2024,
Eq. 13) by two steps that a survey takes as well:

1. **Thinning**: a galaxy in pixel p is kept with probability :math:`k (1 + B_p)`, :math:`k = 1 / \max_p (1 + B_p)`.
2. **Interlopers**: a Poisson number of objects with mean :math:`k \bar n_p I_p` is added, uniformly inside the pixel.

Both keep a Poisson process a Poisson process.  An overdensity is relative to the mean of the contaminated catalogue,
and a density of interlopers cannot be negative.  With

.. math:: I_p = (1 + c) (1 + A_p) - (1 + B_p), \qquad c = \max(0, \max_p (B_p - A_p) / (1 + A_p)),

which is the smallest uniform floor that keeps all :math:`I_p \ge 0`, the mean density is

.. math:: k \bar n_p \, [(1 + c) (1 + A_p) + (1 + B_p) \delta]
          = k (1 + c) \bar n_p \, [1 + A_p + (1 + B_p) \, \delta / (1 + c)] .

So a fit finds the amplitudes a and b that were asked for, and the true field is diluted by the uniform interlopers to
:math:`\delta / (1 + c)`: its rms and spectrum, not a and b, are what has to be scaled.  No floor is needed where
:math:`B \le A` in every pixel, as in the multiplicative model (B = A, no interlopers at all).  Where a few extreme
pixels would ask for a high floor, ``deficit="thin"`` thins the galaxies there to :math:`1 + A_p` instead: the mean
density is the same, nothing is diluted, and b is that of :math:`\min(B_p, A_p)`.

Where coverage is uneven, its weighted mean :math:`\bar A` does not vanish: a is divided by :math:`1 + \bar A`, and so
is :math:`\delta`.  :class:`Injection` holds the amplitudes and the dilution that follow from all of this.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import healpy as hp
import numpy as np

from ..errors import DataError, ParameterError, unknown_name
from ..inference import MIN_EFFICIENCY
from ..methods import Decontamination
from ..sky import Catalogue, read_catalogue, scatter_galaxies
from ..templates import TemplateSet
from ..two_point import check_points
from ..weights import draw_amplitudes, draw_weights

RESPONSES = {
    "linear": lambda t: t,
    "quadratic": lambda t: t**2,
    "cubic": lambda t: t**3,
    "tanh": np.tanh,
    "threshold": lambda t: (t > 1.0).astype(float),
    "exponential": np.exp,
}
"""Responses to a standardised template; all are brought to zero mean and unit rms over the footprint."""

DEFICITS = ("floor", "thin")

MAX_CLIPPED = 0.05
"""Largest share of the pixels whose density may be raised to the smallest one allowed."""


@dataclass(frozen=True)
class Injection:
    """A contaminated catalogue, and the amplitudes that a fit should find in it.

    Parameters
    ----------
    catalogue : Catalogue
        Galaxies that were kept, in their order, then interlopers.
    source : ndarray of int, shape (n_obj,)
        Row of the original catalogue: of the galaxy itself, or, for an interloper, of a random galaxy that lends its
        weight.  ``column[source]`` carries any other column along, redshifts for instance.
    interloper : ndarray of bool, shape (n_obj,)
        Which objects were added.
    additive, multiplicative : ndarray, shape (n_pix,)
        Contamination A_p and B_p as injected, relative to templates of zero mean [1].
    a, b : ndarray, shape (n_sys,)
        Amplitudes of a linear fit, per rms of the template: the projections of what was injected on the templates,
        relative to the mean of the contaminated catalogue.
    dilution : float
        Factor of the true overdensity; its spectrum has the square of it [1].
    clipped : float
        Share of the pixels whose density or efficiency was raised to the smallest one allowed.
    n_outside : int
        Galaxies that were left out because they lie off the templates.
    """

    catalogue: Catalogue
    source: np.ndarray
    interloper: np.ndarray
    additive: np.ndarray
    multiplicative: np.ndarray
    a: np.ndarray
    b: np.ndarray
    dilution: float
    clipped: float
    n_outside: int


def respond(values: np.ndarray, response: str | Sequence[str]) -> np.ndarray:
    """Responses to templates, with zero mean and unit rms.

    Parameters
    ----------
    values : ndarray, shape (n_sys, n_pix)
        Standardised templates [1].
    response : str or sequence of str, length n_sys
        Rows of :data:`RESPONSES`, one for all templates or one each.

    Returns
    -------
    ndarray, shape (n_sys, n_pix)
        Equal rms for all responses, so that amplitudes compare like with like [1].

    Raises
    ------
    ParameterError
        For an unknown response, or another number of them than of templates.
    DataError
        When a response is constant.
    """
    names = [response] * len(values) if isinstance(response, str) else list(response)
    if len(names) != len(values):
        msg = f"response names {len(names)} responses for {len(values)} templates: give one, or one each"
        raise ParameterError(msg)
    curves = np.empty(np.shape(values))
    for i, name in enumerate(names):
        if name not in RESPONSES:
            raise unknown_name("response", name, RESPONSES)
        curve = RESPONSES[name](np.asarray(values[i], float))
        if not np.std(curve) > 0:
            msg = f"the {name} response to template {i} is constant on the footprint: take another response"
            raise DataError(msg)
        curves[i] = (curve - curve.mean()) / curve.std()
    return curves


def inject(
    galaxies: Catalogue | tuple[np.ndarray, np.ndarray] | str | Path,
    contamination: TemplateSet | Decontamination,
    amplitudes: tuple[np.ndarray, np.ndarray] | None = None,
    *,
    seed: int | np.random.SeedSequence,
    randoms: Catalogue | tuple[np.ndarray, np.ndarray] | str | Path | None = None,
    response: str | Sequence[str] = "linear",
    deficit: str = "floor",
) -> Injection:
    r"""Contaminate a catalogue: thin its galaxies and insert interlopers.

    Parameters
    ----------
    galaxies : Catalogue, tuple of ndarray, shape (n_obj,), or path
        Uncontaminated galaxies, their RA and Dec [deg], or a file that
        :func:`~.read_catalogue` reads.
    contamination : TemplateSet or Decontamination
        Templates, on the pixels on which they are constant; or a fitted result, whose contamination is put in,
        curves included.
    amplitudes : tuple of ndarray, shape (n_sys,), optional
        Additive and multiplicative amplitudes (a, b) beside templates, per rms of the template or of the response.
    seed : int or numpy.random.SeedSequence
        Fixes which galaxies are kept and where interlopers are.
    randoms : Catalogue, tuple of ndarray or path, optional
        Randoms of the survey.  Interlopers then follow its coverage and take the places of randoms, each at most
        once, so that they respect the mask; without randoms, pixels are evenly covered and filled.
    response : str or sequence of str, length n_sys
        Rows of :data:`RESPONSES`: how the density follows the templates.
    deficit : {"floor", "thin"}
        What to do where the model asks for fewer objects than the selection leaves: add a uniform floor of
        interlopers everywhere, or thin more there.

    Returns
    -------
    Injection
        Contaminated catalogue with its truth.

    Raises
    ------
    DataError
        When positions are not valid, shapes differ, pixels are not known, no galaxy is on the templates, randoms
        are too few, or too many densities would be negative.
    ParameterError
        For an unknown response or deficit, or a response beside a fitted result.

    Notes
    -----
    The derivation is that of the module.  Densities and efficiencies below :data:`MIN_EFFICIENCY` of the mean are
    raised to it, and reported.
    """
    if deficit not in DEFICITS:
        raise unknown_name("deficit", deficit, DEFICITS)
    if not isinstance(contamination, Decontamination):
        put_in = _curves(contamination, amplitudes, response)
        return _inject(galaxies, contamination, *put_in, seed, randoms, deficit)
    if amplitudes is not None:
        raise DataError("amplitudes came beside a fitted result, which has its own: leave them out")
    if response != "linear":
        msg = f"response is {response!r} beside a fitted result, which has its own curves: leave response out"
        raise ParameterError(msg)
    weights = contamination.galaxy_weights, contamination.random_weights
    return _inject(galaxies, contamination.templates, *_from_weights(*weights), seed, randoms, deficit)


def injections(
    galaxies: Catalogue | tuple[np.ndarray, np.ndarray] | str | Path,
    result: Decontamination,
    n_draws: int,
    *,
    seed: int,
    randoms: Catalogue | tuple[np.ndarray, np.ndarray] | str | Path | None = None,
    deficit: str = "floor",
) -> Iterator[Injection]:
    """Contaminate a catalogue with amplitudes drawn from the errors of a fit.

    Parameters
    ----------
    galaxies, randoms, deficit
        As in :func:`inject`.
    result : Decontamination
        Fit whose joint covariance of a and b is drawn from, see
        :func:`~.draw_amplitudes`.
    n_draws : int
        Catalogues, at most 990.
    seed : int
        Fixes amplitudes, thinning and interlopers.

    Yields
    ------
    Injection
        One per draw.

    Raises
    ------
    DataError, ParameterError
        As in :func:`inject`, and for an impossible number of draws.
    """
    if deficit not in DEFICITS:
        raise unknown_name("deficit", deficit, DEFICITS)
    drawn = draw_weights(result, *draw_amplitudes(result, n_draws, seed))
    for *weights, child in zip(*drawn, np.random.SeedSequence(seed).spawn(n_draws), strict=True):
        yield _inject(galaxies, result.templates, *_from_weights(*weights), child, randoms, deficit)


def _curves(templates: TemplateSet, amplitudes, response) -> list[np.ndarray]:
    """Contamination A and B of every pixel."""
    curves = respond(templates.values, response)
    if amplitudes is None or len(amplitudes) != 2:
        came = 0 if amplitudes is None else len(amplitudes)
        msg = f"amplitudes hold {came} arrays: give a tuple (a, b), or a fitted result in place of the templates"
        raise DataError(msg)
    found = []
    for name, values in zip("ab", amplitudes, strict=True):
        values = np.asarray(values, float)
        if values.shape != (templates.n_sys,) or not np.all(np.isfinite(values)):
            msg = f"{name} has shape {values.shape}, or is not finite: give ({templates.n_sys},), one per template"
            raise DataError(msg)
        found.append(values @ curves)
    return found


def _from_weights(galaxy_weights, random_weights) -> tuple[np.ndarray, np.ndarray]:
    """Contamination A and B that a pair of weights undoes."""
    return random_weights / galaxy_weights - 1.0, 1.0 / galaxy_weights - 1.0


def _inject(galaxies, templates: TemplateSet, additive, multiplicative, seed, randoms, deficit: str) -> Injection:
    rng = np.random.default_rng(seed)
    objects = _catalogue("galaxies", galaxies)
    place, coverage = _places(objects, templates), np.ones(len(templates.pixels))
    if randoms is not None:
        randoms = _catalogue("randoms", randoms)
        coverage = np.bincount(_inside(_places(randoms, templates), "randoms"), minlength=coverage.size)
    inside = np.flatnonzero(place >= 0)
    nbar = coverage * (_inside(place, "galaxies").size / coverage.sum())

    low = (additive < MIN_EFFICIENCY - 1.0) | (multiplicative < MIN_EFFICIENCY - 1.0)
    if low.mean() > MAX_CLIPPED:
        msg = f"density or efficiency is below {MIN_EFFICIENCY} in {low.mean():.0%} of the pixels: lower the amplitudes"
        raise DataError(msg)
    density, efficiency = (np.maximum(1.0 + m, MIN_EFFICIENCY) for m in (additive, multiplicative))
    floor = max(0.0, np.max(efficiency / density) - 1.0) if deficit == "floor" else 0.0
    efficiency = np.minimum(efficiency, (1.0 + floor) * density)

    share = 1.0 / efficiency.max()
    kept = inside[rng.random(inside.size) < share * efficiency[place[inside]]]
    numbers = rng.poisson(share * nbar * ((1.0 + floor) * density - efficiency))
    added = _interlopers(numbers, templates, randoms, rng)
    source = np.concatenate([kept, rng.choice(inside, size=len(added))])
    catalogue = Catalogue(
        np.concatenate([objects.ra[kept], added.ra]),
        np.concatenate([objects.dec[kept], added.dec]),
        None if objects.weights is None else objects.weights[source],
    )
    return Injection(
        catalogue,
        source,
        np.arange(source.size) >= kept.size,
        density - 1.0,
        efficiency - 1.0,
        *_expected_fit(templates, density, efficiency / (1.0 + floor), nbar),
        clipped=float(low.mean()),
        n_outside=len(objects) - inside.size,
    )


def _expected_fit(templates: TemplateSet, density, gain, nbar) -> tuple[np.ndarray, np.ndarray, float]:
    """Amplitudes a and b of a linear fit, and the dilution of the true field."""
    mean = np.average(density, weights=nbar)
    design = np.vstack([np.ones(density.size), templates.values]).T
    (_, *a), (dilution, *slopes) = np.linalg.lstsq(design, np.array([density, gain]).T / mean)[0].T
    return np.array(a), np.array(slopes) / dilution, float(dilution)


def _catalogue(what: str, given) -> Catalogue:
    if isinstance(given, (str, Path)):
        given = read_catalogue(given)
    if not isinstance(given, Catalogue):
        given = Catalogue(*given)
    points = check_points(what, (given.ra, given.dec), given.weights)
    return Catalogue(points.ra, points.dec, points.weights)


def _places(objects: Catalogue, templates: TemplateSet) -> np.ndarray:
    """Position of every object's pixel among those of the templates, -1 off them."""
    if templates.nside is None:
        msg = "the templates do not know their pixels: standardise them on HEALPix indices with an nside"
        raise DataError(msg)
    full = np.full(hp.nside2npix(templates.nside), -1)
    full[templates.pixels] = np.arange(len(templates.pixels))
    return full[hp.ang2pix(templates.nside, objects.ra, objects.dec, lonlat=True)]


def _inside(place: np.ndarray, what: str) -> np.ndarray:
    found = place[place >= 0]
    if not found.size:
        msg = f"none of {place.size} {what} lies on the templates: check both cover the same sky, in equatorial degrees"
        raise DataError(msg)
    return found


def _interlopers(numbers: np.ndarray, templates: TemplateSet, randoms: Catalogue | None, rng) -> Catalogue:
    """Objects for every pixel: anywhere inside it, or on randoms that are not used twice."""
    if randoms is None:
        full = np.zeros(hp.nside2npix(templates.nside), int)
        full[templates.pixels] = numbers
        return scatter_galaxies(full, templates.nside, rng)
    place = _places(randoms, templates)
    order = rng.permutation(np.flatnonzero(place >= 0))
    order = order[np.argsort(place[order], kind="stable")]
    available = np.bincount(place[order], minlength=numbers.size)
    if np.any(numbers > available):
        msg = f"{np.sum(numbers > available)} pixels have fewer randoms than interlopers: give more randoms, or none"
        raise DataError(msg)
    rank = np.arange(order.size) - np.repeat(np.cumsum(available) - available, available)
    chosen = order[rank < np.repeat(numbers, available)]
    return Catalogue(randoms.ra[chosen], randoms.dec[chosen])
