"""Start the servers that have no command line of their own: python -m bench.launch SERVER MODULE:VAR HOST
PORT [NAME=NUMBER]...
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from typing import Any

Application = Callable[..., Any]
Settings = Mapping[str, int]


def run_bjoern(app: Application, host: str, port: int, settings: Settings) -> None:
    """bjoern as its README runs it. SystemExit for settings: it has nothing to tune at run time."""
    if settings:
        raise SystemExit("bjoern has no settings")
    import bjoern  # type: ignore[import-not-found, unused-ignore]

    bjoern.run(app, host, port)


def run_fastpysgi(app: Application, host: str, port: int, settings: Settings) -> None:
    """fastpysgi with TCP_NODELAY, which its authors leave off, no log beyond errors, and attributes of its
    `server` as they are set.
    """
    import fastpysgi  # type: ignore[import-not-found, unused-ignore]

    fastpysgi.server.tcp_nodelay = 1
    for name, value in settings.items():
        setattr(fastpysgi.server, name, value)
    fastpysgi.run(app, host, port, loglevel=fastpysgi.LL_ERROR)


LAUNCHERS: dict[str, Callable[[Application, str, int, Settings], None]] = {
    "bjoern": run_bjoern,
    "fastpysgi": run_fastpysgi,
}


def main(argv: list[str]) -> None:
    """Serve until a signal ends the process."""
    if len(argv) < 4 or argv[0] not in LAUNCHERS:
        names = ",".join(LAUNCHERS)
        raise SystemExit(f"usage: python -m bench.launch {{{names}}} MODULE:VAR HOST PORT [NAME=NUMBER]...")
    server, target, host, port = argv[:4]
    settings = {name: int(value) for name, _, value in (word.partition("=") for word in argv[4:])}
    module, _, variable = target.partition(":")
    app = getattr(importlib.import_module(module), variable)
    LAUNCHERS[server](app, host, int(port), settings)


if __name__ == "__main__":
    main(sys.argv[1:])
