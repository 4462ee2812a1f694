"""Whether a contamination is real, which templates matter, and whether correcting helps.

Every probability here knows that galaxies cluster: it comes from covariances or realisations of the sample itself.
What errors an estimate has is decided below, in ``methods``; what is done about a contamination stands beside, in
``weights`` and ``correction``.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
