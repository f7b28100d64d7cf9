"""A request body on its way in: in memory up to a bound, then in a temporary file.

WSGI reads its input synchronously, so the whole body is here before the application is called and no client,
however slow, holds a worker.
"""

from __future__ import annotations

import io
from typing import BinaryIO

from indrik.protocol.chunked import ChunkedDecoder
from indrik.protocol.refusals import BodyNotStored, ContentTooLarge


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


class RequestBody:
    """Collects one body.

    `length` is the announced length in bytes, or None for a chunked body, which `decoder` takes apart.
    `memory` is how many bytes stay in memory, `limit` how many a chunked body may have (0: no limit);
    an announced length was checked by the parser. `directory` is where the temporary file lives.
    """

    __slots__ = ("_decoder", "_directory", "_file", "_in_memory", "_left", "_limit", "_memory", "received")

    def __init__(
        self,
        length: int | None,
        decoder: ChunkedDecoder | None,
        memory: int,
        limit: int,
        directory: str | None,
    ) -> None:
        self._left = length
        self._decoder = decoder
        self._memory = memory
        self._limit = limit
        self._directory = directory
        # Not a list of pieces: a stranger who sends chunks of two octets would make each cost fifty.
        self._in_memory = io.BytesIO()
        self._file: BinaryIO = self._in_memory
        self.received = 0

    @property
    def is_complete(self) -> bool:
        """Whether the last octet has arrived."""
        if self._decoder is not None:
            return self._decoder.is_done
        return self._left == 0

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
        assert self._left is not None
        if len(data) <= self._left:
            self._left -= len(data)
            self._store(data)
            return b""
        piece, rest = data[: self._left], data[self._left :]
        self._left = 0
        self._store(piece)
        return rest

    def _store(self, piece: bytes) -> None:
        self.received += len(piece)
        try:
            if self.received > self._memory and self._file is self._in_memory:
                import tempfile  # late: a third of a megabyte for what few workers ever do

                self._file = tempfile.TemporaryFile(prefix="indrik-body-", dir=self._directory)  # noqa: SIM115
                with self._in_memory as written:
                    self._file.write(written.getbuffer())
            self._file.write(piece)
        except OSError as error:
            raise BodyNotStored(f"cannot write the temporary file of a request body: {error}") from error

    def open(self) -> BinaryIO:
        """The complete body as a binary file at its start. The caller closes it."""
        self._file.seek(0)
        return self._file

    def discard(self) -> None:
        """Gives the storage back when nobody will read the body."""
        self._file.close()
