"""Spherical harmonics on a cut sky: transforms limited to a footprint, spectra, what a mask does to them, and
products with pixel covariances.

It measures nothing on a sample.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
