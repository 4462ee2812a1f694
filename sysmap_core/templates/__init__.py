"""Maps of observing conditions, ready for a fit: read from folders, built from raw tables, synthetic, standardised
on a footprint.

Nothing here knows a galaxy.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
