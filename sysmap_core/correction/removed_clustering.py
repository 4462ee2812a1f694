"""What a correction takes from clean samples, and how far methods disagree."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from ..errors import DataError, ParameterError, unknown_name
from ..methods import decontaminate
from ..mocks import PixelField, clustered_counts
from ..sky import Field
from ..templates import TemplateSet
from ..two_point import Correlation
from .corrected import CorrectedCorrelation, check_bins, corrected_correlation, turned_negative
from .template_correlations import TemplateCorrelations


@dataclass(frozen=True)
class OverCorrection:
    """What a correction changes where there is nothing to correct.

    Parameters
    ----------
    theta_edges : ndarray, shape (n_theta + 1,)
        Bin edges [arcmin].
    change : ndarray, shape (n_theta,)
        Corrected less observed correlation, mean over contamination-free realisations [1].
    cov : ndarray, shape (n_theta, n_theta)
        Covariance of the mean.
    n_realisations : int
        Realisations.
    form : str
        Products of amplitudes that were taken.
    debiased : bool
        Whether the noise of the amplitudes was taken off.
    """

    theta_edges: np.ndarray
    change: np.ndarray
    cov: np.ndarray
    n_realisations: int
    form: str
    debiased: bool

    @property
    def error(self) -> np.ndarray:
        """Standard error of the mean change."""
        return np.sqrt(np.diag(self.cov))


def over_correction(
    sky: Field,
    templates: TemplateSet,
    correlations: TemplateCorrelations,
    measure: Callable[[Field], Correlation],
    *,
    spectrum: np.ndarray,
    method: str = "OLS",
    n_realisations: int = 50,
    form: str = "matrix",
    debias: bool = True,
    seed: int = 0,
    **options,
) -> OverCorrection:
    """Run a fit and its correction on contamination-free realisations of a sample.

    Parameters
    ----------
    sky : Field
        Sample, for its footprint and expected counts.
    templates : TemplateSet
        Templates on the same pixels.
    correlations : TemplateCorrelations
        Template correlations.
    measure : callable
        Correlation function of a field, in the bins of ``correlations``.
    spectrum : ndarray, shape (3 nside,)
        Spectrum of the pixel averages, as estimated from the sample without its contamination [sr].
    method : str
        Row of :data:`~.METHODS`.
    n_realisations : int
        Realisations, at least two.
    form, debias
        As for the data, see :func:`corrected_correlation`.
    seed : int
        Of the realisations.
    **options
        Of :func:`~.decontaminate`, the same as for the data.

    Returns
    -------
    OverCorrection
        Mean change with its covariance.

    Raises
    ------
    ParameterError
        When there are fewer than two realisations.
    """
    if n_realisations < 2:
        msg = f"n_realisations is {n_realisations}: give at least 2, some tens for an error"
        raise ParameterError(msg)
    clustering = PixelField.of(spectrum)
    changes = []
    for child in np.random.SeedSequence(seed).spawn(n_realisations):
        clean = clustered_counts(sky, clustering, np.random.default_rng(child))
        fit = decontaminate(clean, templates, method, seed=seed, **options)
        corrected = corrected_correlation(measure(clean), correlations, fit, form=form, debias=debias, n_draws=0)
        changes.append(corrected.w - corrected.observed)
    changes = np.array(changes)
    cov = np.cov(changes, rowvar=False).reshape(changes.shape[1], -1) / n_realisations
    return OverCorrection(correlations.theta_edges, changes.mean(0), cov, n_realisations, form, debias)


def without_over_correction(corrected: CorrectedCorrelation, found: OverCorrection) -> CorrectedCorrelation:
    """Give back what a correction takes from clean samples.

    Parameters
    ----------
    corrected : CorrectedCorrelation
        Corrected correlation function.
    found : OverCorrection
        Mean change of contamination-free realisations, with the same form and debiasing.

    Returns
    -------
    CorrectedCorrelation
        Without that change, and with its error in the covariance.

    Raises
    ------
    DataError
        When bins, form or debiasing differ.
    """
    check_bins(corrected, found)
    kinds = [f"{x.form}, {'' if x.debiased else 'not '}debiased" for x in (corrected, found)]
    if kinds[0] != kinds[1]:
        msg = f"the correction is {kinds[0]} and the over-correction {kinds[1]}: correct data and realisations alike"
        raise DataError(msg)
    w = corrected.w - found.change
    return replace(
        corrected,
        w=w,
        cov=found.cov if corrected.cov is None else corrected.cov + found.cov,
        cov_amplitudes=corrected.cov_amplitudes + found.cov,
        flagged=turned_negative(w, corrected.observed),
        estimator=f"{corrected.estimator}, over-correction of {found.n_realisations} clean realisations removed",
    )


def method_marginalised(curves: Mapping[str, Correlation], reference: str) -> Correlation:
    r"""Put the disagreement between methods into the covariance.

    Parameters
    ----------
    curves : mapping of str to Correlation
        Corrected correlation functions of one sample, by method.
    reference : str
        The one to keep.

    Returns
    -------
    Correlation
        That one, with :math:`\langle \Delta \Delta^t \rangle` added to its covariance: the mean over the other
        methods, :math:`\Delta` the difference from the reference.

    Raises
    ------
    ParameterError
        When the reference is not among the methods, or there is no other.
    DataError
        When bins differ.
    """
    if reference not in curves:
        raise unknown_name("reference", reference, curves)
    others = [curve for name, curve in curves.items() if name != reference]
    if not others:
        msg = f"{reference} is the only method: give at least one more, or keep its own covariance"
        raise ParameterError(msg)
    kept = curves[reference]
    for curve in others:
        check_bins(kept, curve)
    differences = np.array([curve.w - kept.w for curve in others])
    disagreement = differences.T @ differences / len(others)
    cov = disagreement if kept.cov is None else kept.cov + disagreement
    return replace(kept, cov=cov, estimator=f"{kept.estimator}, marginalised over {len(curves)} methods")
