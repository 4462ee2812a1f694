"""Simulated stand-ins for the samples, with a contamination that is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import healpy as hp
import numpy as np

from .conditions import Conditions, simulated_conditions
from .datasets import Sample, SampleInfo, Truth
from .errors import DataError
from .ls10 import ls10_south_footprint, sample_spectrum, shape_spectrum
from .mocks import clustered_counts, clustered_field, gaussian_spectrum, simulate_catalogue, uniform_randoms
from .regrid import to_nside
from .sky import Field, footprint, pixel_counts
from .spectra import default_lmax, pixel_window, variance
from .templates import standardise, usable

N_FIELD = 256
"""Lowest resolution of the simulated field."""

CONTAMINATION: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "EBV": (-0.06, -0.06),  # dust hides galaxies
        "nstar_faint": (0.12, -0.05),  # stars are taken for galaxies, and blend with them
        "GALDEPTH_Z": (0.05, 0.05),  # deeper images show more galaxies
        "PSFSIZE_R": (-0.06, -0.06),  # in bad seeing fewer are told from stars
    }
)
"""Amplitudes (a, b) put into simulated samples, per rms of the standardised template; zero for all others.

The efficiency is 1 + b t and the density of interlopers (a - b) t.
"""


def amplitudes(names: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Amplitudes that simulated samples are contaminated with.

    Parameters
    ----------
    names : sequence of str, length n_sys
        Names of the templates.

    Returns
    -------
    a, b : ndarray, shape (n_sys,)
        Additive and multiplicative amplitudes of :data:`CONTAMINATION`, per rms [1].
    """
    a, b = np.array([CONTAMINATION.get(name, (0.0, 0.0)) for name in names]).T
    return a, b


def simulate_sample(info: SampleInfo, nside: int, seed: int, templates: Conditions | None = None) -> Sample:
    """Simulate a sample on a stand-in for the southern Legacy Surveys.

    Parameters
    ----------
    info : SampleInfo
        One of the nine samples.
    nside : int
        Resolution of the run.
    seed : int
        Seed of the field, galaxies, randoms and conditions.
    templates : Conditions, optional
        Template maps at ``nside``; simulated ones by default.

    Returns
    -------
    Sample
        With its truth.

    Raises
    ------
    DataError
        When the templates leave nothing of the footprint.

    Notes
    -----
    A lognormal field with the sample's clustering, at least twice as fine as the run and
    the same for one seed at all resolutions up to 128; contamination before Poisson sampling.
    """
    # one child each, so that a change in one ingredient leaves the others as they are
    field, galaxies, randoms, conditions = np.random.SeedSequence(seed).spawn(4)
    n_field = max(N_FIELD, 2 * nside)
    if templates is None:
        mask = ls10_south_footprint(n_field)
        templates = _seen(simulated_conditions(n_field, conditions), mask, nside)
    else:
        mask = _covered(templates.maps, n_field)
    random_catalogue = uniform_randoms(mask, info.n_randoms, np.random.default_rng(randoms))
    coverage = pixel_counts(random_catalogue.ra, random_catalogue.dec, nside)
    a, b = amplitudes(templates.names)
    scaled = _scaled(templates, footprint(coverage))
    spectrum = sample_spectrum(info, 3 * n_field - 1)
    mock = simulate_catalogue(
        spectrum,
        mask,
        info.n_galaxies,
        nside,
        rng_field=np.random.default_rng(field),
        rng_galaxies=np.random.default_rng(galaxies),
        additive=a @ scaled,
        multiplicative=b @ scaled,
    )
    made = f"simulated, seed {seed}"
    return Sample(
        identifier=info.identifier,
        title=info.title,
        nside=nside,
        galaxy_counts=pixel_counts(mock.galaxies.ra, mock.galaxies.dec, nside),
        coverage=coverage,
        maps=templates.maps,
        template_names=templates.names,
        galaxies=mock.galaxies,
        randoms=random_catalogue,
        simulated=True,
        truth=Truth(a, b, mock.delta, spectrum),
        sources={"galaxies": made, "randoms": made} | templates.sources,
        missing="error",
        notes=_notes(templates, mask.mean(), seed),
    )


