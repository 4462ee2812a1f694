__all__ = [
    "CATALOGUE_CHOICES",
    "WeightTable",
    "at_positions",
    "check",
    "column",
    "draw_amplitudes",
    "draw_weights",
    "header_cards",
    "measure_catalogues",
    "position_checksum",
    "read_params",
    "read_weights",
    "recommendation",
    "recommended",
    "template_checksums",
    "write_all",
    "write_params",
    "write_random_weights",
    "write_table",
    "write_weight_draws",
    "write_weights",
]

from .checks import check
from .columns import at_positions, column, recommendation, recommended
from .draws import draw_amplitudes, draw_weights, write_weight_draws
from .files import WeightTable, position_checksum, read_params, read_weights, write_params, write_table
from .measured import CATALOGUE_CHOICES, measure_catalogues
from .writing import header_cards, template_checksums, write_all, write_random_weights, write_weights
