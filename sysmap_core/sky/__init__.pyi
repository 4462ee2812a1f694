__all__ = [
    "AVERAGES",
    "MIN_COVERAGE",
    "Catalogue",
    "CountNoise",
    "Counts",
    "Field",
    "Footprint",
    "Memory",
    "PartialMap",
    "catalogue_checksum",
    "check_nside",
    "declared",
    "filled",
    "first_table",
    "fits_tables",
    "footprint",
    "galactic_to_equatorial",
    "header_frame",
    "native",
    "overdensity",
    "parent_pixels",
    "partial_map",
    "patch_members",
    "pixel_counts",
    "read_catalogue",
    "read_columns",
    "read_healsparse",
    "read_map",
    "scatter_galaxies",
    "shared_footprint",
    "spatial_patches",
    "to_nside",
    "uniform_randoms",
    "usable",
    "write_healsparse",
    "write_map",
]

from .catalogues import Catalogue, catalogue_checksum, read_catalogue
from .counts import CountNoise, Counts
from .field import MIN_COVERAGE, Field, footprint, overdensity
from .fits_files import first_table, fits_tables, native, read_columns
from .footprints import Footprint, Memory, shared_footprint
from .healpix_io import declared, header_frame, read_map, write_map
from .healsparse_io import read_healsparse, write_healsparse
from .partial_sky import AVERAGES, PartialMap, partial_map
from .patches import patch_members, spatial_patches
from .pixels import check_nside, filled, parent_pixels, pixel_counts, usable
from .random_points import scatter_galaxies, uniform_randoms
from .regrid import galactic_to_equatorial, to_nside
