"""Fields, catalogues and whole suites of surveys with known truth.

Stand-ins of real samples live in ``samples``, contamination of catalogues in ``validation``.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
