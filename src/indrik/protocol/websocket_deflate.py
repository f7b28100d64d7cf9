"""The two streams of permessage-deflate (RFC 7692 section 7.2), over the standard library's zlib."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import cython
else:
    from indrik import uncompiled as cython

from indrik.protocol.websocket_extensions import LEAST_BITS, Deflate
from indrik.protocol.websocket_frames import InvalidPayload

#: What every compressed message ends with and nobody sends (section 7.2.1).
_TAIL = b"\0\0\xff\xff"

#: Streams that may end within one message (section 7.2.3.4). A sender that cannot flush ends one at the end
#: of its message; who ends one with every second octet makes us set up a new one for each.
_MOST_STREAMS = 64


@cython.cclass
class Inflater:
    """Decompresses the messages of one client. Its memory: see `websocket_extensions`.

    A stream that ends inside of a message takes its window with it: who ends one begins with a new one, as
    zlib does.
    """

    def __init__(self, agreed: Deflate) -> None:
        # A window that is larger than the sender's does no harm, and senders take 9 for 8.
        self._bits = max(LEAST_BITS, agreed.client_bits)
        self._takeover = agreed.client_takeover
        self._stream: Any = None
        self._streams = 0

    def inflate(self, data: bytes, most: cython.Py_ssize_t, is_last: cython.bint) -> bytes:
        """What `data`, the next piece of a message, decompresses to; `is_last` ends the message.

        Never more than `most` octets and one: with more, the caller refuses the message. Raises
        `InvalidPayload`, which may come first where the data is damaged right behind `most` octets: zlib
        looks one symbol further than it has room for.
        """
        made: bytes
        if is_last:
            data += _TAIL
        if self._stream is None:
            self._stream = zlib.decompressobj(-self._bits)
        try:
            made = self._stream.decompress(data, most + 1)
            if self._stream.eof:
                made = self._go_on(made, most)
        except zlib.error as error:
            raise InvalidPayload(f"a message does not decompress: {error}") from None
        if is_last:
            if not self._takeover or self._streams:
                self._stream = None
            self._streams = 0
        return made

    def _go_on(self, made: bytes, most: cython.Py_ssize_t) -> bytes:
        """`made` with what the streams behind an ended one hold."""
        pieces = [made]
        size: cython.Py_ssize_t = len(made)
        piece: bytes
        while self._stream.eof and size <= most:
            self._streams += 1
            if self._streams > _MOST_STREAMS:
                raise InvalidPayload(f"more than {_MOST_STREAMS} deflate streams in one message")
            rest = self._stream.unused_data
            self._stream = zlib.decompressobj(-self._bits)
            piece = self._stream.decompress(rest, most - size + 1)
            pieces.append(piece)
            size += len(piece)
        return b"".join(pieces)


@cython.cclass
class Deflater:
    """Compresses the messages for one client. Its memory: see `websocket_extensions`."""

    def __init__(self, agreed: Deflate) -> None:
        self._bits = agreed.server_bits
        self._takeover = agreed.server_takeover
        self._level = agreed.level
        self._memory = agreed.memory
        self._stream: Any = None

    def deflate(self, data: bytes) -> bytes | None:
        """`data` as a compressed message; None where it became no shorter and may go out as it is."""
        stream = self._stream
        if stream is None:
            stream = zlib.compressobj(self._level, zlib.DEFLATED, -self._bits, self._memory)
            if self._takeover:
                self._stream = stream
        first: bytes = stream.compress(data)
        rest: bytes = stream.flush(zlib.Z_SYNC_FLUSH)
        made: bytes = first + rest[:-4] if first else rest[:-4]
        # With context takeover the message is part of the window already, so the client must see it there.
        if not self._takeover and len(made) >= len(data):
            return None
        return made
