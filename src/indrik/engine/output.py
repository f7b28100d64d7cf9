"""What the kernel has not taken yet: bytes in memory up to a bound, then a temporary file, and files as they
are.

A slow reader is served from here while its worker goes on with others.
"""

from __future__ import annotations

import os
import tempfile
from collections import deque
from typing import BinaryIO

from indrik.engine.transport import WOULD_BLOCK, transmit

#: sendfile(2) is asked for this much at once.
_FILE_STEP = 1 << 20

#: One flush hands over this much at most, so that one fast reader of a large answer does not keep the loop.
_TURN = 4 << 20


class FileSegment:
    """`count` bytes of the open file `fd` from `offset` on. Owns the descriptor and closes it."""

    __slots__ = ("count", "fd", "offset")

    def __init__(self, fd: int, offset: int, count: int) -> None:
        self.fd = fd
        self.offset = offset
        self.count = count

    def close(self) -> None:
        """Closes the descriptor, once."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


class _Spool(FileSegment):
    """A temporary file that grows at its end while it is sent from its start."""

    __slots__ = ("file", "written")

    def __init__(self, file: BinaryIO) -> None:
        super().__init__(file.fileno(), 0, 0)
        self.file = file
        self.written = 0

    def append(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            written = os.pwrite(self.fd, view, self.offset + self.count)
            self.count += written
            self.written += written
            view = view[written:]

    def close(self) -> None:
        if self.fd >= 0:
            self.file.close()
            self.fd = -1


class OutputQueue:
    """The unsent rest of one connection's responses, in order.

    `memory` bounds the bytes held in memory; what comes beyond goes into a temporary file in `directory`.
    in_memory: bytes held in memory. spooled: size in bytes of the temporary files, sent part included,
    because a file gives its space back only when it is closed. taken: bytes that the kernel took so far.
    """

    __slots__ = ("_directory", "_items", "_memory", "_sent_of_first", "in_memory", "spooled", "taken")

    def __init__(self, memory: int, directory: str | None) -> None:
        self._items: deque[bytes | FileSegment] = deque()
        self._memory = memory
        self._directory = directory
        self._sent_of_first = 0
        self.in_memory = 0
        self.spooled = 0
        self.taken = 0

    def __bool__(self) -> bool:
        return bool(self._items)

    @property
    def pending(self) -> int:
        """Bytes that wait, in memory and in temporary files."""
        return self.in_memory - self._sent_of_first + sum(
            item.count for item in self._items if isinstance(item, FileSegment)
        )

    def push(self, data: bytes) -> None:
        """Queues `data`. Raises `OSError` when the temporary file cannot be written."""
        last = self._items[-1] if self._items else None
        if isinstance(last, _Spool):
            last.append(data)
            self.spooled += len(data)
        elif self.in_memory + len(data) <= self._memory:
            self._items.append(data)
            self.in_memory += len(data)
        else:
            spool = _Spool(
                tempfile.TemporaryFile(prefix="indrik-output-", dir=self._directory, buffering=0)  # noqa: SIM115
            )
            self._items.append(spool)
            spool.append(data)
            self.spooled += len(data)

    def push_file(self, segment: FileSegment) -> None:
        """Queues a piece of a file and takes the segment over."""
        if segment.count:
            self._items.append(segment)
        else:
            segment.close()

    def flush(self, fd: int) -> bool:
        """Sends what the kernel takes now; False when it takes no more, True when it might.

        Raises `OSError` when the connection broke or a file ended early.
        """
        taken = 0
        while self._items and taken < _TURN:
            first = self._items[0]
            if isinstance(first, bytes):
                count = transmit(fd, first, self._sent_of_first)
                if count == WOULD_BLOCK:
                    return False
                self._sent_of_first += count
                if self._sent_of_first >= len(first):
                    self._items.popleft()
                    self.in_memory -= len(first)
                    self._sent_of_first = 0
            else:
                count = self._send_file(fd, first)
                if count == WOULD_BLOCK:
                    return False
            taken += count
            self.taken += count
        return True

    def _send_file(self, fd: int, segment: FileSegment) -> int:
        try:
            count = os.sendfile(fd, segment.fd, segment.offset, min(segment.count, _FILE_STEP))
        except BlockingIOError:
            return WOULD_BLOCK
        if count == 0:
            raise OSError("a file that was being sent became shorter than its announced length")
        segment.offset += count
        segment.count -= count
        if segment.count == 0:
            self._items.popleft()
            if isinstance(segment, _Spool):
                self.spooled -= segment.written
            segment.close()
        return count

    def clear(self) -> None:
        """Drops everything and closes the files."""
        for item in self._items:
            if isinstance(item, FileSegment):
                item.close()
        self._items.clear()
        self.in_memory = self.spooled = 0
