__all__ = [
    "DEFAULT_METHODS",
    "PROGRAMS",
    "Change",
    "LeverageCut",
    "MaskAndRefit",
    "MaskStep",
    "PartResult",
    "SampleResult",
    "amplitude_panels",
    "common_method",
    "curve_panels",
    "fit_part",
    "mask_and_refit",
    "over_regions",
    "run_sample",
    "usage",
]

from .mask_steps import Change, LeverageCut, MaskAndRefit, MaskStep
from .masking import mask_and_refit
from .part_figures import amplitude_panels, curve_panels
from .part_fit import PartResult, fit_part
from .sample_run import DEFAULT_METHODS, SampleResult, common_method, over_regions, run_sample
from .usage import PROGRAMS, usage
