__all__ = [
    "Calibrated",
    "PixelMoments",
    "SpectrumEstimate",
    "checked_spectrum",
    "combined_covariance",
    "estimate_spectrum",
    "linear_covariance",
    "linear_covariance_draws",
    "moment_spectra",
    "pixel_moments",
    "pixel_variance",
    "ratio_null_weights",
    "signal_spectrum",
    "sum_covariance",
    "unresolved_variance",
]

from .estimated_spectrum import (
    SpectrumEstimate,
    checked_spectrum,
    estimate_spectrum,
    pixel_variance,
    signal_spectrum,
    unresolved_variance,
)
from .lognormal_moments import PixelMoments, moment_spectra, pixel_moments
from .sandwich import (
    Calibrated,
    combined_covariance,
    linear_covariance,
    linear_covariance_draws,
    ratio_null_weights,
    sum_covariance,
)
