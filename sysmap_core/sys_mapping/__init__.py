"""The array interface of the package sys_mapping, for those who change one import.

Functions take and return plain arrays and dictionaries, templates first, then pixels.  They are thin faces of the
other rooms, without a mathematics of their own; modules are named as those of that package, so that
``sysmap_core.sys_mapping`` and everything in it can be imported where ``sys_mapping`` was.  Where the original was
wrong they do the right thing and say so; the page "Coming from sys_mapping" of the book says what differs.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
