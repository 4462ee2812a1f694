"""Spectrum of the galaxy field, estimated from the sample itself.

It is that of *pixel averages*, as everywhere in :mod:`sysmap_core.harmonic.spectra`.
"""

from __future__ import annotations

from dataclasses import dataclass

import healpy as hp
import numpy as np
from scipy.optimize import minimize

from ..errors import DataError
from ..harmonic import (
    MaskedSky,
    coupling_matrix,
    default_lmax,
    masked_alm,
    noise_power,
    pixel_window,
    removed_power,
    variance,
    weight_spectrum,
)
from ..sky import CountNoise, Field, Footprint, shared_footprint
from ..templates import TemplateSet

ITERATIONS = 4

N_NODES = 16
"""Multipoles between which spectra are interpolated, for the power that templates remove."""

N_CANDIDATES = 1000

N_SPECTRA = 32
"""Spectra that tell how uncertain an estimate is."""

PIVOT = 50.0

TILT = -1.3
"""Slope of ln C_l in ln l that is divided out before the interpolation, and where the fit starts."""

SLOPE = 2.0
"""Prior width of the slope of ln C_l in ln l, around the tilt."""

CURVATURE = 0.5
"""Prior width of the curvature of ln C_l in ln l."""

FAINTEST = 1e-3
"""Power at the pivot, relative to that of the noise, below which a field counts as one without clustering."""

MIN_LEFT = 1e-6
"""Smallest share of the variance of a field that templates have to leave."""

MIN_KEPT = 1e-3
"""Smallest share of the power of a multipole that is taken to be left by the removal of templates."""

_DIGITS = 12

_ALIASED = 8  # resolutions up to which multipoles alias noticeably


@dataclass(frozen=True)
class SpectrumEstimate:
    """Spectrum of a galaxy field with its uncertainty.

    Parameters
    ----------
    cl : ndarray, shape (lmax + 1,)
        Posterior mean of the spectrum of the pixel averages, without shot noise [sr].
    draws : ndarray, shape (n_draws, lmax + 1)
        Equally likely spectra [sr].
    coefficients : ndarray, shape (3,)
        Most likely ln C, slope and curvature of ln C_l in ln l at the pivot.
    aliased : ndarray, shape (nside,)
        The same from multipole 3 nside on [sr].  Pixels fold this power back; maps that were simulated in these
        pixels have hardly any.
    beyond : float
        Variance of the pixel averages at still larger multipoles [1].

    Notes
    -----
    NumPy takes it for the array ``cl``, so that it can stand wherever a spectrum is asked for.
    """

    cl: np.ndarray
    draws: np.ndarray
    coefficients: np.ndarray
    aliased: np.ndarray
    beyond: float

    @classmethod
    def known(cls, cl: np.ndarray, nside: int) -> SpectrumEstimate:
        """Spectrum that is taken as known, from multipole 0; what it has beyond 3 nside is aliased power."""
        cl = np.asarray(cl, float)
        split = 3 * nside
        return cls(cl[:split], np.empty((0, split)), np.full(3, np.nan), cl[split:], 0.0)

    @property
    def with_aliased(self) -> np.ndarray:
        """Spectrum with the power that pixels fold back [sr]."""
        return np.concatenate([self.cl, self.aliased])

    @property
    def unresolved(self) -> float:
        """Variance of the pixel averages that is not in ``cl``: pixels next to each other hardly share it [1]."""
        return variance(np.concatenate([np.zeros_like(self.cl), self.aliased])) + self.beyond

    def __array__(self, dtype=None, copy=None):
        return np.array(self.cl, dtype=dtype, copy=copy)


def pixel_variance(spectrum: np.ndarray | SpectrumEstimate) -> float:
    """Variance of the pixel averages of a field [1].

    Parameters
    ----------
    spectrum : ndarray, shape (lmax + 1,), or SpectrumEstimate
        Spectrum of the pixel averages, without shot noise [sr].

    Returns
    -------
    float
        For an estimate with what its multipoles do not resolve.
    """
    return variance(np.asarray(spectrum, float)) + unresolved_variance(spectrum)


