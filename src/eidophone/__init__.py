"""Eidophone: pictures that play, and pictures of sounds.

The public names stand in `__init__.pyi`, once; each is imported when it is used, so that importing the package
costs nothing.

>>> import eidophone
>>> eidophone.compose  # doctest: +ELLIPSIS
<function compose at ...>
"""

import lazy_loader

from eidophone._threads import let_threads_sleep
from eidophone.version import VERSION

let_threads_sleep()

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
__version__ = VERSION
