"""Closed loops with known truth: contamination injected into catalogues, and intervals checked against their
coverage.

What is drawn comes from ``mocks``.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
