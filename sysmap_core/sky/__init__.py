"""Pixels, fields and positions on the sky, and the files that carry maps and catalogues.

What a map means, whether it is a template or a tracer, is for the rooms above.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
