r"""What a cut sky does to spectra: mask, mean and templates, as exact linear relations.

A pseudo-spectrum is what plain sums over the observed pixels give, without any quadrature weights: its expectation
is then an exact linear function of the spectrum, whatever the mask.
"""

from __future__ import annotations

import ducc0
import healpy as hp
import numpy as np

from ..errors import DataError
from ..sky import Field, Footprint, shared_footprint
from ..templates import TemplateSet, check_independent
from .transforms import Transforms, cross_spectra, default_lmax


class MaskedSky:
    r"""A footprint with its weights, and the maps that are removed from every field on it.

    Parameters
    ----------
    footprint : Footprint
        Its pixels.
    weights : ndarray, shape (n_pix,)
        Weight of every pixel, its coverage, in any unit.
    templates : TemplateSet, optional
        Templates on these pixels whose linear fit is removed; the mean is removed always.

    Raises
    ------
    DataError
        When pixels, weights or templates do not belong together, or weights are negative.

    Notes
    -----
    The removed amplitudes are those of least squares with the weights of the pixels.  An overdensity is
    relative to the mean of the footprint, so that its spectrum lacks the power of the mean as well.
    """

    def __init__(self, footprint: Footprint, weights, templates: TemplateSet | None = None):
        self.footprint, self.weights = footprint, _checked_weights(weights, footprint.pixels)
        self.area, self.lmax = footprint.pixel_area, default_lmax(footprint.nside)
        self.names = () if templates is None else templates.names
        self.basis = np.ones((1, footprint.n_pix))
        if templates is not None:
            shared_footprint(footprint=self, templates=templates)
            check_independent(self._centred(templates.values) * np.sqrt(self.weights), self.names)
            self.basis = np.vstack([self.basis, templates.values])
        self.transforms = Transforms.of(footprint, self.lmax)
        weighted = self.basis * self.weights
        self.functionals = np.linalg.solve(weighted @ self.basis.T, weighted)
        self.alms = self.area * self.transforms.analyse(weighted)

    def _centred(self, values):
        return values - (np.average(values, axis=1, weights=self.weights))[:, None]

    @property
    def pixels(self) -> np.ndarray:
        """HEALPix indices, RING, shape (n_pix,)."""
        return self.footprint.pixels

    @property
    def nside(self) -> int:
        """Resolution."""
        return self.footprint.nside

    @property
    def f_sky(self) -> float:
        """Share of the sky in the footprint."""
        return self.footprint.f_sky

    def analyse(self, delta: np.ndarray) -> np.ndarray:
        """Harmonic coefficients of what is left of maps, shape (..., n_pix), times the weights."""
        left = delta - (delta @ self.functionals.T) @ self.basis
        return self.area * self.transforms.analyse(self.weights * left)


def masked_sky(field: Field, templates: TemplateSet | None = None, weights: np.ndarray | None = None) -> MaskedSky:
    """Footprint of a field, weighted by its coverage.

    Parameters
    ----------
    field : Field
        Overdensity with its expected counts.
    templates : TemplateSet, optional
        Templates to remove.
    weights : ndarray, shape (n_pix,), optional
        Weights other than the coverage.

    Returns
    -------
    MaskedSky
        With the expected counts over their largest as weights.

    Raises
    ------
    DataError
        When expected counts are not known and no weights are given, and as :class:`MaskedSky`.
    """
    if weights is None:
        weights = field.expected / np.max(field.expected) if np.all(np.isfinite(field.expected)) else None
    if weights is None or field.nside is None:
        msg = "the field has no expected counts or no places for its pixels: give weights, and pixels with their nside"
        raise DataError(msg)
    return MaskedSky(field.footprint, weights, templates)


