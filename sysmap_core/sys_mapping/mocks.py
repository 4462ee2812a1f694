"""Mock catalogues, fields and masks, by the names of the package sys_mapping.

Catalogues live in :mod:`sysmap_core.mocks`.
"""

from __future__ import annotations

import numpy as np

from ..errors import ParameterError
from ..mocks import (
    ContaminationScenario,
    MockCatalog,
    drawn_lognormal,
    log_spectrum,
    make_mock_catalog,
    make_mock_suite,
    survey_mask,
)
from ..sky import check_nside

__all__ = [
    "ContaminationScenario",
    "MockCatalog",
    "generate_lognormal_field",
    "make_galactic_mask",
    "make_mock_catalog",
    "make_mock_suite",
]


def generate_lognormal_field(nside: int, sigma: float = 0.5, *, seed: int | None = None) -> np.ndarray:
    r"""Draw a lognormal overdensity, the exponential of a Gaussian field with a red spectrum.

    Parameters
    ----------
    nside : int
        Resolution.
    sigma : float
        Rms of the Gaussian field, whose spectrum is :math:`C_\ell \propto (\ell + 1)^{-2}`.
    seed : int, optional
        Fixes the field; another one at every call when left out.

    Returns
    -------
    ndarray, shape (12 nside^2,)
        Overdensity, larger than -1; its rms is :math:`\sqrt{\exp(\sigma^2) - 1}` [1].
        :func:`~.lognormal_field` draws one with any spectrum.

    Raises
    ------
    ParameterError
        When the resolution or ``sigma`` is not possible.
    """
    if not (np.isfinite(sigma) and sigma > 0):
        msg = f"sigma is {sigma!r}: give a positive number"
        raise ParameterError(msg)
    gaussian = log_spectrum(check_nside(nside), sigma)
    return drawn_lognormal(gaussian, nside, np.random.default_rng(seed))


def make_galactic_mask(nside: int, lat_cut_deg: float = 20.0) -> np.ndarray:
    """Sky away from the Galactic plane: :func:`~.survey_mask`.

    Parameters
    ----------
    nside : int
        Resolution.
    lat_cut_deg : float
        Smallest distance from the plane, in Galactic latitude [deg].

    Returns
    -------
    ndarray of bool, shape (12 nside^2,)
        RING, equatorial.  The original cut in the latitude of the pixels, which is the declination.

    Raises
    ------
    ParameterError
        When the resolution or the latitude is not possible.
    """
    return survey_mask(nside, min_latitude=lat_cut_deg)
