"""Whole analyses that need fits, diagnostics and corrections at once: a sample from its files to its weights, and cuts
with a new fit after each of them.

What an analysis is made of lies in the rooms below.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
