"""Werkzeug's debugger, which runs any code for whoever reaches it: where it may be, and how it is there."""

from __future__ import annotations

import ipaddress
import logging
import os
from typing import Any

from werkzeug.debug import DebuggedApplication

from indrik.config import Config

#: There is one if the listening sockets come from a supervisor or an older master, whatever `bind` says.
_INHERITED = ("LISTEN_FDS", "INDRIK_FD")


def forbids_debugger(cfg: Config) -> str | None:
    """Why the debugger stays off with this configuration, None if it may be on."""
    if any(name in os.environ for name in _INHERITED) or not all(map(is_local, cfg.address)):
        return (
            "Werkzeug's debugger is off: it runs any code for whoever reaches it, and the server listens on "
            "more than loopback addresses and unix sockets"
        )
    if cfg.workers != 1:
        return "Werkzeug's debugger is off: it needs the process in which the error was, and workers is not 1"
    return None


def with_debugger(application: Any, evalex: bool = True) -> Any:
    """`application` behind the debugger, whose PIN goes to the error log. `evalex`: whether it runs code."""
    # Werkzeug itself would write the PIN only where its own reloader runs.
    debugged = DebuggedApplication(application, evalex=evalex, pin_logging=False)
    if evalex and debugged.pin is not None:
        logging.getLogger("indrik.error").info("Debugger PIN: %s", debugged.pin)
    return debugged


def is_local(address: Any) -> bool:
    """Whether only this machine can connect to it: a unix socket or a loopback address."""
    if isinstance(address, str):
        return True
    if not isinstance(address, tuple):
        return False  # the number of a descriptor says nothing
    host = address[0]
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return bool(host == "localhost")