def unresolved_variance(spectrum: np.ndarray | SpectrumEstimate) -> float:
    """Variance of the pixel averages that a spectrum does not hold [1]: none for an array, which is all there is.

    Parameters
    ----------
    spectrum : ndarray, shape (lmax + 1,), or SpectrumEstimate
        As in :func:`pixel_variance`.

    Returns
    -------
    float
        Of an estimate, its ``unresolved``.
    """
    return spectrum.unresolved if isinstance(spectrum, SpectrumEstimate) else 0.0


def checked_spectrum(
    field: Field, templates: TemplateSet | None = None, spectrum: np.ndarray | SpectrumEstimate | None = None
) -> SpectrumEstimate:
    """Spectrum of a sample from whatever came, after checking that it belongs there.

    Parameters
    ----------
    field : Field
        Observed overdensity.
    templates : TemplateSet, optional
        Templates on the same pixels.
    spectrum : ndarray, shape (3 nside,) or longer, or SpectrumEstimate, optional
        Spectrum of the pixel averages, without shot noise [sr]; an array is taken as known, and it is estimated from
        the field where there is none.

    Returns
    -------
    SpectrumEstimate
        Of these pixels.

    Raises
    ------
    DataError
        When field and templates are not of the same pixels, their place is not known, or the spectrum is not one.
    """
    maps = {"field": field} if templates is None else {"field": field, "templates": templates}
    nside = shared_footprint(need_place=True, **maps).nside
    if spectrum is None:
        return estimate_spectrum(field, templates)
    power = np.asarray(spectrum, float)
    if power.ndim != 1 or len(power) < 3 * nside:
        msg = f"spectrum has shape {power.shape}: give C_l from 0 to 3 nside - 1, shape ({3 * nside},), or more of them"
        raise DataError(msg)
    wrong = np.sum(~(np.isfinite(power) & (power >= 0.0)))
    if wrong:
        msg = f"the spectrum is negative or not finite at {wrong} multipoles: smooth it, see estimate_spectrum"
        raise DataError(msg)
    return spectrum if isinstance(spectrum, SpectrumEstimate) else SpectrumEstimate.known(power, nside)


def signal_spectrum(field: Field, templates: TemplateSet | None = None) -> np.ndarray:
    r"""Spectrum of the galaxy field, estimated from the sample itself.

    Parameters
    ----------
    field : Field
        Observed overdensity on the footprint.
    templates : TemplateSet, optional
        Templates whose linear fit is removed first.

    Returns
    -------
    ndarray, shape (3 nside,)
        Smooth spectrum of the pixel averages, without shot noise [sr]: that of :func:`estimate_spectrum`, which also
        knows its error and the variance that it does not resolve; give that to a fit or a test.
    """
    return estimate_spectrum(field, templates).cl


