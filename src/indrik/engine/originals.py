"""What gevent replaces in the standard library, as it was before.

The engine's own calls must neither wait for a hub nor switch greenlets. Modules that need one of these take
it from here when they are imported, which may be after the patching.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any


def original(module: ModuleType, name: str) -> Any:
    """`module`'s `name` as Python made it. Raises `AttributeError` when there never was one."""
    # gevent itself is never imported here: where it is not loaded, nothing is replaced.
    monkey: Any = sys.modules.get("gevent.monkey")
    if monkey is None:
        return getattr(module, name)
    return monkey.get_original(module.__name__, name)
