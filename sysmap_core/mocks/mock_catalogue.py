"""A simulated catalogue with its truth, and the contaminations it may have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ..sky import Catalogue, Field, overdensity, pixel_counts
from ..templates import TemplateSet, standardise

ContaminationScenario = Literal["none", "additive", "multiplicative", "combined"]


SCENARIOS: Mapping[str, tuple[str, str]] = {
    "none": ("", ""),
    "additive": ("a", ""),
    "multiplicative": ("b", "b"),
    "combined": ("a", "b"),
}
"""Which of the given amplitudes act as a and as b.

The multiplicative model has b = a, an efficiency of the selection of galaxies, which is what its likelihood fits
(Berlfein et al. 2024, Eq. 12).  In the package sys_mapping this scenario has a = 0, that is d = delta (1 + B):
``scenario="combined"`` with ``a_true`` of zeros simulates that.
"""


@dataclass(frozen=True)
class MockCatalog:
    """Simulated galaxies with their truth.

    Parameters
    ----------
    scenario : {"none", "additive", "multiplicative", "combined"}
        Contamination.
    nside : int
        Resolution of the maps.
    ra_gal, dec_gal, ra_rand, dec_rand : ndarray
        Galaxies and randoms, equatorial, right ascensions in [0, 360) [deg].
    templates : ndarray, shape (n_sys, 12 nside^2)
        Templates, RING, equatorial, with zero mean and unit rms over the mask [1].
    delta_true, delta_obs : ndarray, shape (12 nside^2,)
        True overdensity, and the contaminated one before galaxies are counted, both relative to the mean of the full
        sky [1].
    mask : ndarray of bool, shape (12 nside^2,)
        Footprint.
    a_true, b_true : ndarray, shape (n_sys,)
        Amplitudes that were put in, per rms of the template.
    n_mean : float
        Expected galaxies of a pixel that is observed completely.
    sigma : float
        Rms of the logarithm of the true density, in the pixels in which the field was drawn.
    seed : int
        Of everything.
    level : float
        Factor of the amplitudes; ``a_true`` and ``b_true`` contain it.
    names : tuple of str, length n_sys
        Templates.
    z_gal, z_rand : ndarray, or None
        Redshifts, where n(z) was given.
    """

    scenario: str
    nside: int
    ra_gal: np.ndarray
    dec_gal: np.ndarray
    ra_rand: np.ndarray
    dec_rand: np.ndarray
    templates: np.ndarray
    delta_true: np.ndarray
    delta_obs: np.ndarray
    mask: np.ndarray
    a_true: np.ndarray
    b_true: np.ndarray
    n_mean: float
    sigma: float
    seed: int
    level: float = 1.0
    names: tuple[str, ...] = ()
    z_gal: np.ndarray | None = None
    z_rand: np.ndarray | None = None

    @property
    def n_sys(self) -> int:
        """Number of templates."""
        return len(self.templates)

    @property
    def n_gal(self) -> int:
        """Number of galaxies."""
        return len(self.ra_gal)

    @property
    def n_rand(self) -> int:
        """Number of randoms."""
        return len(self.ra_rand)

    @property
    def n_pix(self) -> int:
        """Number of pixels of the sky, 12 nside^2."""
        return self.mask.size

    @property
    def n_good_pix(self) -> int:
        """Number of pixels of the footprint."""
        return int(self.mask.sum())

    @property
    def galaxies(self) -> Catalogue:
        """Positions of the galaxies."""
        return Catalogue(self.ra_gal, self.dec_gal)

    @property
    def randoms(self) -> Catalogue:
        """Positions of the randoms."""
        return Catalogue(self.ra_rand, self.dec_rand)

    def field(self) -> Field:
        """Overdensity of the galaxies that were counted, on the pixels of the mask."""
        counts = [pixel_counts(c.ra, c.dec, self.nside) for c in (self.galaxies, self.randoms)]
        return overdensity(*counts, np.flatnonzero(self.mask))

    def template_set(self) -> TemplateSet:
        """Templates on the pixels of the mask."""
        return standardise(self.templates, self.names, np.flatnonzero(self.mask))
