"""How the master calls the hooks of the configuration.

`sys.exit()` in a hook is the end of the master, in order and with that status: it becomes HaltServer, which
names the hook. In a process that a hook has forked it is that process's own.
"""

from __future__ import annotations

import os
from typing import Any

from indrik.arbiter.offspring import status_of
from indrik.errors import HaltServer


def call(server: Any, cfg: Any, name: str, *arguments: Any) -> None:
    """Call the hook `name` of `cfg`. Master only. Raises HaltServer for `sys.exit()`, or what it raises."""
    try:
        getattr(cfg, name)(*arguments)
    except SystemExit as stop:
        if os.getpid() != server.pid:
            raise
        raise HaltServer(f"hook {name} called exit({stop.code})", status_of(stop)) from stop
    except KeyboardInterrupt:
        if os.getpid() == server.pid:
            server.log.error("KeyboardInterrupt in hook %s", name)
        raise
