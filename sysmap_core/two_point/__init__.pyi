__all__ = [
    "BandEstimator",
    "BandPowers",
    "Bins",
    "Consistency",
    "Correlation",
    "PairCounts",
    "Points",
    "angular_bins",
    "angular_correlation",
    "band_powers",
    "bin_integrals",
    "check_engine",
    "check_patches",
    "check_points",
    "check_weights",
    "consistency",
    "count_pairs",
    "field_correlation",
    "harmonic_cross_sums",
    "harmonic_sums",
    "patch_centres",
    "patch_numbers",
    "pixel_correlation",
    "random_counts",
    "random_key",
    "random_pairs",
    "read_correlation",
    "resampled",
    "resolved",
    "split_consistency",
    "tree_options",
    "value_pairs",
]

from .bins import Bins, angular_bins
from .correlation import Correlation, read_correlation
from .estimators import angular_correlation, pixel_correlation, random_pairs
from .harmonic_pairs import bin_integrals, harmonic_cross_sums, harmonic_sums, resolved
from .jackknife import check_patches, patch_centres, patch_numbers, resampled
from .of_fields import field_correlation
from .pair_counts import PairCounts, check_engine, count_pairs, random_counts, random_key, tree_options, value_pairs
from .points import Points, check_points, check_weights
from .power_spectra import BandEstimator, BandPowers, band_powers
from .splits import Consistency, consistency, split_consistency
