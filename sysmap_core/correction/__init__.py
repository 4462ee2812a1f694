"""What contamination does to two-point functions, undone: correlations of templates, debiased corrections with
their covariance, and what is left in the clustering amplitude.

Measuring them is the business of ``two_point``.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
