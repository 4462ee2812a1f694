__all__ = [
    "SCENARIOS",
    "ContaminationScenario",
    "MatchedSpectrum",
    "Mock",
    "MockCatalog",
    "MockSurvey",
    "PixelField",
    "PixelSample",
    "ShellMock",
    "clustered_counts",
    "clustering_sigma",
    "draw_redshifts",
    "drawn_lognormal",
    "expected_counts",
    "gaussian_field",
    "gaussian_spectrum",
    "independent_pixels",
    "log_spectrum",
    "lognormal_field",
    "ls10_south_footprint",
    "make_mock_catalog",
    "make_mock_suite",
    "map_realisations",
    "match_band_powers",
    "match_correlation",
    "match_measurement",
    "mock_survey",
    "null_realisations",
    "pixel_sample",
    "read_mock",
    "sample_together",
    "shape_spectrum",
    "shell_fields",
    "shell_spectra",
    "simulate_catalogue",
    "simulate_shells",
    "survey_mask",
    "thinned",
    "with_satellites",
    "write_mock",
]

from .footprints import ls10_south_footprint, survey_mask
from .galaxy_spectrum import clustering_sigma, shape_spectrum
from .lognormal import (
    Mock,
    PixelField,
    drawn_lognormal,
    expected_counts,
    gaussian_spectrum,
    independent_pixels,
    lognormal_field,
    simulate_catalogue,
)
from .mock_catalogue import SCENARIOS, ContaminationScenario, MockCatalog
from .realisations import (
    PixelSample,
    clustered_counts,
    map_realisations,
    null_realisations,
    pixel_sample,
)
from .shells import ShellMock, draw_redshifts, gaussian_field, shell_fields, shell_spectra, simulate_shells
from .spectrum_matching import MatchedSpectrum, match_band_powers, match_correlation, match_measurement
from .suite import log_spectrum, make_mock_catalog, make_mock_suite, sample_together
from .suite_files import read_mock, write_mock
from .surveys import MockSurvey, mock_survey, thinned, with_satellites
