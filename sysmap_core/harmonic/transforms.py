"""Spherical harmonic transforms that touch only the rings of a footprint."""

from __future__ import annotations

from functools import cached_property

import ducc0
import healpy as hp
import numpy as np

from ..sky import Footprint


def default_lmax(nside: int) -> int:
    """Band limit of a HEALPix map.

    Parameters
    ----------
    nside : int
        Resolution.

    Returns
    -------
    int
        3 nside - 1.
    """
    return 3 * nside - 1


class Transforms:
    """Spherical harmonic transforms of maps on a footprint.

    Parameters
    ----------
    footprint : Footprint
        Pixels.
    lmax : int
        Band limit.
    """

    def __init__(self, footprint: Footprint, lmax: int):
        rings, pixels = ducc0.healpix.Healpix_Base(footprint.nside, "RING").sht_info(), footprint.pixels
        start = rings["ringstart"].astype(np.int64)
        # rings that the footprint does not touch would cost as much as the others
        used, ring = np.unique(np.searchsorted(start, pixels, side="right") - 1, return_inverse=True)
        length = rings["nphi"][used]
        packed = np.cumsum(length).astype(np.int64) - length.astype(np.int64)
        self._inside, self._size = pixels + (packed - start[used])[ring], int(length.sum())
        self._geometry = {
            "theta": rings["theta"][used],
            "nphi": length,
            "phi0": rings["phi0"][used],
            "ringstart": packed.astype(np.uint64),
            "lmax": lmax,
            "spin": 0,
            "nthreads": 0,
        }
        self.lmax = lmax

    @classmethod
    def of(cls, footprint: Footprint, lmax: int | None = None) -> Transforms:
        """Transforms that a footprint remembers, up to 3 nside - 1 by default."""
        lmax = default_lmax(footprint.nside) if lmax is None else lmax
        return footprint.remember("transforms", lmax, lambda: cls(footprint, lmax))

    @cached_property
    def ell(self) -> np.ndarray:
        """Multipole of every coefficient, shape (n_alm,)."""
        return hp.Alm.getlm(self.lmax)[0]

    def analyse(self, values: np.ndarray) -> np.ndarray:
        """Sums over pixels of maps times spherical harmonics, shapes (..., n_pix) to (..., n_alm)."""
        flat = values.reshape(-1, values.shape[-1])
        maps = np.zeros((len(flat), 1, self._size))
        maps[:, 0, self._inside] = flat
        alms = ducc0.sht.adjoint_synthesis(map=maps, **self._geometry)
        return alms.reshape(*values.shape[:-1], -1)

    def synthesise(self, alms: np.ndarray) -> np.ndarray:
        """Maps on the footprint from their coefficients, shapes (..., n_alm) to (..., n_pix)."""
        maps = ducc0.sht.synthesis(alm=alms.reshape(-1, 1, alms.shape[-1]), **self._geometry)
        return maps[:, 0, self._inside].reshape(*alms.shape[:-1], -1)


def cross_spectra(alms1: np.ndarray, alms2: np.ndarray) -> np.ndarray:
    """Cross spectra of all pairs of two sets of maps.

    Parameters
    ----------
    alms1, alms2 : ndarray of complex, shapes (n1, n_alm) and (n2, n_alm)
        Harmonic coefficients of real maps.

    Returns
    -------
    ndarray, shape (n1, n2, lmax + 1)
        Spectra [sr].
    """
    lmax = hp.Alm.getlmax(alms1.shape[-1])
    order = np.argsort(hp.Alm.getlm(lmax)[0], kind="stable")
    # real and imaginary parts of one multipole side by side: its spectra are one product of matrices
    rows1 = np.take(alms1, order, axis=-1).view(float)
    rows2 = rows1 if alms2 is alms1 else np.take(alms2, order, axis=-1).view(float)
    found = np.empty((len(alms1), len(alms2), lmax + 1))
    for ell in range(lmax + 1):
        part = slice(ell * (ell + 1), (ell + 1) * (ell + 2))
        both_signs = 2.0 * rows1[:, part] @ rows2[:, part].T
        found[..., ell] = (both_signs - np.outer(alms1[:, ell].real, alms2[:, ell].real)) / (2 * ell + 1)
    return found
