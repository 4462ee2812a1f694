"""Realisations of a sample: clustered fields and their counts, drawn in its pixels."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from ..covariance import SpectrumEstimate
from ..errors import DataError, ParameterError
from ..harmonic import default_lmax, pixel_window, variance
from ..sky import Field, Footprint
from .footprints import ls10_south_footprint
from .galaxy_spectrum import shape_spectrum
from .lognormal import PixelField

BATCH = 16
"""Realisations of one task of an executor."""

_AHEAD = 32  # batches that may wait to be fetched


def null_realisations(
    sky: Field,
    spectrum: np.ndarray | SpectrumEstimate,
    n_realisations: int,
    *,
    seed: int | np.random.SeedSequence,
    additive: np.ndarray | float = 0.0,
    multiplicative: np.ndarray | float = 0.0,
    executor: Executor | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Iterator[Field]:
    """Draw realisations of a sample per pixel: lognormal fields with its clustering, and Poisson counts.

    Parameters
    ----------
    sky : Field
        Sample whose footprint and expected counts the realisations have.
    spectrum : ndarray, shape (3 nside,), or SpectrumEstimate
        Spectrum of the pixel averages, without shot noise [sr].
    n_realisations : int
        Realisations.
    seed : int or numpy.random.SeedSequence
        Fixes all of them: realisation i is the same for any number and any executor.
    additive, multiplicative : ndarray, shape (n_pix,), optional
        Contamination A_p and B_p; none by default [1].
    executor : concurrent.futures.Executor, optional
        Who draws them; this process by default.
    progress : callable, optional
        Called with the number of realisations done and their total.

    Yields
    ------
    Field
        One realisation after the other, in the order of their seeds.

    Raises
    ------
    ParameterError
        When the number is not positive.
    DataError
        When no lognormal field has the spectrum, or a realisation has no galaxy.
    """
    if n_realisations < 1:
        msg = f"n_realisations is {n_realisations}: give one or more"
        raise ParameterError(msg)
    task = partial(_counts, sky, PixelField.of(spectrum), additive, multiplicative)
    for delta, expected in map_realisations(task, n_realisations, seed, executor=executor, progress=progress):
        yield replace(sky, delta=delta, expected=expected)


def map_realisations(
    task: Callable[[np.random.SeedSequence], object],
    number: int,
    seed: int | np.random.SeedSequence,
    *,
    executor: Executor | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Iterator:
    """Do something with every realisation of a run, each with a seed of its own.

    Parameters
    ----------
    task : callable
        From the seed of a realisation to what is wanted of it.
    number : int
        Realisations.
    seed : int or numpy.random.SeedSequence
        Fixes all of them: realisation i is the same for any number and any executor.
    executor : concurrent.futures.Executor, optional
        Who does it, by default this process; other processes have to be spawned, as JAX has threads.
    progress : callable, optional
        Called with the number of realisations done and their total.

    Yields
    ------
    object
        What the task gave, in the order of the seeds; with an executor some are done ahead, and not all are kept.

    Examples
    --------
    >>> import numpy as np
    >>> task = lambda seed: np.random.default_rng(seed).integers(100)
    >>> list(map_realisations(task, 3, 5)) == list(map_realisations(task, 5, 5))[:3]
    True
    """
    parent = seed if isinstance(seed, np.random.SeedSequence) else np.random.SeedSequence(seed)
    seeds = parent.spawn(number)
    batches = (seeds[i : i + BATCH] for i in range(0, number, BATCH))
    done = 0
    for results in map(partial(_batch, task), batches) if executor is None else _ahead(executor, task, batches):
        for result in results:
            yield result
            done += 1
            if progress is not None:
                progress(done, number)


def _batch(task, seeds) -> list:
    return [task(seed) for seed in seeds]


def _ahead(executor: Executor, task, batches: Iterator) -> Iterator[list]:
    """Results of all batches, some of them computed before they are asked for."""
    waiting = deque()
    for batch in batches:
        waiting.append(executor.submit(_batch, task, batch))
        if len(waiting) > _AHEAD:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _counts(sky, clustering, additive, multiplicative, seed) -> tuple[np.ndarray, np.ndarray]:
    drawn = clustered_counts(sky, clustering, np.random.default_rng(seed), additive, multiplicative)
    # the footprint stays here: it is the same for all
    return drawn.delta, drawn.expected


def clustered_counts(
    sky: Field,
    clustering: PixelField,
    rng: np.random.Generator,
    additive: np.ndarray | float = 0.0,
    multiplicative: np.ndarray | float = 0.0,
) -> Field:
    r"""Draw a realisation of a sample per pixel: Poisson counts of a lognormal field on its footprint.

    Parameters
    ----------
    sky : Field
        Sample whose footprint and expected counts the realisation has.
    clustering : PixelField
        The true field; with the same random numbers, it is what it draws itself.
    rng : numpy.random.Generator
        Source of randomness.
    additive, multiplicative : ndarray, shape (n_pix,), optional
        Contamination A_p and B_p [1].

    Returns
    -------
    Field
        Overdensity of the counts, with the expected counts that they have themselves, and with the noise of the sample:
        objects of its typical weights, and a coverage that is known as well as there.

    Raises
    ------
    DataError
        When there is not a single galaxy.

    Notes
    -----
    The combined model of Berlfein et al. (2024), Eq. 13, before the counts are sampled; densities
    that it makes negative are zero.
    """
    delta = clustering.draw(sky.footprint, rng)
    density = np.maximum(1.0 + (1.0 + multiplicative) * delta + additive, 0.0)
    counts = _drawn_counts(sky, density, rng)
    if not counts.any():
        msg = f"a realisation of {sky.n_galaxies:.3g} expected galaxies has none: give more expected counts"
        raise DataError(msg)
    expected = sky.expected * (counts.sum() / sky.expected.sum())
    return replace(sky, delta=counts / expected - 1.0, expected=expected)


def _drawn_counts(sky: Field, density: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Counts with the noise of a sample: objects of one weight in a pixel, and a coverage that was counted."""
    noise = sky.noise.coverage
    if sky.noise.counted:
        # where r objects were counted, the coverage has a gamma distribution of mean r and variance r
        density = density * rng.gamma(1.0 / noise) * noise
    return rng.poisson(density * sky.expected / sky.object_weight) * sky.object_weight


@dataclass(frozen=True)
class PixelSample:
    """Simulated sample without positions: what is needed to draw realisations of its pixels.

    Parameters
    ----------
    sky : Field
        Footprint and expected counts; its overdensity is zero.
    spectrum : ndarray, shape (3 nside,)
        Spectrum of the pixel averages [sr].
    clustering : PixelField
        The true field.
    """

    sky: Field
    spectrum: np.ndarray
    clustering: PixelField

    def draw(self, seed, additive=0.0, multiplicative=0.0) -> Field:
        """Realisation from a seed, with contamination A and B of shape (n_pix,)."""
        return clustered_counts(self.sky, self.clustering, np.random.default_rng(seed), additive, multiplicative)

    def truth(self, seed) -> np.ndarray:
        """True overdensity behind :meth:`draw` with the same seed, shape (n_pix,), relative to the mean of the sky."""
        return self.clustering.draw(self.sky.footprint, np.random.default_rng(seed))


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
    blank = Field(np.zeros(len(pixels)), np.full(len(pixels), float(galaxies_per_pixel)), Footprint(pixels, nside))
    return PixelSample(blank, spectrum, PixelField.of(spectrum))
