"""Weights of objects and their files: columns, headers, checks and draws.

The files of a sample are written from the results of its fits, which know their footprint and templates.  Weights of
pixels come with a result of ``methods``; what they do to a correlation function is in ``correction``.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
