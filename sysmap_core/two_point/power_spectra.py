r"""Band powers of galaxies on a cut sky: mask deconvolved, shot noise and templates taken out.

All that happens to a field before its spectrum is measured (pixel averages, mask, subtraction of the mean, linear
removal of templates) changes the expectation of the pseudo-spectrum linearly.  The band powers here solve that
relation, so that they are unbiased up to the slope of the spectrum inside a band.  Spectra in and out are those
of the field itself: the pixel window is part of the relation.
"""

from __future__ import annotations

from dataclasses import dataclass

import healpy as hp
import numpy as np

from ..errors import DataError, ParameterError
from ..files import plain, restored
from ..harmonic import (
    MaskedSky,
    coupling_matrix,
    masked_sky,
    noise_power,
    pixel_window,
    removed_response,
    weight_spectrum,
)
from ..sky import Field, shared_footprint
from ..templates import TemplateSet

MAX_CONDITION = 100.0
"""Largest condition number of the coupling of bands, in units of the power that each of them keeps."""

TAIL = -1.5
"""Power of the multipole with which the angular spectrum of galaxies falls on small scales, roughly."""

_BEYOND = 8  # resolutions up to which multipoles alias noticeably


@dataclass(frozen=True)
class BandPowers:
    r"""Power spectrum in bands of multipoles.

    Parameters
    ----------
    edges : ndarray of int, shape (n_bands + 1,)
        Band b holds the multipoles from ``edges[b]`` up to, without it, ``edges[b + 1]``.
    ell : ndarray, shape (n_bands,)
        Mean multipole of the modes of each band.
    cl : ndarray, shape (n_bands,)
        Band powers, those of the field without a pixel window [sr].
    noise : ndarray, shape (n_bands,)
        Shot noise, in the same units as ``cl`` and after the same steps [sr].
    cov : ndarray, shape (n_bands, n_bands)
        Covariance of a Gaussian field [sr^2].
    window : ndarray, shape (n_bands, n_ell)
        Expectation of ``cl`` for every multipole of the true spectrum, those beyond 3 nside included where the field
        has them.
    removed : tuple of str
        Templates whose linear fit was removed; the mean always is.
    deconvolved : bool
        Whether mask and removal are undone; else ``cl`` is the pseudo-spectrum over the mean squared weight.
    noise_subtracted : bool
        Whether ``noise`` is taken off ``cl``.
    f_sky : float
        Share of the sky in the footprint.
    nside : int
        Resolution.
    """

    edges: np.ndarray
    ell: np.ndarray
    cl: np.ndarray
    noise: np.ndarray
    cov: np.ndarray
    window: np.ndarray
    removed: tuple[str, ...]
    deconvolved: bool
    noise_subtracted: bool
    f_sky: float
    nside: int

    @property
    def error(self) -> np.ndarray:
        """Standard deviation per band, of a Gaussian field [sr]."""
        return np.sqrt(np.diag(self.cov))

    def expected(self, spectrum: np.ndarray) -> np.ndarray:
        """Band powers that a spectrum should give.

        Parameters
        ----------
        spectrum : ndarray, shape (n_ell,) or longer
            C_l without a pixel window [sr].

        Returns
        -------
        ndarray, shape (n_bands,)
            ``window @ spectrum`` [sr], to compare theory and measurement with.

        Raises
        ------
        DataError
            When the spectrum is too short.
        """
        spectrum, size = np.asarray(spectrum, float), self.window.shape[1]
        if spectrum.ndim != 1 or spectrum.size < size:
            msg = f"the spectrum has shape {spectrum.shape}: give {size} multipoles, from 0, or more"
            raise DataError(msg)
        return self.window @ spectrum[:size]

    def to_dict(self) -> dict:
        """Everything in plain Python types, for a JSON file."""
        return plain(vars(self))

    @classmethod
    def from_dict(cls, content: dict) -> BandPowers:
        """Result from what :meth:`to_dict` gave.

        Parameters
        ----------
        content : dict
            All of it.

        Returns
        -------
        BandPowers
            Equal to the one that was stored.

        Raises
        ------
        DataError
            When something is missing.
        """
        return restored(cls, content, "spectrum")


