"""Products of amplitudes that a correction takes, without their noise bias."""

from __future__ import annotations

import numpy as np

from ..errors import ParameterError, unknown_name
from ..methods import Decontamination

FORMS = ("matrix", "diagonal rotated", "diagonal")


def debias_matrix(amplitudes: np.ndarray, cov: np.ndarray) -> np.ndarray:
    r"""Unbiased products of all pairs of amplitudes.

    Parameters
    ----------
    amplitudes : ndarray, shape (..., n_sys)
        Amplitudes, per rms of the template.
    cov : ndarray, shape (n_sys, n_sys)
        Their calibrated covariance.

    Returns
    -------
    ndarray, shape (..., n_sys, n_sys)
        :math:`a a^t - C`.

    Notes
    -----
    Berlfein et al. (2024), Eq. 21, for all pairs.  The matrix is of rank one less a covariance, and so not positive:
    a projection on the positive matrices would put back half of the noise.
    """
    return amplitudes[..., :, None] * amplitudes[..., None, :] - cov


def debias_diagonal(amplitudes: np.ndarray, variances: np.ndarray) -> np.ndarray:
    r"""Squares of amplitudes less their noise, nowhere negative.

    Parameters
    ----------
    amplitudes : ndarray, shape (..., n_sys)
        Amplitudes, per rms of the template.
    variances : ndarray, shape (n_sys,)
        Their calibrated variances.

    Returns
    -------
    ndarray, shape (..., n_sys)
        :math:`\max(a_i^2 - \sigma_i^2, 0)`, Berlfein et al. (2024), Eq. 21; too large on average, as
        negative values are cut off.
    """
    return np.maximum(np.square(amplitudes) - variances, 0.0)


def amplitude_products(
    amplitudes: np.ndarray,
    cov: np.ndarray,
    *,
    form: str = "matrix",
    debias: bool = True,
    zero_lag: np.ndarray | None = None,
) -> np.ndarray:
    r"""Products of amplitudes that multiply the template correlations.

    Parameters
    ----------
    amplitudes : ndarray, shape (..., n_sys)
        Amplitudes, per rms of the template.
    cov : ndarray, shape (n_sys, n_sys)
        Their calibrated covariance.
    form : {"matrix", "diagonal rotated", "diagonal"}
        All pairs of templates; the squares in the basis where templates are uncorrelated at one place; or those of
        the templates as they are.
    debias : bool
        Whether the covariance is taken off.
    zero_lag : ndarray, shape (n_sys, n_sys), optional
        Covariance of the templates, for the rotated form.

    Returns
    -------
    ndarray, shape (..., n_sys, n_sys)
        Matrix to contract with :math:`\xi_{ij}`, in the basis of the templates.

    Raises
    ------
    ParameterError
        For an unknown form, or the rotated one without a covariance of the templates.

    Notes
    -----
    Berlfein et al. (2024), Eq. 16 and appendix A, is the rotated diagonal.  The rotation makes
    :math:`\xi_{ij}` vanish at zero separation only; what the other separations add is in the matrix form.
    """
    if form not in FORMS:
        raise unknown_name("form", form, FORMS)
    cov = cov if debias else np.zeros_like(cov)
    if form == "matrix":
        return debias_matrix(amplitudes, cov)
    axes = np.eye(len(cov))
    if form == "diagonal rotated":
        if zero_lag is None:
            msg = "form is 'diagonal rotated' and zero_lag is None: give the covariance of the templates"
            raise ParameterError(msg)
        axes = np.linalg.eigh(zero_lag)[1]
    squares = debias_diagonal(amplitudes @ axes, np.diag(axes.T @ cov @ axes))
    return (axes * squares[..., None, :]) @ axes.T


def posterior_products(
    fit: Decontamination, n_draws: int | None = None, rng: np.random.Generator | None = None
) -> tuple[np.ndarray, np.ndarray]:
    r"""Products of amplitudes that are expected after a fit.

    Parameters
    ----------
    fit : Decontamination
        With the calibrated covariance of its amplitudes.
    n_draws : int, optional
        Draws of the posterior, each with its products, instead of their mean.
    rng : numpy.random.Generator, optional
        Of the draws.

    Returns
    -------
    of_a, of_b : ndarray, shape (n_sys, n_sys) or (n_draws, n_sys, n_sys)
        :math:`\langle a a^t \rangle` and :math:`\langle b b^t \rangle` over :meth:`~.Decontamination.posterior`:
        positive, where :func:`debias_matrix` is not, and without its noise.
    """
    posterior, n_sys = fit.posterior(), len(fit.a)
    if n_draws is None:
        second = posterior.cov + np.outer(posterior.mean, posterior.mean)
    else:
        draws = np.array([posterior.draw(rng) for _ in range(n_draws)])
        second = draws[:, :, None] * draws[:, None, :]
    of_a = second[..., :n_sys, :n_sys]
    of_b = {"combined": second[..., n_sys:, n_sys:], "multiplicative": of_a}
    return of_a, of_b.get(fit.model, np.zeros_like(of_a))
