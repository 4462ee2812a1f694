"""Templates of observing conditions, standardised on the fitted footprint."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import healpy as hp
import numpy as np

from ..errors import DataError, ParameterError
from ..sky import Footprint, Memory, filled, usable


@dataclass(frozen=True)
class TemplateSet(Memory):
    """Templates with zero mean and unit rms over a footprint.

    Parameters
    ----------
    values : ndarray, shape (n_sys, n_pix)
        Standardised templates t_ip [1]; they cannot be changed, as results are remembered for them.
    names : tuple of str, length n_sys
        Names of the templates.
    footprint : Footprint
        Pixels that they are standardised on.
    mean, rms : ndarray, shape (n_sys,)
        What was subtracted and divided by, in the unit of each map.
    """

    values: np.ndarray
    names: tuple[str, ...]
    footprint: Footprint
    mean: np.ndarray
    rms: np.ndarray

    def __post_init__(self):
        values = np.asarray(self.values)
        if values.flags.writeable:
            # somebody else may still write to it
            values = values.copy()
            values.flags.writeable = False
        object.__setattr__(self, "values", values)

    @property
    def pixels(self) -> np.ndarray:
        """HEALPix indices, RING, equatorial, shape (n_pix,)."""
        return self.footprint.pixels

    @property
    def nside(self) -> int | None:
        """Resolution of the indices; None where the place of the pixels is not known."""
        return self.footprint.nside

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
        kept = self.footprint.places(pixels)
        part = _standardised(self.values[:, kept], self.names, Footprint(self.pixels[kept], self.nside))
        return replace(part, mean=self.mean + self.rms * part.mean, rms=self.rms * part.rms)


def standardise(
    maps: np.ndarray, names: Sequence[str], pixels: np.ndarray | Footprint, *, missing: str = "error"
) -> TemplateSet:
    """Bring templates to zero mean and unit rms over a footprint.

    Parameters
    ----------
    maps : ndarray, shape (n_sys, 12 nside^2)
        Template maps, RING, equatorial.
    names : sequence of str, length n_sys
        Their names.
    pixels : Footprint, or ndarray of int, shape (n_pix,)
        Footprint, or its HEALPix indices.
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
    on = pixels if isinstance(pixels, Footprint) else Footprint(pixels, hp.npix2nside(np.shape(maps)[1]))
    values = filled(maps)[:, on.pixels]
    good = usable(values)
    if not good.all():
        if missing == "error":
            lost = ", ".join(f"{n} ({c})" for n, c in zip(names, (~good).sum(1), strict=True) if c)
            msg = (
                f"templates are NaN or UNSEEN in footprint pixels: {lost} of {on.n_pix}; "
                "mask them, or drop these pixels with missing='drop'"
            )
            raise DataError(msg)
        keep = good.all(0)
        if not keep.any():
            msg = (
                f"no footprint pixel of {on.n_pix} has all of {len(names)} templates: "
                "empty overlap, check their coverage"
            )
            raise DataError(msg)
        on, values = Footprint(on.pixels[keep], on.nside), values[:, keep]
    return _standardised(values, tuple(names), on)


def from_pixels(
    values: np.ndarray, pixels: np.ndarray | Footprint, nside: int | None = None, names: Sequence[str] | None = None
) -> TemplateSet:
    """Bring templates that are known on the footprint only to zero mean and unit rms.

    Parameters
    ----------
    values : ndarray, shape (n_sys, n_pix)
        Template values on the footprint.
    pixels : Footprint, or ndarray of int, shape (n_pix,)
        Footprint, or its HEALPix indices, RING, equatorial.
    nside : int, optional
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
    on = pixels if isinstance(pixels, Footprint) else Footprint(pixels, nside)
    if values.ndim != 2 or values.shape[1] != on.n_pix:
        msg = f"templates have shape {values.shape} for {on.n_pix} pixels: give (n_sys, n_pix), templates first"
        raise DataError(msg)
    names = tuple(names or (f"template {i}" for i in range(len(values))))
    lost = [f"{n} ({c})" for n, c in zip(names, (~usable(values)).sum(1), strict=True) if c]
    if lost:
        msg = f"templates are NaN or UNSEEN in pixels: {', '.join(lost)} of {on.n_pix}; leave these pixels out"
        raise DataError(msg)
    return _standardised(values, names, on)


def _standardised(values, names: tuple[str, ...], on: Footprint) -> TemplateSet:
    mean, rms = values.mean(1), values.std(1)
    for name, m, s in zip(names, mean, rms, strict=True):
        if s <= 1e-12 * max(abs(m), 1.0e-300):
            msg = f"template {name} is constant ({m:.6g}) on the footprint: leave it out"
            raise DataError(msg)
    scaled = (values - mean[:, None]) / rms[:, None]
    scaled.flags.writeable = False
    return TemplateSet(scaled, names, on, mean, rms)
