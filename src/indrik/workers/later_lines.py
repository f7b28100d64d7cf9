"""Lines for the log that are made where nobody may wait for it: with the engine's ownership held."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

#: So many lines wait at most. Whoever makes one more writes them all, so that a log that nobody reads does
#: not fill the memory.
_MOST = 1000


class LaterLines:
    """Calls that write lines, in their order, until `write_all` makes them. Any thread.

    on_first: called by whoever makes the first that waits.
    """

    def __init__(self, on_first: Callable[[], None]) -> None:
        self._on_first = on_first
        self._calls: deque[tuple[Any, ...]] = deque()

    def put(self, write: Callable[..., None], *arguments: Any) -> None:
        """Has `write` called with `arguments`."""
        self._calls.append((write, *arguments))
        if len(self._calls) == 1:
            self._on_first()
        elif len(self._calls) > _MOST:
            self.write_all()

    def write_all(self) -> None:
        """Writes what waits. May wait for the log."""
        while True:
            try:
                write, *arguments = self._calls.popleft()
            except IndexError:
                # Another thread may have taken the last.
                return
            write(*arguments)
