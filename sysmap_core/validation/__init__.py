"""Closed loops with known truth: contamination injected into catalogues, intervals checked against their coverage,
and surveys that share nothing with the methods that are compared on them.

What is drawn comes from ``mocks``.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
