"""Telling the supervisor how things stand (sd_notify(3)): a datagram to the socket named by NOTIFY_SOCKET."""

from __future__ import annotations

import os
import socket
import time
from typing import Any


class Supervisor:
    """The supervisor that started this server, if it wants to be told. Master only. A lost message is not an
    error of the server's.
    """

    def __init__(self, log: Any) -> None:
        self._log = log
        self._address = os.environ.get("NOTIFY_SOCKET", "")
        #: The last message could not be delivered.
        self._is_deaf = False
        self._interval = _watchdog_interval()
        self._ping_at = 0.0

    def tell(self, *lines: str) -> None:
        """Send assignments such as READY=1."""
        if not self._address:
            return
        # A leading @ stands for Linux's abstract name space.
        path = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
                sock.sendto("\n".join(lines).encode(), path)
        except OSError as error:
            # Told once, tried again each time: a watchdog that hears nothing ends a healthy server.
            if not self._is_deaf:
                self._log.warning(
                    "Cannot notify the supervisor at NOTIFY_SOCKET=%s: %s", self._address, error
                )
            self._is_deaf = True
        else:
            self._is_deaf = False

    def ready(self, status: str) -> None:
        """Requests are served."""
        self.tell("READY=1", f"MAINPID={os.getpid()}", f"STATUS={status}")

    def reloading(self) -> None:
        """A reload has begun; `ready` ends it. systemd wants to know when, on the monotonic clock in
        microseconds.
        """
        self.tell("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """The server is on its way out."""
        self.tell("STOPPING=1")

    def main_pid(self, pid: int) -> None:
        """Another process is the master from now on."""
        self.tell(f"MAINPID={pid}")

    def ping(self, now: float) -> float:
        """Say that the main loop turns, if it is time; returns when it is time again."""
        if not self._interval:
            return float("inf")
        if now >= self._ping_at:
            self.tell("WATCHDOG=1")
            self._ping_at = now + self._interval
        return self._ping_at


def _watchdog_interval() -> float:
    """Seconds between two pings: half of what is granted (sd_watchdog_enabled(3)); 0: none wanted from this
    process.
    """
    granted, meant_for = os.environ.get("WATCHDOG_USEC", ""), os.environ.get("WATCHDOG_PID", "")
    if not granted.isdigit() or (meant_for and meant_for != str(os.getpid())):
        return 0.0
    return int(granted) / 2e6
