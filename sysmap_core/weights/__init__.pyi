__all__ = [
    "CATALOGUE_CHOICES",
    "READ_ME",
    "FittedPart",
    "WeightMap",
    "WeightTable",
    "alone",
    "apply_weights",
    "at_positions",
    "check",
    "check_pair",
    "column",
    "draw_amplitudes",
    "draw_weights",
    "fitted_parts",
    "header_cards",
    "measure_catalogues",
    "on_footprint",
    "part_table",
    "position_checksum",
    "random_column",
    "read_params",
    "read_weight_maps",
    "read_weights",
    "recommendation",
    "recommended",
    "template_checksums",
    "weight_errors",
    "weight_table",
    "write_all",
    "write_params",
    "write_table",
    "write_weight_draws",
    "write_weight_maps",
]

from .applied import apply_weights
from .checks import check
from .columns import alone, at_positions, column, on_footprint, random_column, recommendation, recommended
from .draws import draw_amplitudes, draw_weights, write_weight_draws
from .files import WeightTable, position_checksum, read_params, read_weights, write_params, write_table
from .header import READ_ME, header_cards, template_checksums
from .maps import WeightMap, read_weight_maps, write_weight_maps
from .measured import CATALOGUE_CHOICES, measure_catalogues
from .memberships import check_pair
from .parts import FittedPart, fitted_parts, part_table, weight_errors
from .rows import weight_table
from .writing import write_all
