"""Synthetic templates, Gaussian maps with the spectra of five families."""

from __future__ import annotations

from collections.abc import Sequence

import healpy as hp
import numpy as np

from ..errors import unknown_name

FAMILIES = {
    "exp_linear": lambda ell: np.exp(-ell / 500.0),
    "exp_quadratic": lambda ell: np.exp(-((ell / 250.0) ** 2)),
    "power_neg2": lambda ell: (ell + 1.0) ** -2,
    "power_neg1": lambda ell: (ell + 1.0) ** -1,
    "white_noise": np.ones_like,
}
"""Spectra of synthetic templates, Berlfein et al. (2024), section 4; normalisation is free."""


def synthetic_maps(nside: int, families: Sequence[str], rng: np.random.Generator) -> np.ndarray:
    """Draw Gaussian maps with the spectra of the paper.

    Parameters
    ----------
    nside : int
        Resolution.
    families : sequence of str, length n_sys
        Rows of :data:`FAMILIES`.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    ndarray, shape (n_sys, 12 nside^2)
        Maps without a monopole, RING, equatorial.

    Raises
    ------
    ParameterError
        For an unknown family.
    """
    lmax = 3 * nside - 1
    ell, m = hp.Alm.getlm(lmax)
    maps = []
    for family in families:
        if family not in FAMILIES:
            raise unknown_name("template family", family, FAMILIES)
        real, imaginary = rng.standard_normal((2, ell.size))
        # a coefficient with m = 0 is real and has the whole variance in its real part
        alm = np.where(m == 0, real, (real + 1j * imaginary) / np.sqrt(2.0))
        amplitude = np.where(ell == 0, 0.0, np.sqrt(FAMILIES[family](ell.astype(float))))
        maps.append(hp.alm2map(amplitude * alm, nside, lmax=lmax))
    return np.array(maps)