def coupling_matrix(mask_cl: np.ndarray, lmax: int, lmax_field: int | None = None) -> np.ndarray:
    r"""Mode coupling of a mask.

    Parameters
    ----------
    mask_cl : ndarray, shape (lmax + lmax_field + 1,)
        Pseudo-spectrum of the weights, or of one map of weights with another [sr].
    lmax : int
        Largest multipole of the pseudo-spectrum.
    lmax_field : int, optional
        Largest multipole of the field, that of the pseudo-spectrum by default.

    Returns
    -------
    ndarray, shape (lmax + 1, lmax_field + 1)
        M, so that the pseudo-spectrum of a field with spectrum C is ``M @ C`` on average.

    Raises
    ------
    DataError
        When the spectrum of the mask has another length.

    Notes
    -----
    :math:`M_{\ell\ell'} = (2\ell'+1) \sum_L (2L+1) W_L (\ell\,\ell'\,L; 000)^2 / (4\pi)` (Hivon et al. 2002,
    ApJ 567, 2, Eq. A31), as the integral of :math:`P_\ell P_{\ell'}` over the correlation function of the mask;
    Gauss-Legendre quadrature is exact for it.
    """
    largest = lmax + (lmax if lmax_field is None else lmax_field)
    if np.shape(mask_cl) != (largest + 1,):
        msg = f"the spectrum of the mask has shape {np.shape(mask_cl)}: give {largest + 1} multipoles, from 0"
        raise DataError(msg)
    # products of three polynomials, of degree 2 largest in all
    theta, quadrature = ducc0.misc.GL_thetas(largest + 1), ducc0.misc.GL_weights(largest + 1, 1)
    table = np.polynomial.legendre.legvander(np.cos(theta), largest)
    degrees = (2.0 * np.arange(largest + 1) + 1.0) / (4.0 * np.pi)
    # the weights of ducc0 are areas of rings, and add up to 4 pi
    ringed = quadrature * (table @ (degrees * mask_cl))
    field = slice(largest - lmax + 1)
    return (table[:, : lmax + 1].T * ringed) @ table[:, field] * degrees[field]


def template_power(sky: MaskedSky, templates: TemplateSet, a: np.ndarray, cov_a: np.ndarray) -> np.ndarray:
    r"""Pseudo-spectrum of additive contamination, without the noise bias of its amplitudes.

    Parameters
    ----------
    sky : MaskedSky
        Footprint that the contaminated field is measured on.
    templates : TemplateSet
        Templates on its pixels.
    a : ndarray, shape (n_sys,)
        Fitted amplitudes, per rms of the template.
    cov_a : ndarray, shape (n_sys, n_sys)
        Their calibrated covariance; zero for amplitudes that are known.

    Returns
    -------
    ndarray, shape (lmax + 1,)
        :math:`\sum_{ij} (a_i a_j - \mathrm{Cov}_{ij})\, C_\ell^{ij}` [sr].

    Raises
    ------
    DataError
        When templates, amplitudes and pixels do not belong together.

    Notes
    -----
    The sum of Berlfein et al. (2024), Eqs. 15 and 21, in multipoles, with all pairs of templates.  The
    power of noisy amplitudes is too large by their covariance.
    """
    shared_footprint(footprint=sky, templates=templates)
    n_sys = templates.n_sys
    if np.shape(a) != (n_sys,) or np.shape(cov_a) != (n_sys, n_sys):
        came = f"a has shape {np.shape(a)} and cov_a {np.shape(cov_a)}"
        msg = f"{came}: give ({n_sys},) and ({n_sys}, {n_sys}), one row for each template"
        raise DataError(msg)
    alms = sky.analyse(templates.values)
    return np.einsum("ij,ijl->l", np.outer(a, a) - cov_a, cross_spectra(alms, alms))


def weight_spectrum(first: MaskedSky, one: np.ndarray, second: MaskedSky, other: np.ndarray, lmax: int) -> np.ndarray:
    """Cross spectrum of two maps of weights.

    Parameters
    ----------
    first, second : MaskedSky
        Footprints.
    one, other : ndarray, shape (n_pix,)
        Weights on the pixels of the first and of the second.
    lmax : int
        Largest multipole, the sum of those that the mask couples.

    Returns
    -------
    ndarray, shape (lmax + 1,)
        Plain sums over pixels [sr].
    """
    alms = [
        sky.area * Transforms(sky.footprint, lmax).analyse(values) for sky, values in ((first, one), (second, other))
    ]
    return hp.alm2cl(*alms)


