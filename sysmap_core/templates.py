"""Templates of observing conditions, standardised on the fitted footprint."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import healpy as hp
import numpy as np

from .errors import DataError, ParameterError, unknown_name
from .sky import places_in


@dataclass(frozen=True)
class TemplateSet:
    """Templates with zero mean and unit rms over a footprint.

    Parameters
    ----------
    values : ndarray, shape (n_sys, n_pix)
        Standardised templates t_ip [1].
    names : tuple of str, length n_sys
        Names of the templates.
    pixels : ndarray of int, shape (n_pix,)
        HEALPix indices, RING, equatorial.
    nside : int or None
        Resolution of the indices; None where the place of the pixels is not known.
    mean, rms : ndarray, shape (n_sys,)
        What was subtracted and divided by, in the unit of each map.
    """

    values: np.ndarray
    names: tuple[str, ...]
    pixels: np.ndarray
    nside: int | None
    mean: np.ndarray
    rms: np.ndarray

    @property
    def n_sys(self) -> int:
        """Number of templates."""
        return len(self.names)

    def condition_number(self) -> float:
        """Condition number of the template covariance T T^t / N."""
        return float(np.linalg.cond(self.values @ self.values.T / self.values.shape[1]))

    def restricted(self, pixels: np.ndarray) -> TemplateSet:
        """The same templates on a part of the footprint, standardised there.

        Parameters
        ----------
        pixels : ndarray of int, shape (n_kept,)
            HEALPix indices, some of those of the templates.

        Returns
        -------
        TemplateSet
            On ``pixels``, in their order; ``mean`` and ``rms`` in the unit of each map.

        Raises
        ------
        DataError
            When a pixel is not one of the templates, or a template is constant on the part.
        """
        kept = places_in(self.pixels, pixels)
        part = _standardised(self.values[:, kept], self.names, self.pixels[kept], self.nside)
        return replace(part, mean=self.mean + self.rms * part.mean, rms=self.rms * part.rms)


def usable(maps: np.ndarray) -> np.ndarray:
    """Where map values are finite and not UNSEEN.

    Parameters
    ----------
    maps : ndarray
        Map values.

    Returns
    -------
    ndarray of bool
        Same shape.
    """
    return np.isfinite(maps) & (maps != hp.UNSEEN)


def standardise(maps: np.ndarray, names: Sequence[str], pixels: np.ndarray, *, missing: str = "error") -> TemplateSet:
    """Bring templates to zero mean and unit rms over a footprint.

    Parameters
    ----------
    maps : ndarray, shape (n_sys, 12 nside^2)
        Template maps, RING, equatorial.
    names : sequence of str, length n_sys
        Their names.
    pixels : ndarray of int, shape (n_pix,)
        Footprint.
    missing : {"error", "drop"}
        What to do with footprint pixels where a template is NaN or UNSEEN.

    Returns
    -------
    TemplateSet
        On ``pixels``, less the dropped ones.

    Raises
    ------
    DataError
        When a template has missing pixels and ``missing`` is ``"error"``, or is constant.
    ParameterError
        When ``missing`` is another word.

    Notes
    -----
    Standardised elsewhere than on the fitted footprint, templates have neither zero mean
    nor unit rms there and amplitudes lose their meaning (per rms of the template).
    """
    if missing not in ("error", "drop"):
        msg = f"missing is {missing!r}: give 'error' or 'drop'"
        raise ParameterError(msg)
    values = np.asarray(maps, float)[:, pixels]
    good = usable(values)
    if not good.all():
        if missing == "error":
            lost = ", ".join(f"{n} ({c})" for n, c in zip(names, (~good).sum(1), strict=True) if c)
            msg = (
                f"templates are NaN or UNSEEN in footprint pixels: {lost} of {len(pixels)}; "
                "mask them, or drop these pixels with missing='drop'"
            )
            raise DataError(msg)
        keep = good.all(0)
        if not keep.any():
            msg = (
                f"no footprint pixel of {len(pixels)} has all of {len(names)} templates: "
                "empty overlap, check their coverage"
            )
            raise DataError(msg)
        pixels, values = pixels[keep], values[:, keep]
    return _standardised(values, tuple(names), pixels, hp.npix2nside(maps.shape[1]))


def from_pixels(
    values: np.ndarray, pixels: np.ndarray, nside: int | None, names: Sequence[str] | None = None
) -> TemplateSet:
    """Bring templates that are known on the footprint only to zero mean and unit rms.

    Parameters
    ----------
    values : ndarray, shape (n_sys, n_pix)
        Template values on the footprint.
    pixels : ndarray of int, shape (n_pix,)
        HEALPix indices, RING, equatorial.
    nside : int or None
        Resolution of the indices; None where the place of the pixels is not known.
    names : sequence of str, length n_sys, optional
        Their names; numbers by default.

    Returns
    -------
    TemplateSet
        On ``pixels``.

    Raises
    ------
    DataError
        When shapes differ, values are missing, or a template is constant.
    """
    if values.ndim != 2 or values.shape[1] != len(pixels):
        msg = f"templates have shape {values.shape} for {len(pixels)} pixels: give (n_sys, n_pix), templates first"
        raise DataError(msg)
    names = tuple(names or (f"template {i}" for i in range(len(values))))
    lost = [f"{n} ({c})" for n, c in zip(names, (~usable(values)).sum(1), strict=True) if c]
    if lost:
        msg = f"templates are NaN or UNSEEN in pixels: {', '.join(lost)} of {len(pixels)}; leave these pixels out"
        raise DataError(msg)
    return _standardised(values, names, pixels, nside)


def _standardised(values, names: tuple[str, ...], pixels, nside: int | None) -> TemplateSet:
    mean, rms = values.mean(1), values.std(1)
    for name, m, s in zip(names, mean, rms, strict=True):
        if s <= 1e-12 * max(abs(m), 1.0e-300):
            msg = f"template {name} is constant ({m:.6g}) on the footprint: leave it out"
            raise DataError(msg)
    return TemplateSet((values - mean[:, None]) / rms[:, None], names, pixels, nside, mean, rms)


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
