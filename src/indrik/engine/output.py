"""What the kernel has not taken yet: bytes in memory up to a bound, then a temporary file, and files as they
are.

A slow reader is served from here while its worker goes on with others.
"""

from __future__ import annotations

import os
from collections import deque
from typing import BinaryIO

from indrik.engine.backlog import OBJECT, Backlog, Pieces
from indrik.engine.transport import WOULD_BLOCK, close_descriptor

#: sendfile(2) is asked for this much at once.
_FILE_STEP = 1 << 20

#: One step of writing into a temporary file: a tenth of a millisecond, or some of them when the disk is busy.
_SPOOL_STEP = 1 << 18

#: One flush hands over this much at most, so that one fast reader of a large answer does not keep the loop.
_TURN = 4 << 20


class FileSegment:
    """`count` bytes of the open file `fd` from `offset` on. Closes the descriptor if it owns that: of several
    that are sent behind one another out of one descriptor, the last does.
    """

    __slots__ = ("count", "fd", "offset", "owns")

    def __init__(self, fd: int, offset: int, count: int, owns: bool = True) -> None:
        self.fd = fd
        self.offset = offset
        self.count = count
        self.owns = owns

    def transmit(self, fd: int) -> int:
        """Sends what the kernel takes of it; how many bytes, or `WOULD_BLOCK`.

        Raises `OSError` when the connection broke or the file ended early.
        """
        try:
            count = os.sendfile(fd, self.fd, self.offset, min(self.count, _FILE_STEP))
        except BlockingIOError:
            return WOULD_BLOCK
        if count == 0:
            raise OSError("a file that was being sent became shorter than its announced length")
        self.offset += count
        self.count -= count
        return count

    def close(self) -> None:
        """Closes the descriptor, once."""
        if self.fd >= 0 and self.owns:
            close_descriptor(self.fd)
        self.fd = -1


class _Spool(FileSegment):
    """A temporary file that grows at its end while it is sent from its start, and what is not in it yet.

    The file is made by the first write: a reader that is quick enough never needs it. pieces: behind the
    bytes in the file. written: size of the file in bytes.
    """

    __slots__ = ("_directory", "_file", "pieces", "written")

    def __init__(self, directory: str | None, backlog: Backlog) -> None:
        super().__init__(-1, 0, 0)
        self._directory = directory
        self._file: BinaryIO | None = None
        self.pieces = Pieces(backlog)
        self.written = 0

    def write_some(self) -> None:
        """Moves a step from memory into the file. Raises `OSError` when it cannot be written."""
        if self._file is None:
            import tempfile  # late: see engine.body

            self._file = tempfile.TemporaryFile(  # noqa: SIM115
                prefix="indrik-output-", dir=self._directory, buffering=0
            )
            self.fd = self._file.fileno()
        data, start = self.pieces.first()
        count = os.pwrite(self.fd, memoryview(data)[start : start + _SPOOL_STEP], self.offset + self.count)
        self.count += count
        self.written += count
        self.pieces.consume(count)

    def transmit(self, fd: int) -> int:
        return super().transmit(fd) if self.count else self.pieces.transmit(fd)

    def is_sent(self) -> bool:
        return not self.count and not self.pieces

    def close(self) -> None:
        self.pieces.clear()
        self.fd = -1
        if self._file is not None:
            self._file.close()
            self._file = None


class OutputQueue:
    """The unsent rest of one connection's responses, in order.

    `memory` bounds the bytes held in memory, objects included; what comes beyond goes into a temporary file
    in `directory`, by way of `backlog`, which is shared and has a bound of its own. in_memory: bytes held in
    memory without the backlog's. spooled: bytes in temporary files or on their way there; what was sent from
    a file still counts, because a file gives its space back only when it is closed. taken: bytes that the
    kernel took so far.
    """

    __slots__ = ("_backlog", "_directory", "_items", "_memory", "in_memory", "spooled", "taken")

    def __init__(self, memory: int, directory: str | None, backlog: Backlog) -> None:
        self._items: deque[Pieces | FileSegment] = deque()
        self._memory = memory
        self._directory = directory
        self._backlog = backlog
        self.in_memory = 0
        self.spooled = 0
        self.taken = 0

    def __bool__(self) -> bool:
        return bool(self._items)

    @property
    def pending(self) -> int:
        """Bytes that wait, in memory (objects included) and in files."""
        in_files = sum(item.count for item in self._items if isinstance(item, FileSegment))
        on_their_way = sum(item.pieces.cost for item in self._items if isinstance(item, _Spool))
        return self.in_memory + in_files + on_their_way

    def push(self, data: bytes, start: int = 0) -> None:
        """Queues `data[start:]`. Raises `OSError` when the temporary file cannot be written."""
        if start and (self._items or len(data) - start < start):
            # For a small rest, the whole is not kept.
            data = data[start:]
            start = 0
        last = self._items[-1] if self._items else None
        if isinstance(last, _Spool):
            self._spool(last, data, start)
        elif self.in_memory + len(data) + OBJECT <= self._memory:
            if not isinstance(last, Pieces):
                last = Pieces()
                self._items.append(last)
            before = last.cost
            last.append(data, start)
            self.in_memory += last.cost - before
        else:
            last = _Spool(self._directory, self._backlog)
            self._items.append(last)
            self._spool(last, data, start)

    def _spool(self, spool: _Spool, data: bytes, start: int) -> None:
        spool.pieces.append(data, start)
        self.spooled += len(data) - start
        if self._backlog.is_full():
            while spool.pieces:
                spool.write_some()

    def push_file(self, segment: FileSegment) -> None:
        """Queues a piece of a file and takes the segment over."""
        if segment.count:
            self._items.append(segment)
        else:
            segment.close()

    def is_behind(self) -> bool:
        """Whether something is still in memory that belongs into a temporary file."""
        return self._behind() is not None

    def write_some(self) -> None:
        """Moves one step from memory into the temporary file. Raises `OSError` when it cannot be written."""
        spool = self._behind()
        if spool is not None:
            spool.write_some()

    def _behind(self) -> _Spool | None:
        # Two or three items at most: pieces, what an application gave as a file, pieces and a spool again.
        for item in self._items:
            if isinstance(item, _Spool) and item.pieces:
                return item
        return None

    def flush(self, fd: int) -> bool:
        """Sends what the kernel takes now; False when it takes no more, True when it might.

        Raises `OSError` when the connection broke or a file ended early.
        """
        taken = 0
        while self._items and taken < _TURN:
            first = self._items[0]
            if isinstance(first, Pieces):
                before = first.cost
                count = first.transmit(fd)
                self.in_memory += first.cost - before
                is_done = not first
            elif isinstance(first, _Spool):
                is_in_memory = not first.count
                count = first.transmit(fd)
                if is_in_memory and count > 0:
                    self.spooled -= count
                is_done = first.is_sent()
            else:
                count = first.transmit(fd)
                is_done = not first.count
            if count == WOULD_BLOCK:
                return False
            if is_done:
                self._drop_first()
            taken += count
            self.taken += count
        return True

    def _drop_first(self) -> None:
        item = self._items.popleft()
        if isinstance(item, FileSegment):
            if isinstance(item, _Spool):
                self.spooled -= item.written
            item.close()

    def clear(self) -> None:
        """Drops everything and closes the files."""
        for item in self._items:
            if isinstance(item, FileSegment):
                item.close()
        self._items.clear()
        self.in_memory = self.spooled = 0
