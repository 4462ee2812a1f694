__all__ = [
    "MaskedSky",
    "PixelCovariance",
    "Solution",
    "Transforms",
    "correlate",
    "correlation_from_spectrum",
    "coupling_matrix",
    "cross_spectra",
    "default_lmax",
    "harmonic_products",
    "masked_alm",
    "masked_sky",
    "noise_power",
    "pixel_window",
    "removed_power",
    "removed_response",
    "solve",
    "spectrum_from_correlation",
    "summed_spectrum",
    "template_power",
    "variance",
    "weight_spectrum",
]

from .mode_coupling import (
    MaskedSky,
    coupling_matrix,
    masked_sky,
    noise_power,
    removed_power,
    removed_response,
    template_power,
    weight_spectrum,
)
from .pixel_covariance import PixelCovariance, Solution, solve
from .spectra import (
    correlate,
    correlation_from_spectrum,
    harmonic_products,
    masked_alm,
    pixel_window,
    spectrum_from_correlation,
    summed_spectrum,
    variance,
)
from .transforms import Transforms, cross_spectra, default_lmax
