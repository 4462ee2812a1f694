__all__ = [
    "RESPONSES",
    "Injection",
    "MadeSurvey",
    "PartSurveys",
    "PlacedSurvey",
    "SurveyPart",
    "TailedSurveys",
    "coverage",
    "inject",
    "injections",
    "likelihood_pixels",
    "made_survey",
    "orthonormal_templates",
    "respond",
    "uniform_band",
    "weighted_rank",
]

from .calibration import coverage, likelihood_pixels, orthonormal_templates, uniform_band, weighted_rank
from .injection import RESPONSES, Injection, inject, injections, respond
from .made_survey import MadeSurvey, made_survey
from .part_surveys import PartSurveys, SurveyPart
from .tailed_surveys import PlacedSurvey, TailedSurveys
