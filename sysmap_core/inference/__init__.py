"""Models of contamination, likelihoods of independent pixels, their maxima and posteriors.

What clustering does to their errors is the business of ``covariance``.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
