"""Simulated surveys of positions on the footprint of LS10: from clustering to catalogues and back to pixels."""

from __future__ import annotations

from dataclasses import dataclass, replace

import healpy as hp
import numpy as np
from astropy import units
from astropy.coordinates import SkyCoord

from ..errors import ParameterError
from ..sky import MIN_COVERAGE, Catalogue, Counts, Field, footprint, overdensity, to_nside, uniform_randoms
from .footprints import ls10_south_footprint
from .galaxy_spectrum import clustering_sigma, shape_spectrum
from .lognormal import Mock, simulate_catalogue


@dataclass(frozen=True)
class MockSurvey:
    """What is needed to draw catalogues of clustered galaxies, and to count them.

    Parameters
    ----------
    spectrum : ndarray, shape (lmax + 1,)
        Power spectrum of the true field, without a pixel window [sr].
    mask : ndarray of bool, shape (12 nside_field^2,)
        Observed sky, at the resolution at which fields are made.
    coverage : Counts, or ndarray, shape (12 nside^2,)
        Observed share of the pixels of the run, or their randoms.
    pixels : ndarray of int, shape (n_pix,)
        Footprint.
    nside : int
        Resolution of the run.
    """

    spectrum: np.ndarray
    mask: np.ndarray
    coverage: np.ndarray | Counts
    pixels: np.ndarray
    nside: int

    def draw(
        self,
        number: float,
        rng_field: np.random.Generator,
        rng_galaxies: np.random.Generator,
        additive: np.ndarray | None = None,
        multiplicative: np.ndarray | None = None,
    ) -> Mock:
        """Catalogue of a new lognormal field.

        Parameters
        ----------
        number : float
            Galaxies wanted on average over fields.
        rng_field, rng_galaxies : numpy.random.Generator
            Sources of randomness of the field, and of counts and positions.
        additive, multiplicative : ndarray, shape (n_pix,), optional
            Contamination A_p and B_p on the footprint [1].

        Returns
        -------
        Mock
            Galaxies, and the true overdensity at ``nside``.
        """
        rngs = {"rng_field": rng_field, "rng_galaxies": rng_galaxies}
        contamination = {
            name: None if values is None else self.full_sky(values)
            for name, values in (("additive", additive), ("multiplicative", multiplicative))
        }
        return simulate_catalogue(self.spectrum, self.mask, number, self.nside, **rngs, **contamination)

    def full_sky(self, values: np.ndarray) -> np.ndarray:
        """Full-sky map of values on the footprint, zero elsewhere, shape (12 nside^2,)."""
        full = np.zeros(hp.nside2npix(self.nside))
        full[self.pixels] = values
        return full

    def with_randoms(self, number: int, rng: np.random.Generator) -> MockSurvey:
        """The same survey, whose coverage was counted with randoms.

        Parameters
        ----------
        number : int
            Randoms, uniform on the observed sky.
        rng : numpy.random.Generator
            Source of randomness.

        Returns
        -------
        MockSurvey
            With the footprint of these randoms.
        """
        randoms = uniform_randoms(self.mask, number, rng)
        coverage = Counts.of(randoms.ra, randoms.dec, self.nside)
        return replace(self, coverage=coverage, pixels=footprint(coverage))

    def counted(self, galaxies: Catalogue) -> Field:
        """Overdensity of a catalogue on the footprint.

        Parameters
        ----------
        galaxies : Catalogue
            Positions [deg].

        Returns
        -------
        Field
            With the expected counts of the coverage.

        Raises
        ------
        DataError
            When no galaxy lies on the footprint.
        """
        counts = Counts.of(galaxies.ra, galaxies.dec, self.nside, galaxies.weights)
        return overdensity(counts, self.coverage, self.pixels)


def thinned(galaxies: Catalogue, completeness: np.ndarray, rng: np.random.Generator) -> Catalogue:
    """Galaxies of an incomplete survey, with the weights that make up for those that are missing.

    Parameters
    ----------
    galaxies : Catalogue
        All of them.
    completeness : ndarray, shape (12 nside^2,)
        Share of the galaxies that is observed, at any resolution [1].
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    Catalogue
        Those that are observed, each with the weight 1 / completeness.
    """
    share = completeness[hp.ang2pix(hp.npix2nside(completeness.size), galaxies.ra, galaxies.dec, lonlat=True)]
    kept = rng.random(len(galaxies)) < share
    return Catalogue(galaxies.ra[kept], galaxies.dec[kept], 1.0 / share[kept])


def with_satellites(
    galaxies: Catalogue, share: float, rng: np.random.Generator, *, distance_arcmin: float = 3.0
) -> Catalogue:
    """Galaxies some of which have another next to them: counts that are noisier than Poisson.

    Parameters
    ----------
    galaxies : Catalogue
        Without weights.
    share : float
        Share of them that get a satellite.
    rng : numpy.random.Generator
        Source of randomness.
    distance_arcmin : float
        rms of the separation along each axis [arcmin].

    Returns
    -------
    Catalogue
        All of them, satellites last.

    Examples
    --------
    >>> import numpy as np
    >>> alone = Catalogue(np.array([10.0, 20.0]), np.array([0.0, 80.0]))
    >>> len(with_satellites(alone, 1.0, np.random.default_rng(0)))
    4
    """
    hosts = np.flatnonzero(rng.random(len(galaxies)) < share)
    places = SkyCoord(galaxies.ra[hosts], galaxies.dec[hosts], unit="deg")
    off = np.hypot(*rng.normal(0.0, distance_arcmin / 60.0, (2, hosts.size)))
    moved = places.directional_offset_by(rng.uniform(0.0, 360.0, hosts.size) * units.deg, off * units.deg)
    ra, dec = np.append(galaxies.ra, moved.ra.deg), np.append(galaxies.dec, moved.dec.deg)
    return Catalogue(ra, dec)


def mock_survey(
    nside: int, rms: float, *, finer: int = 4, min_coverage: float = MIN_COVERAGE, white: bool = False
) -> MockSurvey:
    """Survey with the clustering of LS10 galaxies on a stand-in for their footprint.

    Parameters
    ----------
    nside : int
        Resolution of the run.
    rms : float
        rms of the true overdensity in a pixel [1].
    finer : int
        Resolution of the fields and of the mask, over that of the run.
    min_coverage : float
        Smallest coverage of a footprint pixel, relative to that of a well covered one.
    white : bool
        Whether the field has the same power at all multipoles instead of that of galaxies.

    Returns
    -------
    MockSurvey
        Nothing is drawn yet.

    Raises
    ------
    ParameterError
        When the rms is not positive.

    Examples
    --------
    >>> survey = mock_survey(8, 0.3)
    >>> len(survey.mask) // len(survey.coverage)
    16
    """
    if not rms > 0:
        msg = f"rms is {rms}: give a positive number"
        raise ParameterError(msg)
    mask = ls10_south_footprint(finer * nside)
    coverage = to_nside(mask.astype(float), nside)
    spectrum = shape_spectrum(3 * finer * nside - 1)
    if white:
        spectrum = np.append(0.0, np.ones(len(spectrum) - 1))
    spectrum *= (rms / clustering_sigma(spectrum, nside)) ** 2
    return MockSurvey(spectrum, mask, coverage, footprint(coverage, min_coverage), nside)
