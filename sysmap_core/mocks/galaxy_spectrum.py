"""Shape of the angular power spectrum of galaxies."""

from __future__ import annotations

import numpy as np

from ..harmonic import pixel_window, variance
from ..sky import check_nside

_MULTIPOLES = np.array([3.0, 10.0, 20.0, 40.0, 80.0, 128.0, 190.0])

_POWER = np.array([4.2e-3, 1.3e-3, 5.8e-4, 2.5e-4, 8.3e-5, 4.3e-5, 2.3e-5])


def shape_spectrum(lmax: int) -> np.ndarray:
    """Angular power spectrum measured for log M* > 9.5.

    Parameters
    ----------
    lmax : int
        Largest multipole.

    Returns
    -------
    ndarray, shape (lmax + 1,)
        C_l [sr], a power law between the seven measured multipoles and beyond them; C_0 = 0.
    """
    slope = np.diff(np.log(_POWER)) / np.diff(np.log(_MULTIPOLES))
    ell = np.arange(1, lmax + 1)
    piece = np.clip(np.searchsorted(_MULTIPOLES, ell) - 1, 0, len(slope) - 1)
    power = _POWER[piece] * (ell / _MULTIPOLES[piece]) ** slope[piece]
    return np.concatenate([[0.0], power])


def clustering_sigma(cl: np.ndarray, nside: int) -> float:
    """Rms of a field averaged over HEALPix pixels.

    Parameters
    ----------
    cl : ndarray, shape (lmax + 1,)
        Power spectrum of the field itself, without a pixel window [sr].
    nside : int
        Resolution.

    Returns
    -------
    float
        Standard deviation of the pixel averages [1].
    """
    return float(np.sqrt(variance(cl * pixel_window(check_nside(nside), len(cl) - 1) ** 2)))
