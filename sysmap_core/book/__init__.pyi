__all__ = [
    "RESULTS",
    "output_folder",
    "parameters",
    "provenance",
]

from . import parameters
from .origins import provenance
from .output import RESULTS, output_folder
