"""A request body on its way in: in memory up to a bound, then in a temporary file.

WSGI reads its input synchronously, so the whole body is here before the application is called and no client,
however slow, holds a worker.
"""

from __future__ import annotations

import contextlib
import io
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    import cython
else:
    from indrik import uncompiled as cython

from indrik.protocol.chunked import ChunkedDecoder
from indrik.protocol.refusals import BodyNotStored, ContentTooLarge

#: So many bodies of the greatest size that is kept in memory are there at once.
_BODIES = 64

#: What each body may keep in memory at any rate, if that is not more than one may at all: no temporary file
#: for a small one.
_ALWAYS = 65536


class _NoBody(io.BytesIO):
    """The body of every request without one. One serves all, so nobody can close it or write to it."""

    def close(self) -> None:
        pass

    def writable(self) -> bool:
        return False

    def write(self, data: object, /) -> int:
        raise io.UnsupportedOperation("a request body cannot be written to")

    def writelines(self, lines: object, /) -> None:
        raise io.UnsupportedOperation("a request body cannot be written to")


NO_BODY: BinaryIO = _NoBody()


class BodyMemory:
    """What the request bodies of one worker hold in memory. For whoever holds the engine's ownership.

    each: bytes of one body; whole: bytes of all together, but `_ALWAYS` of each. held: bytes now.
    """

    def __init__(self, each: int) -> None:
        self.each = each
        self.whole = each * _BODIES
        self.held = 0


class RequestBody:
    """Collects one body.

    `length` is the announced length in bytes, or None for a chunked body, which `decoder` takes apart.
    `memory` says how many bytes stay in memory, `limit` how many a chunked body may have (0: no limit);
    an announced length was checked by the parser. `directory` is where the temporary file lives.

    left: announced bytes that have not arrived; -1 for a chunked body. received: bytes so far. held: how many
    of `memory` it holds, until `discard`; whoever opens it gives them back instead.
    """

    def __init__(
        self,
        length: int | None,
        decoder: ChunkedDecoder | None,
        memory: BodyMemory,
        limit: int,
        directory: str | None,
    ) -> None:
        self.left = -1 if length is None else length
        self._decoder = decoder
        self._memory = memory
        self._limit = limit
        self._directory = directory
        # Not a list of pieces: a stranger who sends chunks of two octets would make each cost fifty.
        self._file: BinaryIO | None = None
        self._is_spooled = False
        self.received = 0
        self.held = 0

    def is_complete(self) -> cython.bint:
        """Whether the last octet has arrived."""
        if self._decoder is not None:
            return self._decoder.is_done
        return self.left == 0

    def feed(self, data: bytes) -> bytes:
        """Takes what belongs to the body and returns what stands behind it.

        Raises `InvalidChunk`, `FieldsTooLarge`, `ContentTooLarge` or `BodyNotStored`.
        """
        if self._decoder is not None:
            pieces, rest = self._decoder.feed(data)
            if pieces:
                self._store(b"".join(pieces))
            if self._limit and self.received + self._decoder.left > self._limit:
                raise ContentTooLarge(f"a chunked body grows past {self._limit} bytes")
            return rest
        if len(data) <= self.left:
            self.left -= len(data)
            self._store(data)
            return b""
        piece, rest = data[: self.left], data[self.left :]
        self.left = 0
        self._store(piece)
        return rest

    def take(self, view: memoryview) -> None:
        """`feed` for the next octets of a body of announced length, no more than are `left`, where they were
        received: nothing of `view` is kept. Raises `BodyNotStored`.
        """
        size: cython.Py_ssize_t = len(view)
        if size > self.left:
            raise ValueError(f"{size} bytes for the last {self.left} of a body")
        self.left -= size
        # Whole, it is read from where it is kept without one more copy.
        self._store(bytes(view) if not self.left and not self.received else view)

    def _store(self, piece: bytes | memoryview) -> None:
        size: cython.Py_ssize_t = len(piece)
        self.received += size
        try:
            if not self._is_spooled:
                if self._has_room(size):
                    self.held += size
                    self._memory.held += size
                    if self._file is None and type(piece) is bytes:
                        # Shared until somebody writes.
                        self._file = io.BytesIO(piece)
                        self._file.seek(size)
                        return
                else:
                    self._spool()
            if self._file is None:
                self._file = io.BytesIO()
            self._file.write(piece)
        except OSError as error:
            raise _not_stored(error) from error

    def _has_room(self, size: cython.Py_ssize_t) -> cython.bint:
        """Whether `size` bytes more, counted as received already, may stay in memory."""
        memory = self._memory
        if self.received > memory.each:
            return False
        return self.received <= _ALWAYS or memory.held + size <= memory.whole

    def _spool(self) -> None:
        """What is here, and what comes, goes to a temporary file."""
        import tempfile  # late: a third of a megabyte for what few workers ever do

        written = self._file
        self._file = tempfile.TemporaryFile(prefix="indrik-body-", dir=self._directory)  # noqa: SIM115
        self._is_spooled = True
        if written is not None:
            assert isinstance(written, io.BytesIO)
            with written:
                self._file.write(written.getbuffer())
        self._memory.held -= self.held
        self.held = 0

    def open(self) -> BinaryIO:
        """The complete body as a binary file at its start. The caller closes it. Raises `BodyNotStored`."""
        if self._file is None:
            return NO_BODY
        try:
            # The end of it may not be written yet.
            self._file.seek(0)
        except OSError as error:
            raise _not_stored(error) from error
        return self._file

    def discard(self) -> None:
        """Gives the storage back when nobody will read the body."""
        if self._file is not None:
            # Whatever could not be written: nobody wants it any more, and the descriptor is closed.
            with contextlib.suppress(OSError):
                self._file.close()
        self._memory.held -= self.held
        self.held = 0


def _not_stored(error: OSError) -> BodyNotStored:
    return BodyNotStored(f"cannot write the temporary file of a request body: {error}")
