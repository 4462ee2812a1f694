r"""Correlation function of a map without its contamination, with what the fit took from the clustering given back.

A cleaned map has less noise than the observed correlation function from which squares of amplitudes are subtracted:
the product of contamination and field, which is zero on average only, is gone with the contamination.  Instead a fit
takes what templates and field share by chance.  That loss is known: it follows from the covariance of the amplitudes
with the field.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, replace

import numpy as np

from ..errors import DataError, ParameterError
from ..methods import AmplitudePosterior, Decontamination
from ..mocks import PixelField, clustered_counts, map_realisations
from ..sky import Field
from ..two_point import Correlation, angular_bins, harmonic_cross_sums, harmonic_sums
from .corrected import check_bins
from .observed_covariance import carried_clustering
from .template_correlations import TemplateCorrelations

N_REALISATIONS = 100


def cleaned_correlation(
    measured: Correlation, correlations: TemplateCorrelations, fit: Decontamination, *, cov: np.ndarray | None = None
) -> Correlation:
    r"""Correlation function of a cleaned map, without what the fit took from the clustering.

    Parameters
    ----------
    measured : Correlation
        Of ``fit.cleaned``.
    correlations : TemplateCorrelations
        Template correlations over the same kind of pairs, in the same bins.
    fit : Decontamination
        Fit that cleaned the map.
    cov : ndarray, shape (n_theta, n_theta), optional
        Covariance of the result, of :func:`realised_covariance`; that of ``measured`` by default.

    Returns
    -------
    Correlation
        With the mean of the true one, where amplitudes are as the prior of the fit says.

    Raises
    ------
    DataError
        When bins differ, or the fit has no spectrum.

    Notes
    -----
    :math:`w = [w_{\rm map} + L] / (1 + \sum \Sigma^b_{ij} \xi_{ij})` with the loss L of :func:`lost_clustering` and the
    posterior covariance :math:`\Sigma` of the amplitudes.

    Examples
    --------
    >>> import numpy as np
    >>> from sysmap_core import decontaminate, field_correlation, standardise
    >>> from sysmap_core.correction import from_harmonics
    >>> from sysmap_core.mocks import pixel_sample
    >>> from sysmap_core.templates import synthetic_maps
    >>> field, edges = pixel_sample(16, 0.3, 50.0).draw(1), np.geomspace(300, 1200, 4)
    >>> maps = synthetic_maps(16, ["white_noise"], np.random.default_rng(0))
    >>> fit = decontaminate(field, standardise(maps, ["depth"], field.footprint), "GLS")
    >>> pairs = from_harmonics(fit.templates, edges_arcmin=edges, weights=field.expected)
    >>> measured = field_correlation(field, fit.cleaned, edges_arcmin=edges, engine="harmonic")
    >>> len(cleaned_correlation(measured, pairs, fit).w)
    3
    """
    check_bins(measured, correlations)
    _, of_b = _posterior_covariances(fit)
    gain = 1.0 + correlations.contract(of_b)
    w = (measured.w + lost_clustering(fit, correlations)) / gain
    estimator = f"{measured.estimator}, cleaned by {fit.method}, what the fit took given back"
    return replace(measured, w=w, cov=measured.cov if cov is None else cov, estimator=estimator)


def lost_clustering(fit: Decontamination, correlations: TemplateCorrelations) -> np.ndarray:
    r"""What the correlation function of a cleaned map lacks on average.

    Parameters
    ----------
    fit : Decontamination
        Fit that cleaned the map.
    correlations : TemplateCorrelations
        Template correlations.

    Returns
    -------
    ndarray, shape (n_theta,)
        Nearly always positive [1].

    Raises
    ------
    DataError
        When the fit has no spectrum.

    Notes
    -----
    Amplitudes :math:`K \hat\theta` that were shrunk take :math:`2\,{\rm tr}(K g Q T^t)` from the field, g being the
    covariance of :math:`\hat a` with it, and leave contamination of covariance :math:`\Sigma = K C`.  For weights by
    the inverse covariance of the field, :math:`g = C T`, so that the loss is
    :math:`\sum \Sigma_{ij} \xi_{ij}`; for other methods g is that of least squares.
    """
    if fit.spectrum is None:
        msg = f"the fit of {fit.method} has no spectrum: give a field with pixels, whose clustering is known"
        raise DataError(msg)
    of_a, _ = _posterior_covariances(fit)
    left = correlations.contract(of_a)
    if fit.covariance == "estimator":
        return left
    kept = of_a @ np.linalg.inv(fit.cov_a)
    bins, weights = angular_bins(correlations.theta_edges), fit.field.expected
    carried = carried_clustering(fit.field, fit.templates, fit.spectrum)
    pairs = harmonic_sums(weights[None], fit.footprint, bins)[0]
    shared = harmonic_cross_sums(weights * fit.templates.values, weights * carried, fit.footprint, bins) / pairs
    return 2.0 * np.einsum("ij,ijt->t", kept, shared) - left


def realised_covariance(
    fit: Decontamination,
    measure: Callable[[Field], Correlation],
    *,
    n_realisations: int = N_REALISATIONS,
    seed: int = 0,
    executor: Executor | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> np.ndarray:
    """Covariance of the correlation function of a cleaned map, over realisations of the sample.

    Parameters
    ----------
    fit : Decontamination
        Fit that cleaned the map, with its spectrum.
    measure : callable
        Correlation function of a field.
    n_realisations, seed : int
        Realisations, and what fixes them for any number of workers.
    executor : concurrent.futures.Executor, optional
        Where to make them; here by default.
    progress : callable, optional
        Called with the number of realisations that are done, and their total.

    Returns
    -------
    ndarray, shape (n_theta, n_theta)
        Of lognormal fields with the spectrum and the noise of the sample, and of the contamination that is left: draws
        of the posterior less its mean.

    Raises
    ------
    ParameterError
        For fewer than two realisations.
    DataError
        When the fit has no spectrum, or no lognormal field has it.
    """
    if n_realisations < 2:
        msg = f"n_realisations is {n_realisations}: give at least 2, about a hundred for an error of 7 %"
        raise ParameterError(msg)
    if fit.spectrum is None:
        msg = f"the fit of {fit.method} has no spectrum: give a field with pixels, whose clustering is known"
        raise DataError(msg)
    task = _Realised(fit, _left(fit), PixelField.of(fit.spectrum), measure)
    found = map_realisations(task, n_realisations, seed, executor=executor, progress=progress)
    return np.atleast_2d(np.cov(np.array(list(found)), rowvar=False))


@dataclass(frozen=True)
class _Realised:
    """Correlation function of one realisation, from its seed."""

    fit: Decontamination
    left: AmplitudePosterior
    clustering: PixelField
    measure: Callable[[Field], Correlation]

    def __call__(self, seed: np.random.SeedSequence) -> np.ndarray:
        fit, rng = self.fit, np.random.default_rng(seed)
        drawn = clustered_counts(fit.field, self.clustering, rng)
        off, n_sys = self.left.draw(rng) - self.left.mean, len(fit.a)
        of_b = {"combined": off[n_sys:], "multiplicative": off[:n_sys]}.get(fit.model, np.zeros(n_sys))
        additive, multiplicative = off[:n_sys] @ fit.templates.values, of_b @ fit.templates.values
        return self.measure(replace(drawn, delta=drawn.delta * (1.0 + multiplicative) + additive)).w


def _left(fit: Decontamination) -> AmplitudePosterior:
    """True amplitudes, given those in the weights."""
    if fit.shrinkage != "none":
        return fit.posterior()
    free = len(fit.a) * (2 if fit.model == "combined" else 1)
    return AmplitudePosterior(np.ones(1), np.zeros((1, free)), fit.cov[None, :free, :free])


def _posterior_covariances(fit: Decontamination) -> tuple[np.ndarray, np.ndarray]:
    """Covariances of the amplitudes in the weights, additive and multiplicative, shape (n_sys, n_sys)."""
    n_sys, cov = len(fit.a), _left(fit).cov
    of_a = cov[:n_sys, :n_sys]
    of_b = {"combined": cov[n_sys:, n_sys:], "multiplicative": of_a}
    return of_a, of_b.get(fit.model, np.zeros_like(of_a))
