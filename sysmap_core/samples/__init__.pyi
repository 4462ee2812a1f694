__all__ = [
    "SAMPLES",
    "PixelMaps",
    "Sample",
    "SampleInfo",
    "SamplePart",
    "Truth",
    "amplitudes",
    "cell_coverage",
    "data_file",
    "data_folder",
    "find_sample",
    "inner_cells",
    "load_sample",
    "read_foregrounds",
    "read_lrg_counts",
    "read_lrg_pixels",
    "read_lrg_reference",
    "read_sdss_cells",
    "read_sdss_galaxies",
    "read_sdss_pixels",
    "sample_spectrum",
    "simulate_sample",
    "simulated_conditions",
    "whole",
]

from .data_files import data_file, data_folder
from .lrg import read_lrg_counts, read_lrg_pixels, read_lrg_reference
from .ls10 import sample_spectrum
from .observing import simulated_conditions
from .parts import SamplePart, whole
from .registry import SAMPLES, find_sample, load_sample
from .sample import PixelMaps, Sample, SampleInfo, Truth
from .sdss import cell_coverage, inner_cells, read_foregrounds, read_sdss_cells, read_sdss_galaxies, read_sdss_pixels
from .simulated import amplitudes, simulate_sample