class BandEstimator:
    r"""Band powers of fields on one footprint, or of pairs of fields on two.

    What depends on the footprint, bands and templates only is computed once.

    Parameters
    ----------
    first : MaskedSky
        Footprint with the templates that are removed.
    edges : ndarray of int, shape (n_bands + 1,)
        Band b holds the multipoles from ``edges[b]`` up to, without it, ``edges[b + 1]``; between 1 and 3 nside.
    second : MaskedSky, optional
        Footprint of the other field of cross spectra.
    tail : float, optional
        Power of the multipole with which the spectrum goes on beyond 3 nside; None for simulated maps
        that were drawn without power there.

    Raises
    ------
    DataError
        When the footprints have different resolutions or do not overlap.
    ParameterError
        When the edges are not increasing whole numbers inside the range.

    Notes
    -----
    Hivon et al. (2002, ApJ 567, 2), with two differences.  Multipoles outside the bands asked for are bands of their
    own, solved for and left out, instead of zero.  The power that the removal of mean and templates takes is
    part of the relation that is solved, which is where an iteration of its bias from the measured spectrum ends.

    Pixels fold the multipoles beyond 3 nside back into the others.  This aliased power is a few per cent of the
    spectrum at 1.5 nside; the last band tells its amplitude, and ``tail`` its shape.
    """

    def __init__(
        self, first: MaskedSky, edges: np.ndarray, second: MaskedSky | None = None, *, tail: float | None = TAIL
    ):
        second = second or first
        if first.nside != second.nside:
            msg = f"the footprints have nside {first.nside} and {second.nside}: bring both to one"
            raise DataError(msg)
        self.first, self.second, lmax = first, second, first.lmax
        self.edges = _checked_edges(edges, first.nside)
        self._bands, self._asked = _averages(self.edges, lmax)
        product = first.weights * _on_pixels_of(first, second)
        self._mean_square = float(product.sum() / hp.nside2npix(first.nside))
        if not self._mean_square > 0.0:
            msg = f"the footprints of {first.pixels.size} and {second.pixels.size} pixels do not overlap: use one sky"
            raise DataError(msg)
        self._squares = [sky.weights @ sky.weights / hp.nside2npix(sky.nside) for sky in (first, second)]
        self._squares.append(self._mean_square)
        self._relate(tail)
        self._kernels = [
            self._scatter(weight_spectrum(*maps, 2 * lmax))
            for maps in ((first, first.weights**2, second, second.weights**2), (first, product, first, product))
        ]

    def _relate(self, tail):
        """Set the expectations of the averages for every multipole of the field, and the shape of its bands."""
        first, second, lmax = self.first, self.second, self.first.lmax
        highest = lmax if tail is None else _BEYOND * first.nside - 1
        mask = weight_spectrum(first, first.weights, second, second.weights, lmax + highest)
        # a monopole could not be told from the mean of the survey, and no field has one
        window = np.append(0.0, pixel_window(first.nside, highest)[1:] ** 2)
        self._coupled = self._bands @ coupling_matrix(mask, lmax, highest) * window
        self._response = self._coupled.copy()
        # of the aliased power, templates remove next to nothing
        self._response[:, : lmax + 1] -= removed_response(first, second, self._bands) * window[: lmax + 1]
        self._shapes = np.zeros_like(self._coupled)
        self._shapes[:, : lmax + 1] = self._bands > 0.0
        if tail is not None:
            self._shapes[-1, lmax + 1 :] = (np.arange(lmax + 1, highest + 1) / (lmax + 1.0)) ** tail

    def _scatter(self, mask_cl):
        """Covariance of the averages of a pseudo-spectrum, per unit of power."""
        lmax = self.first.lmax
        return self._bands @ (coupling_matrix(mask_cl, lmax) / (2.0 * np.arange(lmax + 1) + 1.0)) @ self._bands.T

    def measure(
        self,
        field: Field,
        other: Field | None = None,
        *,
        contamination: np.ndarray | None = None,
        subtract_noise: bool = True,
        deconvolve: bool = True,
        restore: bool = True,
    ) -> BandPowers:
        """Band powers of a field, or of a pair of fields.

        Parameters
        ----------
        field : Field
            Overdensity on the pixels of the first footprint.
        other : Field, optional
            Overdensity on those of the second, of other galaxies: it shares no shot noise.
        contamination : ndarray, shape (lmax + 1,), optional
            Pseudo-spectrum to subtract, as :func:`~.template_power` gives it [sr].
        subtract_noise : bool
            Whether to subtract the shot noise of the expected counts.
        deconvolve : bool
            Whether to undo mask and pixel window; else the averages of the pseudo-spectrum over the mean squared
            weight are returned.
        restore : bool
            Whether to give the power back that the removal of mean and templates takes; without it,
            deconvolved band powers are biased low.

        Returns
        -------
        BandPowers
            Their ``window`` is what they are, whatever the options: ``expected`` compares like with like.

        Raises
        ------
        DataError
            When a field has other pixels, contamination another length, the bands are too narrow for the
            mask, or the templates leave nothing of a band.
        """
        if other is None and self.second is not self.first:
            msg = "the estimator has two footprints and one field came: give the other field as well"
            raise DataError(msg)
        shared_footprint(field=field, estimator=self.first)
        one = two = self.first.analyse(field.delta)
        if other is not None:
            shared_footprint(other=other, estimator=self.second)
            two = self.second.analyse(other.delta)
        noise = np.zeros(self.first.lmax + 1) if other else noise_power(self.first, field.noise.variance())
        pseudo = hp.alm2cl(one, two) - self._contamination(contamination)
        solve = self._inverse(restore) if deconvolve else np.eye(len(self._bands)) / self._mean_square
        solve = solve[self._asked]
        powers, shot = solve @ (self._bands @ pseudo), solve @ (self._bands @ noise)
        return BandPowers(
            edges=self.edges,
            ell=(self._bands @ np.arange(self.first.lmax + 1.0))[self._asked],
            cl=powers - shot if subtract_noise else powers,
            noise=shot,
            cov=solve @ self._covariance(one, two) @ solve.T,
            window=solve @ self._response,
            removed=self.first.names + tuple(n for n in self.second.names if n not in self.first.names),
            deconvolved=deconvolve,
            noise_subtracted=subtract_noise,
            f_sky=np.sqrt(self.first.f_sky * self.second.f_sky),
            nside=self.first.nside,
        )

    def _inverse(self, restore):
        matrix = (self._response if restore else self._coupled) @ self._shapes.T
        condition = np.linalg.cond(matrix / np.linalg.norm(matrix, axis=0))
        if not condition < MAX_CONDITION:
            msg = (
                f"{len(self.edges) - 1} bands cannot be told apart on this mask, their coupling has condition number "
                f"{condition:.1e}: make them wider, start them at larger multipoles, or remove fewer templates"
            )
            raise DataError(msg)
        return np.linalg.inv(matrix)

    def _covariance(self, one, two):
        """Covariance of the averages of the pseudo-spectrum, their total power being what was measured."""
        auto1, auto2, cross = (
            self._bands @ hp.alm2cl(*pair) / square
            for pair, square in zip(((one, one), (two, two), (one, two)), self._squares, strict=True)
        )
        first = np.sqrt(auto1 * auto2)
        return np.outer(first, first) * self._kernels[0] + np.outer(cross, cross) * self._kernels[1]

    def _contamination(self, spectrum):
        if spectrum is not None and np.shape(spectrum) != (self.first.lmax + 1,):
            msg = f"contamination has shape {np.shape(spectrum)}: give {self.first.lmax + 1} multipoles, from 0"
            raise DataError(msg)
        return 0.0 if spectrum is None else np.asarray(spectrum, float)


