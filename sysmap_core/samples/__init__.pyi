__all__ = [
    "REGION_RULES",
    "SAMPLES",
    "PixelMaps",
    "Sample",
    "SampleInfo",
    "SamplePart",
    "SampleSpec",
    "Truth",
    "amplitudes",
    "cell_coverage",
    "check_identifier",
    "data_file",
    "data_folder",
    "find_sample",
    "galactic_caps",
    "in_cells",
    "inner_cells",
    "legacy_systems",
    "load_sample",
    "read_cells",
    "read_foregrounds",
    "read_lrg_counts",
    "read_lrg_pixels",
    "read_lrg_reference",
    "read_sample",
    "read_sdss_cells",
    "read_sdss_galaxies",
    "read_sdss_pixels",
    "region_labels",
    "sample_of",
    "sample_spectrum",
    "simulate_sample",
    "simulated_conditions",
    "split",
    "whole",
]

from .data_files import data_file, data_folder
from .lrg import read_lrg_counts, read_lrg_pixels, read_lrg_reference
from .ls10 import sample_spectrum
from .observing import simulated_conditions
from .parts import SamplePart, split, whole
from .reading import read_sample
from .regions import REGION_RULES, galactic_caps, legacy_systems, region_labels
from .registry import SAMPLES, find_sample, load_sample, sample_of
from .sample import PixelMaps, Sample, SampleInfo, Truth
from .sdss import (
    cell_coverage,
    in_cells,
    inner_cells,
    read_cells,
    read_foregrounds,
    read_sdss_cells,
    read_sdss_galaxies,
    read_sdss_pixels,
)
from .simulated import amplitudes, simulate_sample
from .spec import SampleSpec, check_identifier
