__all__ = [
    "NULLS",
    "N_NULL",
    "SCALES",
    "SIGNIFICANCE",
    "EqualityTest",
    "FootprintCuts",
    "Leverage",
    "Limits",
    "Meaning",
    "NullTest",
    "PatchGain",
    "RankCorrelations",
    "RatioTest",
    "Relations",
    "Selection",
    "Shape",
    "TemplateReport",
    "Verdict",
    "WaldTest",
    "amplitudes_equal",
    "checked_maps",
    "comparable",
    "contamination_metric",
    "cut_map",
    "examine",
    "exceedance",
    "family_wise_p",
    "footprint_cuts",
    "forward_selection",
    "held_out_patches",
    "held_out_templates",
    "leverage",
    "likelihood_ratio",
    "meaning",
    "null_test",
    "p_text",
    "rank_correlations",
    "rank_templates",
    "ratio_realisations",
    "squares",
    "template_p",
    "verdict",
]

from .amplitude_tests import NullTest, null_test
from .decision import Verdict, contamination_metric, verdict
from .equality import EqualityTest, WaldTest, amplitudes_equal
from .held_out import PatchGain, held_out_patches, held_out_templates, squares
from .p_values import SIGNIFICANCE, exceedance, family_wise_p, p_text, template_p
from .physical_meaning import Meaning, meaning
from .ranking import (
    FootprintCuts,
    Leverage,
    Selection,
    cut_map,
    footprint_cuts,
    forward_selection,
    leverage,
    rank_templates,
)
from .ratio_test import N_NULL, NULLS, RatioTest, likelihood_ratio, ratio_realisations
from .template_report import Limits, Relations, Shape, TemplateReport, examine
from .tracers import SCALES, RankCorrelations, checked_maps, comparable, rank_correlations
