"""Systematics in galaxy clustering, from templates of observing conditions to corrected two-point functions.

Names are imported when they are first used, so that importing the package costs nothing to
programs that need only a part of it.
"""

import importlib.metadata
import pkgutil

import lazy_loader

_PUBLIC = {
    "errors": ["DataError", "MissingDataError", "ParameterError", "SysmapError", "unknown_name"],
    "sky": ["Field", "check_nside", "footprint", "overdensity", "pixel_counts"],
    "templates": ["TemplateSet", "standardise"],
}
"""Names that can be imported from the package itself, by module."""

_MODULES = [module.name for module in pkgutil.iter_modules(__path__)]

__version__ = importlib.metadata.version("sysmap-core")
__getattr__, __dir__, __all__ = lazy_loader.attach(__name__, submodules=_MODULES, submod_attrs=_PUBLIC)