@dataclass(frozen=True)
class PixelSample:
    """Simulated sample without positions: what is needed to draw realisations of its pixels.

    Parameters
    ----------
    sky : Field
        Footprint and expected counts; its overdensity is zero.
    spectrum : ndarray, shape (3 nside,)
        Spectrum of the pixel averages [sr].
    gaussian : ndarray, shape (3 nside,)
        Spectrum of the Gaussian field behind them [sr].
    """

    sky: Field
    spectrum: np.ndarray
    gaussian: np.ndarray

    def draw(self, seed, additive=0.0, multiplicative=0.0) -> Field:
        """Realisation from a seed, with contamination A and B of shape (n_pix,)."""
        return clustered_counts(self.sky, self.gaussian, np.random.default_rng(seed), additive, multiplicative)

    def truth(self, seed) -> np.ndarray:
        """True overdensity behind :meth:`draw` with the same seed, shape (n_pix,), relative to the mean of the sky."""
        return clustered_field(self.sky, self.gaussian, np.random.default_rng(seed))


def pixel_sample(
    nside: int, rms: float, galaxies_per_pixel: float, *, mask: np.ndarray | None = None, tilt: float = 0.0
) -> PixelSample:
    """Sample of clustered pixels with the spectrum of the LS10 galaxies.

    Parameters
    ----------
    nside : int
        Resolution.
    rms : float
        rms of the true overdensity in a pixel [1].
    galaxies_per_pixel : float
        Expected counts of a pixel.
    mask : ndarray of bool, shape (12 nside^2,), optional
        Footprint; that of the southern Legacy Surveys by default.
    tilt : float
        Power of the multipole that the spectrum is multiplied by.

    Returns
    -------
    PixelSample
        Nothing is drawn yet.
    """
    mask = ls10_south_footprint(nside) if mask is None else mask
    pixels = np.flatnonzero(mask)
    spectrum = shape_spectrum(default_lmax(nside)) * np.maximum(np.arange(3 * nside), 1.0) ** tilt
    spectrum *= pixel_window(nside, default_lmax(nside)) ** 2
    spectrum *= rms**2 / variance(spectrum)
    gaussian, _ = gaussian_spectrum(spectrum)
    return PixelSample(Field.blank(pixels, nside, galaxies_per_pixel), spectrum, gaussian)


def _seen(templates: Conditions, mask: np.ndarray, nside: int) -> Conditions:
    """Conditions averaged over the observed part of coarser pixels, as means over randoms are."""
    return replace(templates, maps=to_nside(np.where(mask, templates.maps, hp.UNSEEN), nside))


def _covered(maps: np.ndarray, n_field: int) -> np.ndarray:
    """Pixels of the field that are in the footprint and have all templates."""
    whole = usable(maps).all(0).astype(float)
    mask = ls10_south_footprint(n_field) & (to_nside(whole, n_field) > 0)
    if not mask.any():
        msg = "no pixel of the footprint has all templates: give templates that cover the southern sky"
        raise DataError(msg)
    return mask


def _scaled(templates: Conditions, pixels: np.ndarray) -> np.ndarray:
    """Templates on the full sky, with zero mean and unit rms over the footprint; zero where missing."""
    on_footprint = standardise(templates.maps, templates.names, pixels)
    scaled = (templates.maps - on_footprint.mean[:, None]) / on_footprint.rms[:, None]
    return np.where(usable(templates.maps), scaled, 0.0)


def _notes(templates: Conditions, f_sky: float, seed: int) -> tuple[str, ...]:
    read = [name for name in templates.names if name not in templates.simulated]
    made = f"; simulated, seed {seed}: {', '.join(templates.simulated)}" if templates.simulated else ""
    acting = [(name, *CONTAMINATION[name]) for name in templates.names if name in CONTAMINATION]
    amounts = "; ".join(f"{name} a = {a:+g}, b = {b:+g}" for name, a, b in acting)
    return (
        f"Galaxies and randoms are simulated (seed {seed}): a lognormal field with the published clustering "
        f"of the sample, on a stand-in for its footprint (f_sky = {f_sky:.3f}).",
        f"Templates read from files of real surveys: {', '.join(read)}{made}.",
        f"Contamination put in before the galaxies were sampled: {amounts or 'none'}.",
    )
