"""indrik: a pre-fork application server for Python web applications.

Importing this package must stay cheap (no submodule is loaded here), because workers, tools and the
build read `__version__` from it.
"""

from __future__ import annotations

__version__ = "0.1.0"
__all__ = ["__version__"]
