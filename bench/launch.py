"""Start the servers that have no command line of their own: python -m bench.launch SERVER MODULE:VAR HOST
PORT.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from typing import Any

Application = Callable[..., Any]


def run_bjoern(app: Application, host: str, port: int) -> None:
    """bjoern as its README runs it; it has nothing to tune at run time."""
    import bjoern  # type: ignore[import-not-found, unused-ignore]

    bjoern.run(app, host, port)


def run_fastpysgi(app: Application, host: str, port: int) -> None:
    """fastpysgi with TCP_NODELAY, which its authors leave off, and no log beyond errors."""
    import fastpysgi  # type: ignore[import-not-found, unused-ignore]

    fastpysgi.server.tcp_nodelay = 1
    fastpysgi.run(app, host, port, loglevel=fastpysgi.LL_ERROR)


LAUNCHERS: dict[str, Callable[[Application, str, int], None]] = {
    "bjoern": run_bjoern,
    "fastpysgi": run_fastpysgi,
}


def main(argv: list[str]) -> None:
    """Serve until a signal ends the process."""
    if len(argv) != 4 or argv[0] not in LAUNCHERS:
        raise SystemExit(f"usage: python -m bench.launch {{{','.join(LAUNCHERS)}}} MODULE:VAR HOST PORT")
    server, target, host, port = argv
    module, _, variable = target.partition(":")
    app = getattr(importlib.import_module(module), variable)
    LAUNCHERS[server](app, host, int(port))


if __name__ == "__main__":
    main(sys.argv[1:])
