"""Log lines for refused requests, few enough that an attack cannot fill the disk or slow the worker down."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol

from indrik.log.escape import escape

#: Lines per second and kind: enough to see who and what, and a second's worth is still readable.
LINES_PER_SECOND = 5
#: Kinds counted apart; beyond that they share one count, so that a kind made from input cannot grow the
#: table.
MOST_KINDS = 64
_OTHER = "other"


class Warned(Protocol):
    def warning(self, msg: Any, *args: Any) -> None: ...


class _Count:
    __slots__ = ("second", "suppressed", "written")

    def __init__(self) -> None:
        self.second = -1
        self.written = 0
        self.suppressed = 0


class RefusalLog:
    """Worker only. At most `lines_per_second` warnings a second for each kind, then one line with how many
    were not.

    The summary of a kind is written by the next refusal of it in a later second, or by `flush`, which
    the worker calls from its timer and once before it exits."""

    def __init__(
        self,
        log: Warned,
        lines_per_second: int = LINES_PER_SECOND,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._log = log
        self._limit = lines_per_second
        self._clock = clock
        self._counts: dict[str, _Count] = {}
        #: Whether `flush` has something to say: cheap to ask in a loop.
        self.has_suppressed = False

    def refused(self, kind: str, addr: object, message: str) -> None:
        """One refusal of `kind` (a short name of the reason) from `addr`. `message` may hold bytes of the
        client."""
        second = int(self._clock())
        count = self._counts.get(kind)
        if count is None:
            if len(self._counts) >= MOST_KINDS:
                kind = _OTHER
            count = self._counts.setdefault(kind, _Count())
        if count.second != second:
            self._summarize(kind, count)
            count.second = second
            count.written = 0
        if count.written < self._limit:
            count.written += 1
            self._log.warning(
                "Invalid request from ip=%s: %s (%s)", _host(addr), escape(message), escape(kind)
            )
        else:
            count.suppressed += 1
            self.has_suppressed = True

    def flush(self, final: bool = False) -> None:
        """Write the summaries of seconds that are over; with `final`, all of them."""
        if not self.has_suppressed:
            return
        second = int(self._clock())
        # A copy: another thread may add a kind.
        for kind, count in list(self._counts.items()):
            if final or count.second != second:
                self._summarize(kind, count)
        self.has_suppressed = any(count.suppressed for count in list(self._counts.values()))

    def _summarize(self, kind: str, count: _Count) -> None:
        if count.suppressed:
            self._log.warning("Invalid requests not logged: %d more (%s)", count.suppressed, escape(kind))
            count.suppressed = 0


def _host(addr: object) -> str:
    """The host of a socket address; a unix peer has none."""
    if isinstance(addr, tuple) and addr:
        addr = addr[0]
    return escape(str(addr)) if addr else "unix"