def estimate_spectrum(field: Field, templates: TemplateSet | None = None) -> SpectrumEstimate:
    r"""Spectrum of the galaxy field, estimated from the sample itself, with its uncertainty.

    Parameters
    ----------
    field : Field
        Observed overdensity on the footprint.
    templates : TemplateSet, optional
        Templates whose linear fit is removed first.

    Returns
    -------
    SpectrumEstimate
        Smooth spectrum of the pixel averages, without shot noise.

    Raises
    ------
    DataError
        When the templates leave nothing of the field, or are linear combinations of each other.

    Notes
    -----
    The model :math:`\ln C_\ell` quadratic in :math:`\ln \ell` goes through everything that
    happened to the data before it is compared with them: pixel window, mask coupling, shot
    noise, and the power that subtracting the mean and the fitted templates takes from the
    largest scales (:func:`~.removed_power`).  The
    multipoles are weighted as those of a Gaussian field (Whittle likelihood).  Its posterior, with
    flat priors on amplitude and slope, is sampled by importance.
    """
    nside, basis = field.nside, np.ones((1, field.n_pix))
    if templates is not None:
        basis = np.vstack([basis, templates.values])
    owner = templates or field.footprint
    patterns, levels = _noise_patterns(field.noise)
    sample = owner.remember(
        "power of a sample", patterns.tobytes(), lambda: _sample_power(field.footprint, templates, patterns)
    )
    residual = field.delta - np.linalg.solve(basis @ basis.T, basis @ field.delta) @ basis
    if not np.var(residual) > MIN_LEFT * np.var(field.delta):
        msg = "templates reproduce delta: there is no field left whose spectrum could be estimated"
        raise DataError(msg)
    data = hp.alm2cl(masked_alm(residual, field.footprint)[0])[1 : 2 * nside + 1]
    window = pixel_window(nside, default_lmax(nside)) ** 2
    dof = (2.0 * np.arange(1, 2 * nside + 1) + 1.0) * field.f_sky
    noise, removed_noise = levels @ sample.noise, levels @ sample.removed_noise

    floor = max(np.mean(field.noise.variance()), MIN_LEFT * np.var(field.delta))
    faintest = np.log(FAINTEST * floor * field.footprint.pixel_area)

    def unremoved(shapes):
        return _smooth_spectrum(shapes, window) @ sample.coupling.T + noise

    def whittle(shapes, kept):
        model = unremoved(shapes)
        # weak pulls keep the shape finite on noisy samples
        pull = 0.5 * ((shapes[..., 1] - TILT) / SLOPE) ** 2 + 0.5 * (shapes[..., 2] / CURVATURE) ** 2
        pull += 0.5 * np.maximum(faintest - shapes[..., 0], 0.0) ** 2
        return 0.5 * np.sum(dof * (data / (model * kept) + np.log(model * kept)), axis=-1) + pull

    # on large footprints the share that is kept hardly depends on the slope: two steps suffice there
    shape, kept = np.array([np.log(1e-4), TILT, 0.0]), np.ones(2 * nside)
    for _ in range(ITERATIONS):
        shape = minimize(whittle, shape, args=(kept,), method="Nelder-Mead", options={"xatol": 1e-4}).x
        removed = sample.removed(shape) + removed_noise
        kept = np.maximum(1.0 - removed / unremoved(shape), MIN_KEPT)
    steps = 1e-4 * np.eye(3)
    slopes = np.log(unremoved(shape + steps) / unremoved(shape - steps)) / 2e-4
    information = 0.5 * (slopes * dof) @ slopes.T + np.diag([shape[0] < faintest, SLOPE**-2, CURVATURE**-2])
    # wider than the information says: a power of few modes has a tail towards large values
    unit = 1.5 * np.random.default_rng(0).standard_normal((N_CANDIDATES, 3))
    candidates = shape + unit @ np.linalg.cholesky(np.linalg.inv(information)).T
    log_weights = 0.5 * np.sum((unit / 1.5) ** 2, axis=1) - whittle(candidates, kept)
    weights = np.exp(log_weights - log_weights.max())
    weights /= weights.sum()
    spectra = _smooth_spectrum(candidates, window)
    equal = np.searchsorted(np.cumsum(weights), (np.arange(N_SPECTRA) + 0.5) / N_SPECTRA)
    cl, draws = weights @ spectra, spectra[np.minimum(equal, N_CANDIDATES - 1)]
    found = _beyond(residual, cl, basis, field.noise.variance(), sample.taken)
    return SpectrumEstimate(cl, draws, shape, *_tail(shape, found, nside))


def _tail(shape, found: float, nside: int) -> tuple[np.ndarray, float]:
    """Spectrum up to 4 nside and variance beyond, of the smooth shape, with the variance that was found."""
    smooth = _smooth_spectrum(shape, pixel_window(nside, _ALIASED * nside - 1) ** 2)
    smooth[: 3 * nside] = 0.0
    smooth *= found / variance(smooth)
    return smooth[3 * nside : 4 * nside], max(0.0, found - variance(smooth[: 4 * nside]))


def _noise_patterns(noise: CountNoise) -> tuple[np.ndarray, np.ndarray]:
    """Noise of galaxies and, where it was counted, of the coverage: relative to its mean, and the mean of each."""
    kinds = np.array([noise.galaxies, noise.coverage] if noise.counted else [noise.galaxies])
    # what has no noise at all has any pattern
    levels = np.maximum(kinds.mean(1), np.finfo(float).tiny)
    # the same for all realisations of a sample: rounding is cut off
    return np.round(kinds / levels[:, None], _DIGITS), levels


def _beyond(residual, cl, basis, shot, taken) -> float:
    """Variance of a field that neither its spectrum nor its shot noise explain, and that a fit did not take."""
    covered = np.linalg.solve(basis @ basis.T, basis)
    noise = shot.sum() - np.einsum("ip,ip,p->", covered, basis, shot)
    left = residual @ residual - noise - residual.size * variance(cl) + taken @ cl
    return max(0.0, float(left) / (residual.size - len(basis)))


