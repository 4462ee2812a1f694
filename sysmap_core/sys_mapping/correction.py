"""The array interface: amplitudes without their noise, rotation, and two-point functions without contamination."""

from __future__ import annotations

import numpy as np

from ..correction import debias_diagonal, debias_matrix
from ..errors import DataError
from ..templates import principal_axes
from .contamination import compute_two_point_correction
from .power_spectrum import checked_cl, contamination_cl, harmonic_bias
from .utils import checked_templates


def debias_params(
    a_hat: np.ndarray, b_hat: np.ndarray, var_a: np.ndarray, var_b: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    r"""Products of amplitudes without the bias by their noise.

    Parameters
    ----------
    a_hat, b_hat : ndarray, shape (n_sys,)
        Amplitudes, per rms of the template.
    var_a, var_b : float or ndarray, shape (n_sys,) or (n_sys, n_sys)
        Variances, one for all or one each, or covariances, on the clustered sky.

    Returns
    -------
    a_sq, b_sq : ndarray, shape (n_sys,) or (n_sys, n_sys)
        :math:`\max(a_i^2 - {\rm Var}\,a_i, 0)`, or :math:`a a^t - {\rm Cov}(a)`, which nothing is cut off from.

    Raises
    ------
    DataError
        When shapes do not fit.

    Notes
    -----
    Berlfein et al. (2024), Eq. 21.  Variances of independent pixels are too small, and leave a bias.
    """
    found = []
    for name, hat, var in (("a", a_hat, var_a), ("b", b_hat, var_b)):
        hat, var = np.asarray(hat, float), np.asarray(var, float)
        if hat.ndim != 1 or var.shape not in ((), hat.shape, hat.shape * 2):
            msg = f"{name}_hat has shape {hat.shape} and var_{name} {var.shape}: give (n_sys,) and one of both shapes"
            raise DataError(msg)
        found.append((debias_matrix if var.ndim == 2 else debias_diagonal)(hat, var))
    return tuple(found)


def rotate_templates(delta_t: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    r"""Rotate templates to uncorrelated ones.

    Parameters
    ----------
    delta_t : ndarray, shape (n_sys, n_pix)
        Standardised templates [1].

    Returns
    -------
    rotated : ndarray, shape (n_sys, n_pix)
        Rotated templates :math:`t' = R t`; the mean square of each is its eigenvalue.
    rotation_matrix : ndarray, shape (n_sys, n_sys)
        :math:`R = V^t`, one eigenvector per row.
    eigenvalues : ndarray, shape (n_sys,)
        In decreasing order, as the rows of ``rotated``.

    Raises
    ------
    DataError
        When the templates have another number of axes, no pixels, or values that are not finite.

    Notes
    -----
    :math:`C = T T^t / N = V D V^t`, Berlfein et al. (2024), appendix A.  Nothing is left out: directions
    whose eigenvalue is far below the largest are linear combinations of templates that vanish, and
    their amplitudes mean nothing.  :func:`~.whiten` names these templates.
    """
    templates = checked_templates(delta_t)
    eigenvalues, vectors = (part[..., ::-1] for part in principal_axes(templates))
    return vectors.T @ templates, vectors.T, eigenvalues


def transform_params_from_rotated(
    a_rot: np.ndarray, b_rot: np.ndarray, rotation_matrix: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    r"""Amplitudes of the templates from those of the rotated ones.

    Parameters
    ----------
    a_rot, b_rot : ndarray, shape (n_sys,)
        Amplitudes of the rotated templates.
    rotation_matrix : ndarray, shape (n_sys, n_sys)
        :math:`R` of :func:`rotate_templates`.

    Returns
    -------
    a, b : ndarray, shape (n_sys,)
        :math:`a = R^t a'` and :math:`b = R^t b'`.

    Raises
    ------
    DataError
        When shapes differ.

    Notes
    -----
    Berlfein et al. (2024), appendix A.  A covariance goes back as a full matrix,
    :math:`R^t \, \mathrm{Cov}' \, R`; variances alone do not.
    """
    rotation = np.asarray(rotation_matrix, float)
    if rotation.ndim != 2 or not np.shape(a_rot) == np.shape(b_rot) == (len(rotation),) == rotation.shape[1:]:
        came = f"a_rot {np.shape(a_rot)}, b_rot {np.shape(b_rot)} and rotation_matrix {rotation.shape}"
        msg = f"shapes are {came}: give (n_sys,), (n_sys,) and (n_sys, n_sys)"
        raise DataError(msg)
    return rotation.T @ np.asarray(a_rot, float), rotation.T @ np.asarray(b_rot, float)


def correct_two_point_function(
    w_obs: np.ndarray,
    a_hat: np.ndarray,
    b_hat: np.ndarray,
    var_a: np.ndarray,
    var_b: np.ndarray,
    template_correlations: np.ndarray,
) -> np.ndarray:
    """Take the contamination out of a correlation function, without the bias by the noise of the amplitudes.

    Parameters
    ----------
    w_obs, template_correlations
        As in :func:`compute_two_point_correction`.
    a_hat, b_hat, var_a, var_b
        As in :func:`debias_params`.

    Returns
    -------
    ndarray, shape (n_theta,)
        Corrected correlation function; errors are those of both functions.
    """
    return compute_two_point_correction(w_obs, *debias_params(a_hat, b_hat, var_a, var_b), template_correlations)


def correct_power_spectrum_harmonic(
    pseudo_cl: np.ndarray, ell: np.ndarray, n_templates: int, alpha: np.ndarray, template_cls: np.ndarray
) -> np.ndarray:
    r"""Subtract the power of fitted templates, and give back what their fit has taken.

    Parameters
    ----------
    pseudo_cl : ndarray, shape (n_ell,)
        Spectrum of the contaminated field [sr].
    ell, n_templates
        As in :func:`harmonic_bias`; no templates if ``alpha`` is free of noise bias.
    alpha : ndarray, shape (n_sys,) or (n_sys, n_sys)
        As in :func:`subtract_template_cl`.
    template_cls : ndarray, shape (n_sys, n_ell) or (n_sys, n_sys, n_ell)
        Spectra of the templates, or of all their pairs [sr].

    Returns
    -------
    ndarray, shape (n_ell,)
        :math:`(C_\ell - \sum_{ij} \alpha_i \alpha_j C_\ell^{ij}) / (1 - n/(2\ell+1))` [sr]; NaN where nothing is
        left.

    Raises
    ------
    DataError
        When shapes differ.

    Notes
    -----
    Squares of amplitudes that were fitted to the same field are too large by their variance, which takes the
    share of :func:`harmonic_bias` from the spectrum.  It is exact on the full sky for templates of one multipole
    each.  The original was linear in the amplitudes and subtracted the share as if it were a spectrum.
    """
    share = harmonic_bias(n_templates, ell)
    cross = np.asarray(template_cls, float)
    if cross.ndim == 2:
        cross = np.eye(len(cross))[:, :, None] * cross
    if cross.ndim != 3 or cross.shape[0] != cross.shape[1] or cross.shape[2] != share.size:
        msg = f"template_cls has shape {np.shape(template_cls)} for {share.size} multipoles: give (n_sys, n_ell)"
        raise DataError(msg)
    cleaned = checked_cl("pseudo_cl", pseudo_cl, share.size) - contamination_cl(alpha, cross)
    return cleaned / np.where(share > -1.0, 1.0 + share, np.nan)
