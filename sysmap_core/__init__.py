"""Systematics in galaxy clustering, from templates of observing conditions to corrected two-point functions.

Names are imported when they are first used, so that importing the package costs nothing to
programs that need only a part of it.  The rooms and what lives in them: CONTRIBUTING, "The house".
"""

import importlib.metadata

import lazy_loader

__version__ = importlib.metadata.version("sysmap-core")
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
