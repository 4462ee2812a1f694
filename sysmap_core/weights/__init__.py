"""Weights of objects and their files: columns, headers, checks and draws.

Weights of pixels come with a result of ``methods``.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
