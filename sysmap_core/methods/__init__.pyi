__all__ = [
    "MAX_ABSORBED",
    "MAX_ANALYTIC_RMS",
    "METHODS",
    "MIN_WEIGHT_DENOMINATOR",
    "SHRINKAGES",
    "AmplitudePosterior",
    "AmplitudePrior",
    "CorrectedTemplate",
    "Curves",
    "Decontamination",
    "Estimate",
    "FittedAmplitudes",
    "GeneralisedFit",
    "Method",
    "Nulls",
    "PartAmplitudes",
    "Polynomials",
    "Pooled",
    "ResampledCovariance",
    "TemplateBins",
    "TwoMomentFit",
    "absorbed_share",
    "amplitude_errors",
    "amplitude_posterior",
    "bin_starts",
    "binned_density",
    "binned_regression",
    "block_bootstrap",
    "check_number",
    "decontaminate",
    "elastic_net",
    "find_method",
    "generalised_least_squares",
    "hierarchical_posterior",
    "iterative_regression",
    "jackknife",
    "least_squares",
    "mock_covariance",
    "null_delta_chi2",
    "part_amplitudes",
    "penalty_path",
    "pooled",
    "populated_range",
    "reweighted_fit",
    "run_methods",
    "two_moment_fit",
    "undone_contamination",
    "with_posterior",
]

from .decontamination import (
    MIN_WEIGHT_DENOMINATOR,
    decontaminate,
    run_methods,
    undone_contamination,
    with_posterior,
)
from .density_curves import Polynomials, TemplateBins, bin_starts, binned_density, populated_range, reweighted_fit
from .gls import GeneralisedFit, TwoMomentFit, generalised_least_squares, two_moment_fit
from .isd import CorrectedTemplate, Curves, Nulls, binned_regression, iterative_regression, null_delta_chi2
from .linear import elastic_net, least_squares, penalty_path
from .part_amplitudes import PartAmplitudes, part_amplitudes
from .pooling import Pooled, pooled
from .priors import AmplitudePrior, FittedAmplitudes
from .resampling import ResampledCovariance, block_bootstrap, check_number, jackknife, mock_covariance
from .results import Decontamination
from .shrinkage import SHRINKAGES, AmplitudePosterior, amplitude_posterior, hierarchical_posterior
from .table import METHODS, Estimate, Method, find_method
from .uncertainties import MAX_ABSORBED, MAX_ANALYTIC_RMS, absorbed_share, amplitude_errors
