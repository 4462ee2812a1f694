"""Coordinates of a fit: free parameters in whitened templates, and the amplitudes and the field they stand for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .contamination import amplitude_basis
from .maximum import Mode
from .pixel_likelihood import PixelSums


@dataclass(frozen=True)
class Maximum:
    """Maximum of a likelihood.

    Parameters
    ----------
    a, b : ndarray, shape (n_sys,)
        Amplitudes, per rms of the template.
    sigma, gamma : float
        Width and skewness of the field; ``gamma`` is zero unless the likelihood is skewed.
    lnl : float
        Log-likelihood.
    """

    a: np.ndarray
    b: np.ndarray
    sigma: float
    gamma: float
    lnl: float


def first_guess(sums: PixelSums, delta: np.ndarray, white: np.ndarray) -> np.ndarray:
    """Where to look for the maximum: at the linear fit, which is exact for the additive Gaussian model.

    Parameters
    ----------
    sums : PixelSums
        Likelihood.
    delta : ndarray, shape (n_pix,)
        Observed overdensity [1].
    white : ndarray, shape (n_white, n_pix)
        Whitened templates [1].

    Returns
    -------
    ndarray, shape (n_params,)
        Free parameters inside the allowed region.
    """
    x = np.zeros(sums.n_params)
    x[: sums.n_sys] = white @ delta / len(delta)
    x[sums.n_free] = np.log(np.std(delta))
    # the multiplicative model ties b to a: the linear fit may lie outside the allowed region
    while sums.values(x)[0][0] == -np.inf:
        x[: sums.n_free] /= 2.0
    return x


class Coordinates:
    """From the free parameters of a fit to amplitudes, width and skewness.

    Parameters
    ----------
    sums : PixelSums
        Likelihood, in whitened templates.
    basis : ndarray, shape (n_sys, n_white)
        From the amplitudes of whitened templates to those of the templates, as :func:`~.whiten` gives it.
    model : {"additive", "multiplicative", "combined"}
        Contamination model.
    """

    def __init__(self, sums: PixelSums, basis: np.ndarray, model: str):
        to_a, to_b = amplitude_basis(sums.n_sys, model)
        self.to_a, self.to_b = basis @ to_a, basis @ to_b
        self.n_free, self.n_params, self.skewed = sums.n_free, sums.n_params, sums.row.skewed

    def physical(self, x: np.ndarray) -> dict:
        """Values of ``a``, ``b``, ``sigma`` and ``gamma``."""
        free = x[..., : self.n_free]
        sigma = np.exp(x[..., self.n_free])
        gamma = x[..., self.n_free + 1] if self.skewed else np.zeros(x.shape[:-1])
        if np.ndim(sigma) == 0:
            sigma, gamma = float(sigma), float(gamma)
        return {"a": free @ self.to_a.T, "b": free @ self.to_b.T, "sigma": sigma, "gamma": gamma}

    def result(self, mode: Mode, mean, cov, draws, weights) -> dict:
        """Moments, maximum and draws in physical parameters."""
        means = self.physical(mean)
        jacobian = np.zeros((2 * len(self.to_a) + 2, self.n_params))
        jacobian[:, : self.n_free] = np.vstack([self.to_a, self.to_b, np.zeros((2, self.n_free))])
        jacobian[-2, self.n_free] = means["sigma"]
        if self.skewed:
            jacobian[-1, self.n_free + 1] = 1.0
        return {
            **means,
            "cov": jacobian @ cov @ jacobian.T,
            "maximum": Maximum(**self.physical(mode.x), lnl=mode.lnl),
            "draws": self.physical(draws),
            "weights": weights,
        }
