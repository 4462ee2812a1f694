"""Weights of objects, their files and their maps: columns, headers, checks and draws.

The files of a sample, whole or in parts with fits of their own, are written from the results of these fits, which know
their footprint and templates; ``writing`` says which columns to use.  Weights of pixels come with a result of
``methods``; what they do to a correlation function is in ``correction``.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