def band_powers(
    field: Field,
    edges: np.ndarray,
    *,
    other: Field | None = None,
    templates: TemplateSet | None = None,
    weights: np.ndarray | None = None,
    **options,
) -> BandPowers:
    """Power spectrum of a field in bands, or the cross spectrum of two, on the cut sky.

    Parameters
    ----------
    field : Field
        Overdensity with its expected counts, which are its weights.
    edges : ndarray of int, shape (n_bands + 1,)
        Band b holds the multipoles from ``edges[b]`` up to, without it, ``edges[b + 1]``; between 1 and 3 nside.
    other : Field, optional
        Overdensity of other galaxies, on a footprint of its own.
    templates : TemplateSet, optional
        Templates that are removed, from the first field only.
    weights : ndarray, shape (n_pix,), optional
        Weights of the pixels of the first field, other than its coverage.
    **options
        Of :meth:`BandEstimator.measure`.

    Returns
    -------
    BandPowers
        For many fields on one footprint, make a :class:`BandEstimator` once.
    """
    second = None if other is None else masked_sky(other)
    return BandEstimator(masked_sky(field, templates, weights), edges, second).measure(field, other, **options)


def _checked_edges(edges, nside):
    edges = np.asarray(edges)
    if edges.ndim != 1 or edges.size < 2 or not np.all(edges == np.floor(edges)) or not np.all(np.diff(edges) > 0):
        msg = f"edges are {edges.tolist()}: give two or more increasing multipoles, whole numbers"
        raise ParameterError(msg)
    if edges[0] < 1 or edges[-1] > 3 * nside:
        msg = f"edges run from {edges[0]} to {edges[-1]}: the bands of nside {nside} lie between 1 and {3 * nside}"
        raise ParameterError(msg)
    return edges.astype(int)


def _averages(edges, lmax):
    """Averages over the modes of the bands and of those beside them, and which of these were asked for."""
    width = edges[-1] - edges[-2]
    beyond = np.arange(edges[-1] + width, lmax + 2 - width // 2, width)
    limits = np.unique(np.r_[1, edges, beyond[beyond < lmax + 1], lmax + 1])
    degrees, ell = 2.0 * np.arange(lmax + 1) + 1.0, np.arange(lmax + 1)
    inside = (ell >= limits[:-1, None]) & (ell < limits[1:, None])
    start = int(np.searchsorted(limits, edges[0]))
    return inside * degrees / (inside @ degrees)[:, None], slice(start, start + len(edges) - 1)


def _on_pixels_of(sky, other):
    """Weights of the other footprint on the pixels of a footprint."""
    return other.footprint.full_sky(other.weights, 0.0)[sky.pixels]
