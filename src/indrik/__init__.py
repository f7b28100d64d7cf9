"""indrik: a pre-fork application server for Python web applications.

`run`, `serve` and `Server` serve an application from a program of one's own; they are in `indrik.embedding`.

Importing this package must stay cheap (no submodule is loaded here until one of these names is asked for),
because workers, tools and the build read `__version__` from it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from indrik.embedding.command import run as run
    from indrik.embedding.server import Server as Server
    from indrik.embedding.server import serve as serve

__version__ = "0.1.0"
__all__ = ["__version__", "run", "serve", "Server"]

_HOMES = {
    "run": "indrik.embedding.command",
    "serve": "indrik.embedding.server",
    "Server": "indrik.embedding.server",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'indrik' has no attribute {name!r}")
