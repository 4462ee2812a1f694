"""Whether a contamination is real, which templates matter, and whether correcting helps.

Every probability knows that galaxies cluster.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