def _log_power(shapes: np.ndarray, log_ell: np.ndarray) -> np.ndarray:
    return np.clip(shapes @ np.vander(log_ell, 3, increasing=True).T, -60.0, 10.0)


def _smooth_spectrum(shapes: np.ndarray, window: np.ndarray) -> np.ndarray:
    smooth = np.exp(_log_power(shapes, np.log(np.arange(1, len(window)) / PIVOT))) * window[1:]
    return np.concatenate([np.zeros((*smooth.shape[:-1], 1)), smooth], axis=-1)


@dataclass(frozen=True)
class _SamplePower:
    """What footprint, templates and pattern of coverage make of a spectrum, the same for all realisations of a sample.

    Multipoles are those that are fitted, from 1 to 2 nside.

    Parameters
    ----------
    coupling : ndarray, shape (2 nside, lmax + 1)
        From the spectrum of a field to its expected pseudo-spectrum.
    log_ell, responses : ndarray, shapes (n_nodes,) and (n_nodes, 2 nside)
        Nodes in ln l, and the power that the fit of mean and templates removes, for spectra that are one there.
    noise, removed_noise : ndarray, shapes (n_kinds,) and (n_kinds, 2 nside)
        The same of noise with a mean variance of one, for every kind of noise.
    taken : ndarray, shape (lmax + 1,)
        Sum of squares over the pixels that the fit takes, for every multipole [1 / sr].
    """

    coupling: np.ndarray
    log_ell: np.ndarray
    responses: np.ndarray
    noise: np.ndarray
    removed_noise: np.ndarray
    taken: np.ndarray

    def removed(self, shape):
        """Power that the fit removes from smooth spectra, interpolated between the nodes."""
        return np.exp(_log_power(shape, self.log_ell) - TILT * self.log_ell) @ self.responses


def _sample_power(footprint: Footprint, templates: TemplateSet | None, patterns: np.ndarray) -> _SamplePower:
    ones, nside = np.ones(footprint.n_pix), footprint.nside
    sky = MaskedSky(footprint, ones, templates)
    lmax, fitted = default_lmax(nside), slice(1, 2 * nside + 1)
    log_ell, spectra = _interpolated_spectra(pixel_window(nside, lmax) ** 2)
    mask_cl = weight_spectrum(sky, ones, sky, ones, 2 * nside + lmax)
    noise = sky.area**2 * patterns.sum(1) / (4.0 * np.pi)
    return _SamplePower(
        coupling=coupling_matrix(mask_cl, 2 * nside, lmax)[1:],
        log_ell=log_ell,
        responses=removed_power(sky, spectra)[:, fitted],
        noise=noise,
        removed_noise=np.array([n - noise_power(sky, p)[fitted] for n, p in zip(noise, patterns, strict=True)]),
        taken=_taken(sky.basis, footprint),
    )


def _taken(basis, footprint: Footprint) -> np.ndarray:
    alms = masked_alm(basis, footprint) / footprint.pixel_area
    fits = np.linalg.inv(basis @ basis.T)
    spectra = np.array([hp.alm2cl(one, two) for one, two in zip(alms, fits @ alms, strict=True)])
    return (2.0 * np.arange(spectra.shape[1]) + 1.0) * spectra.sum(0)


def _interpolated_spectra(window: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Chebyshev nodes in ln l, and spectra whose sum interpolates between values there."""
    log_ell = np.log(np.arange(1, len(window)) / PIVOT)
    low, high = log_ell[[0, -1]]
    nodes = np.polynomial.chebyshev.chebpts1(N_NODES)
    places = (nodes, 2.0 * (log_ell - low) / (high - low) - 1.0)
    at_nodes, at_ell = (np.polynomial.chebyshev.chebvander(x, N_NODES - 1).T for x in places)
    spectra = np.zeros((N_NODES, len(window)))
    spectra[:, 1:] = np.linalg.solve(at_nodes, at_ell) * np.exp(TILT * log_ell) * window[1:]
    return low + 0.5 * (high - low) * (nodes + 1.0), spectra
