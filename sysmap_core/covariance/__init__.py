"""What clustering does to errors: the spectrum of a sample, estimated from it, and the covariance of amplitudes
that follows.

Realisations live in ``mocks``, methods in ``methods``.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
