"""The array interface of the package sys_mapping, thin faces of the other rooms.

No mathematics of its own.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
