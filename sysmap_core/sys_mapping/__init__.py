"""The array interface of the package sys_mapping, thin faces of the other rooms.

No mathematics of its own.  Modules are named as those of that package, so ``sysmap_core.sys_mapping`` and everything
in it can be imported where ``sys_mapping`` was; the page "Coming from sys_mapping" of the book says what differs.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
