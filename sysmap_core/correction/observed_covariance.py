"""Covariance of a measured correlation function with the contamination that is removed from it."""

from __future__ import annotations

import numpy as np

from ..covariance import SpectrumEstimate, unresolved_variance
from ..harmonic import correlate
from ..sky import Field
from ..templates import TemplateSet
from ..two_point import angular_bins, harmonic_cross_sums, harmonic_sums
from .template_correlations import TemplateCorrelations


def observed_with_removed(
    field: Field,
    templates: TemplateSet,
    correlations: TemplateCorrelations,
    spectrum: np.ndarray | SpectrumEstimate,
    *,
    a: np.ndarray,
    cov_a: np.ndarray,
) -> np.ndarray:
    r"""Covariance of a correlation function of pixels with the contamination that a linear fit removes from it.

    Parameters
    ----------
    field : Field
        Overdensity with its expected counts.
    templates : TemplateSet
        Templates on the same pixels.
    correlations : TemplateCorrelations
        Their correlations over pairs of pixels.
    spectrum : ndarray, shape (3 nside,), or SpectrumEstimate
        Spectrum of the pixel averages, without shot noise [sr].
    a : ndarray, shape (n_sys,)
        Fitted amplitudes, per rms of the template.
    cov_a : ndarray, shape (n_sys, n_sys)
        Their calibrated covariance.

    Returns
    -------
    ndarray, shape (n_theta, n_theta)
        Rows are bins of the observed correlation function, columns of what is removed [1].

    Notes
    -----
    Both are quadratic in the data: :math:`w = d^t Q d` and, with :math:`\hat a = H d`,
    :math:`\hat a^t \xi \hat a`.  For a Gaussian field of covariance :math:`\Xi` around the contamination
    :math:`T^t a`, with :math:`g = H \Xi`, the covariance is
    :math:`4\,{\rm tr}[(a a^t - C_a)\,(T Q g^t)\,\xi] + 2\,{\rm tr}[(g Q g^t)\,\xi]`.  Pixels count alike in
    all averages.  The skewness of a field, left out here, matters on small patches.
    """
    values, bins = templates.values, angular_bins(correlations.theta_edges)
    carried = carried_clustering(field, templates, spectrum)
    pairs = harmonic_sums(np.ones((1, field.n_pix)), field.footprint, bins)[0]
    means = harmonic_cross_sums(np.vstack([values, carried]), carried, field.footprint, bins) / pairs
    of_templates, of_amplitudes = np.split(means, 2)
    products = np.outer(a, a) - cov_a
    crossed = np.einsum("ki,ijt,jku->tu", products, of_templates, correlations.xi, optimize=True)
    return 4.0 * crossed + 2.0 * np.einsum("ijt,iju->tu", of_amplitudes, correlations.xi)


def carried_clustering(field: Field, templates: TemplateSet, spectrum: np.ndarray | SpectrumEstimate) -> np.ndarray:
    r"""Covariance of the amplitudes of a linear fit with the overdensity of every pixel.

    Parameters
    ----------
    field, templates, spectrum
        As in :func:`observed_with_removed`.

    Returns
    -------
    ndarray, shape (n_sys, n_pix)
        :math:`g = H \Xi`, for amplitudes :math:`H d`, relative to the mean density of the survey.
    """
    values = templates.values
    functionals = np.linalg.solve(values @ values.T, values)
    carried = correlate(functionals, np.asarray(spectrum, float), field.footprint)
    carried += functionals * (field.noise.variance() + unresolved_variance(spectrum))
    # an overdensity is relative to the mean density of the survey
    return carried - carried @ field.expected[:, None] / field.expected.sum()
