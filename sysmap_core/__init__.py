"""Systematics in galaxy clustering, from templates of observing conditions to corrected two-point functions.

Names are imported when they are first used, so that importing the package costs nothing to
programs that need only a part of it.
"""

import importlib.metadata
import pkgutil

import lazy_loader

_PUBLIC = {
    "array_methods": [
        "METHOD_COLORS",
        "METHOD_LABELS",
        "METHOD_LINESTYLES",
        "METHOD_MARKERS",
        "METHOD_ORDER",
        "LikelihoodRatioResult",
        "elasticnet_contamination_fit",
        "iterative_systematics_decontamination",
        "likelihood_ratio_test",
        "method_comparison",
        "run_decontamination",
    ],
    "array_spectra": [
        "correct_power_spectrum_harmonic",
        "harmonic_bias",
        "measure_pseudo_cl",
        "mode_projection_bias",
        "subtract_template_cl",
    ],
    "arrays": [
        "get_mle_params",
        "get_param_covariance_from_chain",
        "get_param_variance_from_chain",
        "make_log_likelihood",
        "make_log_prob",
        "rotate_templates",
        "run_mcmc",
        "transform_params_from_rotated",
    ],
    "contamination": [
        "apply_contamination",
        "invert_contamination",
        "n_free_params",
        "pack_params",
        "unpack_params",
    ],
    "decision": ["Verdict", "verdict"],
    "decontamination": ["Decontamination", "decontaminate", "run_methods"],
    "errors": ["DataError", "MissingDataError", "ParameterError", "ShortChainWarning", "SysmapError", "unknown_name"],
    "likelihood": ["LIKELIHOODS"],
    "methods": ["METHODS"],
    "nulltests": ["footprint_mask_diagnostics", "null_test_cross_correlations", "snr_template_ranking"],
    "posterior": ["Posterior", "fit_model"],
    "power_spectra": ["BandEstimator", "BandPowers", "band_powers"],
    "resampling": ["block_bootstrap_variance", "jackknife_covariance"],
    "samples": ["SAMPLES", "find_sample", "load_sample"],
    "significance": ["family_wise_p", "likelihood_ratio"],
    "sky": ["Field", "check_nside", "footprint", "overdensity", "pixel_counts"],
    "spectra": ["signal_spectrum"],
    "templates": ["TemplateSet", "standardise"],
    "two_point": ["Correlation", "angular_correlation", "corrected_correlation", "pixel_correlation"],
    "weights": ["write_all"],
}
"""Names that can be imported from the package itself, by module."""

_MODULES = [module.name for module in pkgutil.iter_modules(__path__)]

__version__ = importlib.metadata.version("sysmap-core")
__getattr__, __dir__, __all__ = lazy_loader.attach(__name__, submodules=_MODULES, submod_attrs=_PUBLIC)
