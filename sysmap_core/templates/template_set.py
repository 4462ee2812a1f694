"""Templates of observing conditions, standardised on the fitted footprint."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import healpy as hp
import numpy as np

from ..errors import DataError, ParameterError
from ..sky import Field, usable


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


def check_inputs(field: Field, templates: TemplateSet, spectrum: np.ndarray | None = None) -> None:
    """Stop with a DataError when field, templates and spectrum are not of the same known pixels."""
    if field.nside is None:
        raise DataError("the place of the pixels is not known (nside is None): give a field with HEALPix indices")
    if field.nside != templates.nside or not np.array_equal(field.pixels, templates.pixels):
        came = f"{field.n_pix} pixels at nside {field.nside} and the templates {len(templates.pixels)}"
        fix = "or in another order: standardise the templates on field.pixels"
        raise DataError(f"the field has {came} at nside {templates.nside}, {fix}")
    if spectrum is not None and np.shape(spectrum) != (3 * field.nside,):
        msg = f"spectrum has shape {np.shape(spectrum)}: give C_l from 0 to 3 nside - 1, shape ({3 * field.nside},)"
        raise DataError(msg)
