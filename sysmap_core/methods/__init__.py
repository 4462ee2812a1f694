"""The table of methods, the estimators behind it, and the one door to all of them.

A method is one row; its errors come from ``covariance`` and from realisations.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
