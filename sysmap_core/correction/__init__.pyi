__all__ = [
    "Amplitudes",
    "CorrectedCorrelation",
    "Impact",
    "InterloperFraction",
    "OverCorrection",
    "Starts",
    "TemplateCorrelations",
    "amplitude_error",
    "amplitude_products",
    "at_objects",
    "check_bins",
    "cleaned_correlation",
    "corrected_correlation",
    "debias_diagonal",
    "debias_matrix",
    "fitted_amplitude",
    "fraction_through_zero",
    "from_harmonics",
    "from_pixels",
    "hartlap_factor",
    "impact",
    "lost_clustering",
    "method_marginalised",
    "observed_with_removed",
    "over_correction",
    "pixel_products",
    "posterior_products",
    "precision_matrix",
    "read",
    "realised_covariance",
    "sampled_products",
    "start_points",
    "turned_negative",
    "without_dilution",
    "without_over_correction",
]

from .amplitude_products import amplitude_products, debias_diagonal, debias_matrix, posterior_products
from .cleaned import cleaned_correlation, lost_clustering, realised_covariance
from .clustering_amplitude import Impact, amplitude_error, fitted_amplitude, hartlap_factor, impact, precision_matrix
from .corrected import (
    Amplitudes,
    CorrectedCorrelation,
    check_bins,
    corrected_correlation,
    turned_negative,
)
from .interlopers import InterloperFraction, fraction_through_zero, without_dilution
from .observed_covariance import observed_with_removed
from .pixel_pairs import pixel_products
from .removed_clustering import OverCorrection, method_marginalised, over_correction, without_over_correction
from .sampled_pairs import Starts, sampled_products, start_points
from .template_correlations import TemplateCorrelations, at_objects, from_harmonics, from_pixels, read
