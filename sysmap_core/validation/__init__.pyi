__all__ = [
    "RESPONSES",
    "Injection",
    "PlacedSurvey",
    "TailedSurveys",
    "coverage",
    "inject",
    "injections",
    "likelihood_pixels",
    "orthonormal_templates",
    "respond",
    "uniform_band",
    "weighted_rank",
]

from .calibration import coverage, likelihood_pixels, orthonormal_templates, uniform_band, weighted_rank
from .injection import RESPONSES, Injection, inject, injections, respond
from .tailed_surveys import PlacedSurvey, TailedSurveys
