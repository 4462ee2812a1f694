"""Galaxy samples by name, real or simulated, with their catalogues, coverage and template maps.

A sample knows where each of its parts comes from and says so on every page.  Nothing is fitted here, and mocks that
stand for no sample live in ``mocks``.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
