"""Fields of mocks beyond a single lognormal one: Gaussian, in redshift shells, and many of them per pixel."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import glass.grf
import healpy as hp
import numpy as np

from ..errors import DataError, unknown_name
from ..harmonic import pixel_window
from ..sky import Catalogue, scatter_galaxies, to_nside
from .lognormal import expected_counts, gaussian_spectrum

KINDS = ("lognormal", "gaussian")

_RIDGE = 1e-9  # of the power, so that identical shells can be factorised


@dataclass(frozen=True)
class ShellMock:
    """Simulated galaxies in redshift shells, and the fields they trace.

    Parameters
    ----------
    galaxies : Catalogue
        Positions, shell by shell.
    z : ndarray, shape (n_obj,)
        Redshifts.
    shell : ndarray of int, shape (n_obj,)
        Number of the shell of every galaxy.
    delta : ndarray, shape (n_shell, 12 nside^2)
        True overdensities, full sky, at the resolution of the mask [1].
    clipped : float
        Negative Gaussian power that was set to zero, relative to all.
    """

    galaxies: Catalogue
    z: np.ndarray
    shell: np.ndarray
    delta: np.ndarray
    clipped: float


def gaussian_field(cl: np.ndarray, nside: int, rng: np.random.Generator) -> np.ndarray:
    """Draw a Gaussian overdensity on the full sky.

    Parameters
    ----------
    cl : ndarray, shape (lmax + 1,)
        Spectrum of the field at the pixel centres [sr].
    nside : int
        Resolution.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    ndarray, shape (12 nside^2,)
        Overdensity, RING [1].  It can fall below -1; whoever samples it has no galaxies there, as
        :func:`~.expected_counts`.

    Raises
    ------
    DataError
        When the spectrum is negative or not finite.
    """
    cl = np.asarray(cl, float)
    if not np.all(np.isfinite(cl)) or np.any(cl < 0):
        msg = "the spectrum is negative or not finite: no field has it"
        raise DataError(msg)
    return next(glass.fields.generate([glass.grf.Normal()], [cl], nside, rng=rng))


def shell_spectra(spectra: np.ndarray, kind: str = "lognormal") -> tuple[np.ndarray, float]:
    """Spectra of the Gaussian fields behind correlated fields.

    Parameters
    ----------
    spectra : ndarray, shape (n_shell, n_shell, lmax + 1)
        Auto and cross spectra of the fields, symmetric [sr].
    kind : {"lognormal", "gaussian"}
        Distribution of the fields.

    Returns
    -------
    gaussian : ndarray, shape (n_shell, n_shell, lmax + 1)
        Spectra of the Gaussian fields, a positive matrix in every multipole [sr].
    clipped : float
        Negative power that was set to zero, relative to all: of the auto spectra, and of the eigenvalues
        of the matrices.

    Raises
    ------
    DataError
        When the spectra are not symmetric, or no such field has them.
    ParameterError
        For another kind.

    Notes
    -----
    Tessore et al. 2023 (arXiv:2302.01942).
    """
    if kind not in KINDS:
        raise unknown_name("kind", kind, KINDS)
    spectra = np.asarray(spectra, float)
    if spectra.ndim != 3 or spectra.shape[0] != spectra.shape[1] or not np.allclose(spectra, spectra.swapaxes(0, 1)):
        msg = f"spectra have shape {spectra.shape}, or are not symmetric: give (n_shell, n_shell, lmax + 1)"
        raise DataError(msg)
    found, clipped = spectra.copy(), 0.0
    if kind == "lognormal":
        for i in range(len(spectra)):
            found[i, i], lost = gaussian_spectrum(spectra[i, i])
            clipped = max(clipped, lost)
            for j in range(i):
                found[i, j] = found[j, i] = _cross(spectra[i, j])
    return _positive(found, clipped)


def shell_fields(
    gaussian: np.ndarray, nside: int, rng: np.random.Generator, kind: str = "lognormal"
) -> Iterator[np.ndarray]:
    """Draw correlated overdensities of redshift shells.

    Parameters
    ----------
    gaussian : ndarray, shape (n_shell, n_shell, lmax + 1)
        As :func:`shell_spectra` gives them [sr].
    nside : int
        Resolution.
    rng : numpy.random.Generator
        Source of randomness.
    kind : {"lognormal", "gaussian"}
        Distribution of the fields.

    Yields
    ------
    ndarray, shape (12 nside^2,)
        Overdensity of one shell after the other, RING [1].
    """
    transform = {"lognormal": glass.grf.Lognormal, "gaussian": glass.grf.Normal}[kind]
    n = len(gaussian)
    # GLASS orders the spectra by the younger shell, and from itself back to the first
    ordered = [gaussian[i, j] * (1.0 + _RIDGE * (i == j)) for i in range(n) for j in range(i, -1, -1)]
    yield from glass.fields.generate([transform()] * n, ordered, nside, rng=rng)


def draw_redshifts(
    z: np.ndarray, density: np.ndarray, size: int, rng: np.random.Generator, within: tuple[float, float] | None = None
) -> np.ndarray:
    """Draw redshifts from a distribution.

    Parameters
    ----------
    z, density : ndarray, shape (n_z,)
        Redshifts in increasing order, and n(z) there in any unit, linear in between.
    size : int
        Redshifts wanted.
    rng : numpy.random.Generator
        Source of randomness.
    within : tuple of float, optional
        Part of the range to draw from.

    Returns
    -------
    ndarray, shape (size,)
        Redshifts.

    Raises
    ------
    DataError
        When n(z) is not a distribution, or vanishes in the part asked for.
    """
    z, density = _part(z, density, within)
    return np.asarray(glass.galaxies.redshifts_from_nz(size, z, density, rng=rng, warn=False))


def simulate_shells(
    spectra: np.ndarray,
    mask: np.ndarray,
    number: float,
    nz: tuple[np.ndarray, np.ndarray],
    edges: np.ndarray,
    *,
    rng_field: np.random.Generator,
    rng_galaxies: np.random.Generator,
    kind: str = "lognormal",
    additive: np.ndarray | None = None,
    multiplicative: np.ndarray | None = None,
) -> ShellMock:
    """Simulate a contaminated galaxy catalogue in redshift shells.

    Parameters
    ----------
    spectra : ndarray, shape (n_shell, n_shell, lmax + 1)
        Auto and cross spectra of the true fields, without a pixel window [sr].
    mask : ndarray of bool, shape (12 nside^2,)
        Observed sky, at the resolution of the fields.
    number : float
        Galaxies wanted in all shells, on average over fields.
    nz : tuple of ndarray, shape (n_z,)
        Redshifts and n(z), as in :func:`draw_redshifts`; the share of every shell is its integral.
    edges : ndarray, shape (n_shell + 1,)
        Edges of the shells in redshift.
    rng_field, rng_galaxies : numpy.random.Generator
        Sources of randomness of the fields, and of counts, positions and redshifts.
    kind : {"lognormal", "gaussian"}
        Distribution of the fields.
    additive, multiplicative : ndarray, shape (12 nside_t^2,) or (n_shell, 12 nside_t^2), optional
        Contamination A_p and B_p, the same for all shells or one each, zero when left out [1].

    Returns
    -------
    ShellMock
        Galaxies with redshifts, and the true overdensities.

    Raises
    ------
    DataError
        When shapes differ, n(z) is not a distribution, or no field has such spectra.
    ParameterError
        For another kind.
    """
    edges, n_side = np.asarray(edges, float), hp.npix2nside(mask.size)
    if edges.shape != (len(spectra) + 1,) or not np.all(np.diff(edges) > 0):
        msg = f"edges have shape {edges.shape} for {len(spectra)} shells: give {len(spectra) + 1} increasing redshifts"
        raise DataError(msg)
    window = pixel_window(n_side, np.shape(spectra)[-1] - 1) ** 2
    gaussian, clipped = shell_spectra(spectra * window, kind)
    parts = [_part(*nz, within) for within in pairwise(edges)]
    share = np.array([np.trapezoid(density, z) for z, density in parts])
    zero = np.zeros(mask.size)
    a, b = (
        np.broadcast_to(zero if m is None else to_nside(m, n_side), (len(edges) - 1, mask.size))
        for m in (additive, multiplicative)
    )
    shells, deltas = [], []
    for i, delta in enumerate(shell_fields(gaussian, n_side, rng_field, kind)):
        mean = expected_counts(delta, a[i], b[i], mask, number * share[i] / share.sum())
        placed = scatter_galaxies(rng_galaxies.poisson(mean), n_side, rng_galaxies)
        shells.append((placed, draw_redshifts(*parts[i], len(placed), rng_galaxies)))
        deltas.append(delta)
    galaxies = Catalogue(*(np.concatenate([getattr(c, which) for c, _ in shells]) for which in ("ra", "dec")))
    numbers = np.repeat(np.arange(len(shells)), [len(c) for c, _ in shells])
    return ShellMock(galaxies, np.concatenate([z for _, z in shells]), numbers, np.array(deltas), clipped)


def _cross(cl: np.ndarray) -> np.ndarray:
    """Gaussian cross spectrum of two lognormal fields."""
    if not cl.any():
        return cl
    lognormal = glass.grf.Lognormal()
    with np.errstate(invalid="ignore", divide="ignore"):
        # log(1 + xi) tells whether xi stays above -1; the solver would search for ever
        if not np.all(np.isfinite(glass.grf.compute(cl, lognormal, lognormal))):
            msg = "a cross spectrum is not finite or anticorrelated below -1: no lognormal fields have it"
            raise DataError(msg)
        monopole = 0.0 if cl[0] == 0 else None
        return glass.grf.solve(cl, lognormal, lognormal, pad=2 * cl.size, monopole=monopole)[0]


def _positive(spectra: np.ndarray, clipped: float) -> tuple[np.ndarray, float]:
    """Nearest positive matrices, and the share of the power that was set to zero."""
    matrices = np.moveaxis(spectra, -1, 0)
    eigenvalues, vectors = np.linalg.eigh(matrices)
    modes = 2.0 * np.arange(len(matrices)) + 1.0
    total = modes @ np.abs(eigenvalues).sum(1)
    if not total > 0:
        return spectra, clipped
    lost = float(modes @ np.maximum(-eigenvalues, 0.0).sum(1) / total)
    kept = (vectors * np.maximum(eigenvalues, 0.0)[:, None, :]) @ vectors.swapaxes(1, 2)
    return np.moveaxis(kept, 0, -1), max(clipped, lost)


def _part(z, density, within=None) -> tuple[np.ndarray, np.ndarray]:
    """Distribution of redshifts in a part of its range."""
    z, density = np.asarray(z, float), np.asarray(density, float)
    valid = z.ndim == 1 and z.shape == density.shape and z.size > 1 and np.all(np.diff(z) > 0)
    if not valid or not np.all(density >= 0):
        msg = f"n(z) has shapes {z.shape} and {density.shape}, falls or is negative: give increasing z and n(z) >= 0"
        raise DataError(msg)
    if within is not None:
        low, high = np.clip(within, z[0], z[-1])
        grid = np.concatenate([[low], z[(z > low) & (z < high)], [high]])
        z, density = grid, np.interp(grid, z, density)
    if not np.trapezoid(density, z) > 0:
        low, high = within or (z[0], z[-1])
        msg = f"n(z) vanishes between {low:g} and {high:g}: give redshifts where there are galaxies"
        raise DataError(msg)
    return z, density
