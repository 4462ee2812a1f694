__all__ = [
    "RESULTS",
    "output_folder",
    "parameters",
    "provenance",
    "timed",
]

from . import parameters
from .origins import provenance, timed
from .output import RESULTS, output_folder
