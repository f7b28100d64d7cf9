"""`reuse_port`: every seat has TCP listeners of its own, and the master keeps them all.

A worker has the listeners of its seat. Because the master holds them too, nothing that the kernel has queued
for a worker is lost with it: its successor takes the same seat. A seat that is given up is first closed to
new connections (see `steering`), then its worker serves what is queued, and only then its listeners are
closed. Unix sockets cannot be multiplied and are shared.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from indrik.net.listeners import Listener, open_sibling
from indrik.net.steering import steer


class Seating:
    """The listeners of all seats. Those of seat 0 are the generation's own. Master only."""

    def __init__(self) -> None:
        #: Listener of seat 0 -> the listeners of seats 0, 1, 2...
        self._groups: dict[Listener, list[Listener]] = {}
        self._in_service: dict[Listener, int] = {}

    def listeners_for(self, base: Sequence[Listener], seat: int, cfg: Any) -> list[Listener]:
        """The listeners of `seat`, opened if they are not yet. Raises OSError, and then there is none for
        that seat.
        """
        if not cfg.reuse_port:
            return list(base)
        return [
            listener if listener.is_unix else self._sibling(listener, seat, cfg.backlog) for listener in base
        ]

    def _sibling(self, listener: Listener, seat: int, backlog: int) -> Listener:
        group = self._groups.setdefault(listener, [listener])
        while len(group) <= seat:
            group.append(open_sibling(listener, backlog, len(group)))
            # A newcomer gets nothing before its worker is ready.
            steer(listener.sock, self._in_service.get(listener, len(group) - 1))
        return group[seat]

    def register(self, listener: Listener, siblings: Sequence[Listener]) -> None:
        """Listeners of further seats that were inherited."""
        if siblings:
            self._groups[listener] = [listener, *sorted(siblings, key=lambda one: one.seat)]

    def family(self, listener: Listener) -> list[Listener]:
        """A listener of seat 0 with its siblings."""
        return self._groups.get(listener, [listener])

    def serve(self, ready: Iterable[int], held: Iterable[int], wanted: int) -> None:
        """Give new connections to the seats from 0 up that have a ready worker; close wanted-no-more seats
        that nobody holds.
        """
        has_ready, is_held = set(ready), set(held)
        count = 0
        while count in has_ready and count < wanted:
            count += 1
        for listener, group in self._groups.items():
            if count and self._in_service.get(listener) != count:
                self._in_service[listener] = count
                steer(listener.sock, count)
            # From the end only: the kernel fills a gap with the last of the group, and the order would be
            # lost.
            while len(group) > max(1, wanted) and len(group) - 1 not in is_held:
                group.pop().close(unlink=False)

    def close(self, listener: Listener, unlink: bool) -> None:
        """Close a listener with its siblings."""
        for one in self._groups.pop(listener, [listener]):
            one.close(unlink=unlink)
        self._in_service.pop(listener, None)
