"""The array interface: power spectra as plain functions of maps.

Maps cover the full sky, RING.  :func:`~.band_powers` does the same with shot noise, mask
deconvolution, and the exact bias of removed templates; what is here is a quick look.
"""

from __future__ import annotations

import healpy as hp
import numpy as np

from ..errors import DataError, ParameterError
from ..harmonic import Transforms, default_lmax
from ..sky import Footprint, usable

MODES = ("basic", "extended")


def measure_pseudo_cl(
    delta_g: np.ndarray, mask: np.ndarray, lmax: int | None = None, *, use_pixel_weights: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """Pseudo-spectrum of a map on a mask.

    Parameters
    ----------
    delta_g : ndarray, shape (12 nside^2,)
        Overdensity, RING [1]; its values off the mask do not matter.
    mask : ndarray, shape (12 nside^2,)
        Weight of every pixel, RING.
    lmax : int, optional
        Largest multipole; 3 nside - 1 by default.
    use_pixel_weights : bool
        Not used: mode coupling and noise are exact for plain sums over pixels, and no table needs to be downloaded.

    Returns
    -------
    ell : ndarray of int, shape (lmax + 1,)
        Multipoles.
    pseudo_cl : ndarray, shape (lmax + 1,)
        Pseudo-spectrum, not divided by the share of the sky [sr].

    Raises
    ------
    DataError
        When a map is not one of HEALPix, sizes differ, weights are negative or the map has holes on the mask.
    ParameterError
        When ``lmax`` is beyond 3 nside - 1.
    """
    alms, lmax = _masked_alms("delta_g", np.atleast_2d(delta_g), mask, lmax)
    return np.arange(lmax + 1), hp.alm2cl(alms[0])


def subtract_template_cl(
    pseudo_cl: np.ndarray, delta_t: np.ndarray, mask: np.ndarray, alpha: np.ndarray, lmax: int | None = None
) -> np.ndarray:
    r"""Subtract the power of templates from a pseudo-spectrum, quadratic in their amplitudes.

    Parameters
    ----------
    pseudo_cl : ndarray, shape (lmax + 1,)
        As :func:`measure_pseudo_cl` gives it [sr].
    delta_t : ndarray, shape (n_sys, 12 nside^2)
        Standardised templates, RING [1].
    mask
        As in :func:`measure_pseudo_cl`.
    lmax : int, optional
        Largest multipole; that of ``pseudo_cl`` by default.
    alpha : ndarray, shape (n_sys,) or (n_sys, n_sys)
        Amplitudes, or :math:`\alpha \alpha^t - \mathrm{Cov}(\alpha)`, which has no noise bias.

    Returns
    -------
    ndarray, shape (lmax + 1,)
        :math:`\tilde C_\ell - \sum_{ij} \alpha_i \alpha_j \tilde C_\ell^{ij}` [sr].

    Raises
    ------
    DataError
        When shapes differ, and as :func:`measure_pseudo_cl`.
    ParameterError
        When ``lmax`` is beyond 3 nside - 1.

    Notes
    -----
    The original was linear in the amplitudes and left the products of different templates out: it had neither
    the units of a spectrum nor its sign.
    """
    lmax = np.size(pseudo_cl) - 1 if lmax is None else lmax
    alms, lmax = _masked_alms("delta_t", np.atleast_2d(delta_t), mask, lmax)
    cross = np.array([[hp.alm2cl(one, two) for two in alms] for one in alms])
    return checked_cl("pseudo_cl", pseudo_cl, lmax + 1) - contamination_cl(alpha, cross)


def harmonic_bias(n_templates: int, ell: np.ndarray) -> np.ndarray:
    r"""Relative bias of a spectrum from which templates were removed, on the full sky.

    Parameters
    ----------
    n_templates : int
        Templates that were fitted and removed.
    ell : ndarray, shape (n_ell,)
        Multipoles.

    Returns
    -------
    ndarray, shape (n_ell,)
        :math:`-n/(2\ell+1)`, not below -1 [1].

    Raises
    ------
    ParameterError
        When there are fewer than no templates, or negative multipoles.

    Notes
    -----
    Elsner, Leistedt & Peiris (2016, MNRAS 456, 2095).  It is a share of :math:`C_\ell`, the modes
    that are lost if all templates live at this multipole, and so never too small; the original took it for a
    spectrum.  :func:`~.removed_power` knows where the templates live.
    """
    ell = np.asarray(ell, float)
    if n_templates < 0 or np.any(ell < 0):
        msg = f"n_templates is {n_templates} and the smallest ell {np.min(ell):g}: neither can be negative"
        raise ParameterError(msg)
    return -np.minimum(n_templates / (2.0 * ell + 1.0), 1.0)


def mode_projection_bias(
    pseudo_cl: np.ndarray,
    coupling_matrix: np.ndarray | None,
    ell: np.ndarray,
    n_templates: int,
    *,
    mode: str = "basic",
    threshold: float = 0.1,
) -> tuple[np.ndarray, np.ndarray]:
    """Give a spectrum back what the removal of templates has taken, on the full sky.

    Parameters
    ----------
    pseudo_cl : ndarray, shape (n_ell,)
        Measured after the removal [sr].
    coupling_matrix : ndarray, shape (n_ell, n_ell), or None
        From the spectrum to the pseudo-spectrum; None for the full sky.
    ell, n_templates
        As in :func:`harmonic_bias`.
    mode : {"basic", "extended"}
        Whether every multipole is corrected, or those only where the lost share exceeds the threshold.
    threshold : float
        For ``"extended"`` [1].

    Returns
    -------
    corrected : ndarray, shape (n_ell,)
        ``pseudo_cl - bias`` [sr]; NaN where nothing is left to tell the power from.
    bias : ndarray, shape (n_ell,)
        Negative, and in proportion to the spectrum [sr].

    Raises
    ------
    DataError
        When shapes differ, or the matrix cannot be inverted.
    ParameterError
        For an unknown mode.

    Notes
    -----
    The share is that of :func:`harmonic_bias`, an upper limit.  The original subtracted it without
    multiplying it by a spectrum.
    """
    if mode not in MODES:
        msg = f"mode must be {' or '.join(map(repr, MODES))}, got {mode!r}"
        raise ParameterError(msg)
    share = harmonic_bias(n_templates, ell)
    if mode == "extended":
        share = np.where(-share > threshold, share, 0.0)
    pseudo = checked_cl("pseudo_cl", pseudo_cl, share.size)
    left = np.where(share > -1.0, 1.0 + share, np.nan)
    if coupling_matrix is None:
        bias = share * pseudo / left
        return pseudo - bias, bias
    matrix = np.asarray(coupling_matrix, float)
    if matrix.shape != (share.size, share.size) or not np.linalg.cond(matrix) < 1.0 / np.finfo(float).eps:
        msg = f"coupling_matrix has shape {matrix.shape} for {share.size} multipoles, or no inverse: use band_powers"
        raise DataError(msg)
    spectrum = np.linalg.solve(matrix, pseudo) / left
    # multipoles without anything left have no say in the others
    bias = np.where(np.isfinite(left), matrix @ np.nan_to_num(share * spectrum), np.nan)
    return pseudo - bias, bias


def contamination_cl(alpha: np.ndarray, template_cls: np.ndarray) -> np.ndarray:
    r"""Power of templates with given amplitudes.

    Parameters
    ----------
    alpha : ndarray, shape (n_sys,) or (n_sys, n_sys)
        Amplitudes, or their products.
    template_cls : ndarray, shape (n_sys, n_sys, n_ell)
        Spectra of all pairs of templates [sr].

    Returns
    -------
    ndarray, shape (n_ell,)
        :math:`\sum_{ij} \alpha_i \alpha_j C_\ell^{ij}` [sr].

    Raises
    ------
    DataError
        When there are not as many amplitudes as templates.
    """
    alpha = np.asarray(alpha, float)
    squares = np.outer(alpha, alpha) if alpha.ndim == 1 else alpha
    if squares.shape != template_cls.shape[:2]:
        n_sys = len(template_cls)
        msg = f"alpha has shape {alpha.shape} for {n_sys} templates: give ({n_sys},) or ({n_sys}, {n_sys})"
        raise DataError(msg)
    return np.einsum("ij,ijl->l", squares, template_cls)


def checked_cl(name: str, spectrum: np.ndarray, size: int) -> np.ndarray:
    """Spectrum as floats, if it has the length it should have.

    Parameters
    ----------
    name : str
        Of the argument.
    spectrum : ndarray, shape (n_ell,)
        Spectrum.
    size : int
        Multipoles wanted.

    Returns
    -------
    ndarray, shape (n_ell,)
        The same.

    Raises
    ------
    DataError
        For another shape.
    """
    spectrum = np.asarray(spectrum, float)
    if spectrum.shape != (size,):
        msg = f"{name} has shape {spectrum.shape}: give {size} multipoles"
        raise DataError(msg)
    return spectrum


def _masked_alms(name, maps, mask, lmax):
    """Coefficients of the masked maps, and the largest multipole."""
    maps, mask = np.asarray(maps, float), np.asarray(mask, float)
    if mask.ndim != 1 or not hp.isnpixok(mask.size) or maps.shape[1:] != mask.shape:
        shapes = f"{name} has {maps.shape[-1]} pixels and the mask shape {mask.shape}"
        msg = f"{shapes}: give full-sky maps of one HEALPix resolution, RING"
        raise DataError(msg)
    inside = np.flatnonzero(mask)
    bad = np.sum(~(np.isfinite(mask) & (mask >= 0.0)))
    if bad or inside.size == 0:
        msg = f"the mask is negative or not finite in {bad} of {mask.size} pixels, or zero in all: give the coverage"
        raise DataError(msg)
    holes = np.sum(~usable(maps[:, inside]))
    if holes:
        msg = f"{name} is NaN or UNSEEN in {holes} pixels of the mask: set the mask to zero there"
        raise DataError(msg)
    nside = hp.npix2nside(mask.size)
    lmax = default_lmax(nside) if lmax is None else lmax
    if not 0 <= lmax <= default_lmax(nside):
        msg = f"lmax is {lmax}: maps of nside {nside} have multipoles from 0 to {default_lmax(nside)}"
        raise ParameterError(msg)
    weighted = mask[inside] * maps[:, inside]
    return hp.nside2pixarea(nside) * Transforms(Footprint(inside, nside), lmax).analyse(weighted), lmax
