__all__ = [
    "AVERAGES",
    "MIN_COVERAGE",
    "MIN_RANDOMS",
    "Catalogue",
    "CountNoise",
    "Counts",
    "CoverageMap",
    "Field",
    "Footprint",
    "MapFile",
    "Memory",
    "PartialMap",
    "catalogue_checksum",
    "check_nside",
    "declared",
    "filled",
    "find_identifier",
    "find_positions",
    "find_redshift",
    "find_weights",
    "first_table",
    "fits_tables",
    "footprint",
    "galactic_to_equatorial",
    "header_frame",
    "is_position",
    "native",
    "open_maps",
    "overdensity",
    "parent_pixels",
    "partial_map",
    "patch_members",
    "pixel_counts",
    "read_catalogue",
    "read_columns",
    "read_coverage",
    "read_coverage_map",
    "read_healsparse",
    "read_map",
    "read_table",
    "scatter_galaxies",
    "shared_footprint",
    "spatial_patches",
    "table_columns",
    "to_nside",
    "uniform_randoms",
    "usable",
    "write_healsparse",
    "write_map",
]

from .catalogues import Catalogue, catalogue_checksum, read_catalogue
from .column_names import find_identifier, find_positions, find_redshift, find_weights
from .counts import MIN_RANDOMS, CountNoise, Counts
from .field import MIN_COVERAGE, Field, footprint, overdensity
from .fits_files import first_table, fits_tables, native, read_columns
from .footprints import Footprint, Memory, shared_footprint
from .healpix_io import declared, header_frame, read_map, write_map
from .healsparse_io import read_healsparse, write_healsparse
from .map_files import CoverageMap, MapFile, open_maps, read_coverage, read_coverage_map
from .map_tables import is_position
from .partial_sky import AVERAGES, PartialMap, partial_map
from .patches import patch_members, spatial_patches
from .pixels import check_nside, filled, parent_pixels, pixel_counts, usable
from .random_points import scatter_galaxies, uniform_randoms
from .regrid import galactic_to_equatorial, to_nside
from .tables import read_table, table_columns
