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
    "array_mocks": [
        "TEMPLATE_FAMILIES",
        "assign_template_values",
        "compute_overdensity",
        "generate_lognormal_field",
        "generate_systematic_map",
        "generate_systematic_maps",
        "load_real_template",
        "load_real_templates",
        "make_galactic_mask",
        "pixelize_catalog",
        "systematic_power_spectrum",
    ],
    "array_spectra": [
        "correct_power_spectrum_harmonic",
        "harmonic_bias",
        "measure_pseudo_cl",
        "mode_projection_bias",
        "subtract_template_cl",
    ],
    "array_two_point": [
        "compute_amplitude_bias",
        "compute_covariance_matrix",
        "compute_two_point_correction",
        "correct_two_point_function",
        "debias_params",
        "measure_kk_correlation_corrfunc",
        "measure_kk_correlation_treecorr",
        "measure_two_point_function",
        "measure_two_point_function_corrfunc",
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
    "built_maps": ["TemplateMaps", "read_maps", "write_maps"],
    "clinic": ["Limits", "TemplateReport", "examine"],
    "consistency": ["split_consistency"],
    "contamination": [
        "apply_contamination",
        "invert_contamination",
        "n_free_params",
        "pack_params",
        "unpack_params",
    ],
    "correction": ["corrected_correlation"],
    "correlation": ["Correlation", "read_correlation"],
    "decision": ["Verdict", "verdict"],
    "decontamination": ["Decontamination", "decontaminate", "run_methods"],
    "errors": ["DataError", "MissingDataError", "ParameterError", "ShortChainWarning", "SysmapError", "unknown_name"],
    "healsparse_io": ["read_healsparse", "write_healsparse"],
    "impact": ["Impact", "hartlap_factor"],
    "injection": ["Injection", "inject", "injections"],
    "likelihood": ["LIKELIHOODS"],
    "map_building": ["build_maps"],
    "map_quantities": ["random_quantities", "star_quantities"],
    "methods": ["METHODS"],
    "mock_fields": ["null_realisations"],
    "mock_files": ["read_mock", "write_mock"],
    "mock_suite": ["MockCatalog", "make_mock_catalog", "make_mock_suite"],
    "mock_survey": ["MockSurvey"],
    "nulltests": ["footprint_mask_diagnostics", "null_test_cross_correlations", "snr_template_ranking"],
    "posterior": ["Posterior", "fit_model"],
    "power_spectra": ["BandEstimator", "BandPowers", "band_powers"],
    "resampling": ["block_bootstrap_variance", "jackknife_covariance"],
    "sample_spectrum": ["SpectrumEstimate", "estimate_spectrum", "signal_spectrum"],
    "samples": ["SAMPLES", "find_sample", "load_sample"],
    "sdss": ["read_foregrounds", "read_sdss_pixels"],
    "significance": ["family_wise_p", "likelihood_ratio"],
    "sky": ["Field", "check_nside", "footprint", "overdensity", "pixel_counts"],
    "spectrum_matching": ["match_band_powers", "match_correlation"],
    "summaries": ["Measured", "errors_of", "fraction_and_error", "mean_and_error", "pulls", "spread_and_error"],
    "survey_masks": ["survey_mask"],
    "template_correlations": ["TemplateCorrelations"],
    "templates": ["TemplateSet", "standardise"],
    "tracers": ["RankCorrelations", "rank_correlations"],
    "two_point": ["angular_correlation", "pixel_correlation", "random_pairs"],
    "weights": ["write_all"],
}
"""Names that can be imported from the package itself, by module."""

_MODULES = [module.name for module in pkgutil.iter_modules(__path__)]

__version__ = importlib.metadata.version("sysmap-core")
__getattr__, __dir__, __all__ = lazy_loader.attach(__name__, submodules=_MODULES, submod_attrs=_PUBLIC)
