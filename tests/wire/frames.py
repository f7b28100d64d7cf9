"""What a WebSocket case is: the octets that a client sends, and the events or the failure that they give."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from indrik.protocol.websocket_extensions import (
    Deflate,
    DeflateSettings,
    negotiate_deflate,
    parse_extensions,
)
from indrik.protocol.websocket_frames import BINARY, CLOSE, PING, PONG, TEXT

#: How the octets of a case are handed over.
WHOLE = "whole"
BYTE_BY_BYTE = "byte by byte"
WITH_TAIL = "with a tail"
MODES = (WHOLE, BYTE_BY_BYTE, WITH_TAIL)

#: The key of the examples in RFC 6455 section 5.7.
KEY = b"\x37\xfa\x21\x3d"

PROTOCOL, PAYLOAD, SIZE = 1002, 1007, 1009

#: Offers by name, and what the server agrees to.
OFFERS = {
    "takeover": "permessage-deflate; client_max_window_bits",
    "no takeover": "permessage-deflate; client_no_context_takeover; client_max_window_bits=15",
}


@dataclass(frozen=True)
class Case:
    """One stream of frames.

    data: what the client sends. events: (kind, value) of all that must come of it. failed: the close code
    that it must be failed with, None if it is good. at: octets after which the failure must be known, None:
    somewhere. rest: the stream ends inside of a frame or message, so nothing can stand behind it.
    max_size: see `Decoder`. deflate: a name in `OFFERS`.
    """

    name: str
    data: bytes
    events: tuple[tuple[int, Any], ...] = ()
    failed: int | None = None
    at: int | None = None
    rest: bool = False
    max_size: int = 1 << 20
    deflate: str | None = None

    @property
    def agreed(self) -> Deflate | None:
        """permessage-deflate as the handshake would have agreed upon it."""
        if self.deflate is None:
            return None
        return negotiate_deflate(parse_extensions(OFFERS[self.deflate]), DeflateSettings(client_bits=15))

    @property
    def is_closed(self) -> bool:
        """Whether nothing behind it may be read."""
        return self.failed is not None or any(kind == CLOSE for kind, _ in self.events)


def masked(data: bytes, key: bytes = KEY) -> bytes:
    """`data` with the mask `key` on or off, octet by octet as RFC 6455 section 5.3 writes it."""
    return bytes(octet ^ key[index % 4] for index, octet in enumerate(data))


def frame(
    opcode: int,
    payload: bytes = b"",
    *,
    fin: bool = True,
    rsv: int = 0,
    key: bytes | None = KEY,
    length: bytes | None = None,
) -> bytes:
    """A client's frame. `rsv`: 4 is RSV1. key: None for an unmasked one. length: octets in place of the right
    ones, without the bit for the mask.
    """
    if length is None:
        size = len(payload)
        if size < 126:
            length = bytes((size,))
        elif size < 65536:
            length = b"\x7e" + size.to_bytes(2, "big")
        else:
            length = b"\x7f" + size.to_bytes(8, "big")
    head = bytes((fin << 7 | rsv << 4 | opcode, length[0] | (key is not None) << 7)) + length[1:]
    return head + (payload if key is None else key + masked(payload, key))


def text(payload: str | bytes, **others: Any) -> bytes:
    """A text frame."""
    return frame(TEXT, payload.encode() if isinstance(payload, str) else payload, **others)


def binary(payload: bytes, **others: Any) -> bytes:
    """A binary frame."""
    return frame(BINARY, payload, **others)


def close(code: int | None = None, reason: bytes = b"") -> bytes:
    """A close frame."""
    return frame(CLOSE, b"" if code is None else code.to_bytes(2, "big") + reason)


def ping(payload: bytes = b"") -> bytes:
    """A ping."""
    return frame(PING, payload)


def pong(payload: bytes = b"") -> bytes:
    """A pong."""
    return frame(PONG, payload)


def fragments(opcode: int, *parts: bytes, rsv: int = 0, between: bytes = b"") -> bytes:
    """One message of `parts`, with `between` behind each but the last."""
    last = len(parts) - 1
    frames = [
        frame(opcode if index == 0 else 0, part, fin=index == last, rsv=rsv if index == 0 else 0)
        + (between if index < last else b"")
        for index, part in enumerate(parts)
    ]
    return b"".join(frames)


def deflated(*messages: bytes, level: int = 6, bits: int = 15, final: bool = False) -> tuple[bytes, ...]:
    """`messages` as one compressor with context takeover writes them; `final` ends the stream with each."""
    found = []
    stream = zlib.compressobj(level, zlib.DEFLATED, -bits)
    for message in messages:
        if final:
            stream = zlib.compressobj(level, zlib.DEFLATED, -bits)
            found.append(stream.compress(message) + stream.flush(zlib.Z_FINISH) + b"\0")
        else:
            found.append((stream.compress(message) + stream.flush(zlib.Z_SYNC_FLUSH))[:-4])
    return tuple(found)


def cut(data: bytes, size: int) -> Iterable[bytes]:
    """`data` in pieces of `size`."""
    return [data[start : start + size] for start in range(0, len(data), size)]
