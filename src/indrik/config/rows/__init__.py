"""The table of settings, one module for each group. A new setting is one row in one of them."""

from __future__ import annotations

from indrik.config.rows import (
    debugging,
    http2,
    limits,
    logs,
    mechanics,
    origin,
    proxies,
    routes,
    server_hooks,
    tls,
    worker_processes,
)
from indrik.config.setting import Setting

#: Every setting, in the order of `--help` and of the reference page.
ROWS: tuple[Setting, ...] = (
    *origin.ROWS,
    *worker_processes.ROWS,
    *limits.ROWS,
    *routes.ROWS,
    *mechanics.ROWS,
    *proxies.ROWS,
    *logs.ROWS,
    *debugging.ROWS,
    *server_hooks.ROWS,
    *tls.ROWS,
    *http2.ROWS,
)

BY_NAME: dict[str, Setting] = {row.name: row for row in ROWS}

__all__ = ["BY_NAME", "ROWS"]
