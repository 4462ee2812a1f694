"""The nine volume-limited galaxy samples of the Legacy Surveys DR10, and their sky."""

from __future__ import annotations

import numpy as np

from ..errors import ParameterError
from ..mocks import clustering_sigma, shape_spectrum
from .sample import SampleInfo


def _info(log_mass, z_max, n_galaxies, n_randoms, sigma_32, sigma_64, finest_nside) -> SampleInfo:
    identifier = f"LS10_VLIM_ANY_{log_mass}_Mstar_12.0_0.05_z_{z_max}_N_{n_galaxies:07d}"
    title = f"Legacy Surveys DR10 galaxies, log M⋆ > {log_mass}, 0.05 < z < {z_max}"
    return SampleInfo(identifier, title, finest_nside, n_galaxies, n_randoms, log_mass, z_max, sigma_32, sigma_64)


LS10_SAMPLES = tuple(
    _info(*row)
    for row in (
        (9.0, 0.08, 523486, 2617332, 0.538, 0.645, 32),
        (9.5, 0.12, 1432502, 7160697, 0.467, 0.509, 64),
        (10.0, 0.18, 2759238, 13795884, 0.378, 0.387, 128),
        (10.25, 0.22, 3308841, 16544481, 0.339, 0.334, 128),
        (10.5, 0.26, 3263228, 16315418, 0.321, 0.298, 128),
        (10.75, 0.31, 2802710, 14013316, 0.303, 0.269, 128),
        (11.0, 0.35, 1619838, 8097853, 0.291, 0.274, 64),
        (11.25, 0.35, 541855, 2708912, 0.315, 0.328, 64),
        (11.5, 0.35, 120882, 606304, 0.392, 0.485, 16),
    )
)
"""Comparat et al. 2025 (arXiv:2503.19796), volume-limited in stellar mass above z = 0.05."""

_SIGMA_LMAX = 767  # band limit of the fields that are simulated


def sample_spectrum(info: SampleInfo, lmax: int) -> np.ndarray:
    """Angular power spectrum that gives a sample its published clustering at NSIDE 64.

    Parameters
    ----------
    info : SampleInfo
        One of the nine samples.
    lmax : int
        Largest multipole.

    Returns
    -------
    ndarray, shape (lmax + 1,)
        C_l of the field itself, without a pixel window [sr]; C_0 = 0.

    Raises
    ------
    ParameterError
        When no clustering is published for the sample.

    Notes
    -----
    The shape is that of log M* > 9.5 for all, only the amplitude is fitted.  A tilt cannot
    meet the published rms at NSIDE 32 as well: pixels four times larger must have the
    smaller rms whatever the spectrum, and in four of the nine samples they have not, so
    the published numbers hold more than clustering there.
    """
    if info.sigma_64 is None:
        msg = f"no clustering is published for {info.identifier}: estimate its spectrum from the data"
        raise ParameterError(msg)
    reference = clustering_sigma(shape_spectrum(_SIGMA_LMAX), 64)
    return shape_spectrum(lmax) * (info.sigma_64 / reference) ** 2
