"""Bytes in memory: the pieces of a response that wait, and what all of them that are on their way into
temporary files hold together.

Writing ten megabytes takes the kernel some milliseconds. The loop does it piece by piece between its turns,
so that nobody waits for the large responses of others.
"""

from __future__ import annotations

from collections import deque
from typing import Protocol

from indrik.engine.transport import transmit

#: Bytes that one worker holds for temporary files that are not written yet. What comes beyond is written at
#: once, which bounds the memory and no longer the time.
MOST_HELD = 64 << 20

#: Pieces shorter than this are copied into one buffer with their neighbours, up to so many bytes: the objects
#: around six bytes of text cost ten times as much as the text, and each would take a call to the kernel.
_SHORT = 4096
_JOINED = 65536

#: Bytes that a piece costs beside its own: the object's header, its place in a queue, rounding by the
#: allocator.
OBJECT = 64


class Spooler(Protocol):
    """A connection that has something to write into its temporary file."""

    def spool(self) -> bool:
        """Writes a step; whether there is more."""


class Backlog:
    """What the connections of one worker hold for their temporary files. Engine thread only.

    held: bytes of memory. An object that several connections hold (an application may give the same bytes
    to everybody) is counted once, for it is there once. waiting: whose turn it is to write.
    """

    __slots__ = ("_holders", "_most", "held", "waiting")

    def __init__(self, most: int = MOST_HELD) -> None:
        self._most = most
        # By identity; an object that is held keeps its id.
        self._holders: dict[int, int] = {}
        self.held = 0
        self.waiting: deque[Spooler] = deque()

    def is_full(self) -> bool:
        """Whether so much is held that it must be written before anything else is done."""
        return self.held > self._most

    def hold(self, data: bytes) -> None:
        """Somebody keeps `data`."""
        holders = self._holders.get(id(data), 0)
        self._holders[id(data)] = holders + 1
        if not holders:
            self.held += len(data)

    def drop(self, data: bytes) -> bool:
        """Somebody who kept `data` does so no longer; False if nobody has said that he did."""
        holders = self._holders.pop(id(data), 0)
        if holders > 1:
            self._holders[id(data)] = holders - 1
        elif holders:
            self.held -= len(data)
        return holders > 0

    def write_some(self) -> bool:
        """Lets the first that waits write a step; whether anybody waits then."""
        if self.waiting and not self.waiting[0].spool():
            self.waiting.popleft()
        return bool(self.waiting)


class Pieces:
    """Bytes in memory that are sent or written in order.

    cost: bytes of memory that they take, objects included. A `backlog` is told of them.
    """

    __slots__ = ("_backlog", "_items", "_start", "cost")

    def __init__(self, backlog: Backlog | None = None) -> None:
        # Only the last one may be a bytearray: it has up to an eighth of its size in reserve.
        self._items: deque[bytes | bytearray] = deque()
        self._start = 0
        self._backlog = backlog
        self.cost = 0

    def __bool__(self) -> bool:
        return bool(self._items)

    def append(self, data: bytes, start: int) -> None:
        """Takes `data[start:]`; only the first piece may be a part."""
        if len(data) < _SHORT:
            self._join(data[start:] if start else data)
            return
        self._push(data)
        if start:
            self._start = start
        if self._backlog is not None:
            self._backlog.hold(data)

    def _join(self, data: bytes) -> None:
        last = self._items[-1] if self._items else None
        if isinstance(last, bytearray) and len(last) < _JOINED:
            last += data
            self.cost += len(data)
        else:
            self._push(bytearray(data))
        if self._backlog is not None:
            self._backlog.held += len(data)

    def _push(self, item: bytes | bytearray) -> None:
        if self._items and isinstance(self._items[-1], bytearray):
            self._items[-1] = bytes(self._items[-1])
        self._items.append(item)
        self.cost += len(item) + OBJECT

    def first(self) -> tuple[bytes, int]:
        """The piece that is due, and where what is left of it begins."""
        item = self._items[0]
        if isinstance(item, bytearray):
            self._items[0] = item = bytes(item)
        return item, self._start

    def consume(self, count: int) -> None:
        """Lets go of `count` bytes, none of them behind the piece that is due."""
        self._start += count
        if self._start >= len(self._items[0]):
            self._forget(self._items.popleft())
            self._start = 0

    def _forget(self, item: bytes | bytearray) -> None:
        self.cost -= len(item) + OBJECT
        if self._backlog is not None and not (isinstance(item, bytes) and self._backlog.drop(item)):
            self._backlog.held -= len(item)

    def transmit(self, fd: int) -> int:
        """Sends of the piece that is due what the kernel takes; how many bytes, or `WOULD_BLOCK`.

        Raises `OSError` when the connection broke.
        """
        data, start = self.first()
        count = transmit(fd, data, start)
        if count > 0:
            self.consume(count)
        return count

    def clear(self) -> None:
        """Lets go of everything."""
        while self._items:
            self._forget(self._items.popleft())
        self._start = 0
