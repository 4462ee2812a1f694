"""Correlation functions and band powers, measured: bins, pairs, engines, patches and files.

What contamination does to them is undone in ``correction``.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
