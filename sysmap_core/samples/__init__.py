"""Galaxy samples by name, real or simulated, with their catalogues, coverage and template maps.

Nothing is fitted here.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