def removed_power(first: MaskedSky, spectrum: np.ndarray, second: MaskedSky | None = None) -> np.ndarray:
    r"""Power that the removal of mean and templates takes from the pseudo-spectrum of a field.

    Parameters
    ----------
    first : MaskedSky
        Footprint with its templates.
    spectrum : ndarray, shape (..., lmax + 1)
        One or more spectra of the pixel averages, assumed or estimated [sr].
    second : MaskedSky, optional
        Footprint of the other field of a cross spectrum.

    Returns
    -------
    ndarray, shape (..., lmax + 1)
        What is missing on average, at every multipole [sr]; it is proportional to the spectrum.

    Raises
    ------
    DataError
        When the spectrum has another length.

    Notes
    -----
    The bias of Elsner, Leistedt & Peiris (2017, MNRAS 465, 1847) and Alonso, Sanchez & Slosar (2019, MNRAS
    484, 4127) with the opposite sign.  With weights W, removed maps f and functionals h that give
    their amplitudes, it is :math:`\sum_i 2\, C_\ell[W f_i, W S h_i]
    - \sum_{ij} C_\ell[W f_i, W f_j]\, h_i^t S h_j` for a field of covariance S.
    """
    spectrum = np.asarray(spectrum, float)
    if spectrum.shape[-1:] != (first.lmax + 1,):
        msg = f"the spectrum has shape {spectrum.shape}: give {first.lmax + 1} multipoles, from 0"
        raise DataError(msg)
    second = second or first
    sides, crossed = _sides(first, second), cross_spectra(first.alms, second.alms)
    heads = [own.transforms.analyse(own.functionals) for own, _ in sides]

    def removed(power):
        covered = [other.transforms.synthesise(h * power) for (_, other), h in zip(sides, heads, strict=True)]
        return _removed(first, second, covered, crossed)

    rows = spectrum.reshape(-1, first.lmax + 1)[:, first.transforms.ell]
    return np.array([removed(power) for power in rows]).reshape(spectrum.shape)


def removed_response(first: MaskedSky, second: MaskedSky, bands: np.ndarray) -> np.ndarray:
    """Linear relation between a spectrum and the power that the removal takes from averages over multipoles.

    Parameters
    ----------
    first, second : MaskedSky
        Footprints of both fields of a spectrum; twice the same one for a field with itself.
    bands : ndarray, shape (n_bands, lmax + 1)
        Weights of the multipoles in each average.

    Returns
    -------
    ndarray, shape (n_bands, lmax + 1)
        R, so that ``R @ spectrum`` is ``bands @ removed_power(first, spectrum, second)``.
    """
    ell, degrees = first.transforms.ell, 2.0 * np.arange(first.lmax + 1) + 1.0
    functionals = [sky.transforms.analyse(sky.functionals) for sky in (first, second)]
    amplitudes = degrees * cross_spectra(*functionals)
    response = -np.einsum("ijb,ijl->bl", cross_spectra(first.alms, second.alms) @ bands.T, amplitudes)
    sides = _sides(first, second)
    for (own, other), heads in zip(sides, functionals, strict=False):
        for row, band in zip(response, bands / degrees, strict=True):
            # the adjoint: filter the removed maps, where there are fewer of them than multipoles
            filtered = other.weights * own.area * other.transforms.synthesise(own.alms * band[ell])
            seen = other.transforms.analyse(filtered)
            both = sum(hp.alm2cl(one, two) for one, two in zip(seen, heads, strict=True))
            row += 2.0 / len(sides) * degrees * both
    return response


def noise_power(sky: MaskedSky, noise: np.ndarray) -> np.ndarray:
    r"""Pseudo-spectrum of noise without correlations between pixels, after the removal of mean and templates.

    Parameters
    ----------
    sky : MaskedSky
        Footprint with its templates.
    noise : ndarray, shape (n_pix,)
        Variance of the noise of every pixel, such as one over the expected counts [1].

    Returns
    -------
    ndarray, shape (lmax + 1,)
        :math:`\Omega^2 \sum_p w_p^2 \nu_p / (4\pi)` less what the removal takes [sr].
    """
    flat = sky.area**2 * np.sum(sky.weights**2 * noise) / (4.0 * np.pi)
    covered = noise * sky.functionals
    return flat - _removed(sky, sky, [covered], cross_spectra(sky.alms, sky.alms))


def _sides(first, second):
    return [(first, second)] if second is first else [(first, second), (second, first)]


def _removed(first, second, covered, crossed):
    """Power taken, from the products of the covariance with the functionals of each side, on the other's pixels."""
    sides, taken = _sides(first, second), np.zeros(first.lmax + 1)
    for (own, other), products in zip(sides, covered, strict=True):
        alms = other.area * other.transforms.analyse(other.weights * products)
        taken += 2.0 / len(sides) * sum(hp.alm2cl(one, two) for one, two in zip(own.alms, alms, strict=True))
    return taken - np.einsum("ij,ijl->l", covered[0] @ second.functionals.T, crossed)


def _checked_weights(weights, pixels):
    weights = np.asarray(weights, float)
    if weights.shape != pixels.shape:
        msg = f"weights have shape {weights.shape} for {pixels.size} pixels: give one for each"
        raise DataError(msg)
    bad = np.sum(~(np.isfinite(weights) & (weights >= 0.0)))
    if bad or not weights.any():
        msg = f"weights are negative or not finite in {bad} of {pixels.size} pixels, or zero in all: give the coverage"
        raise DataError(msg)
    return weights
