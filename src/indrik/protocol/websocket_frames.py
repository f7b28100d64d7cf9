"""What both directions of a WebSocket share: opcodes, close codes, refusals, masking and frame heads.

RFC 6455 sections 5 and 7.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    import cython
else:
    from indrik import uncompiled as cython

from indrik.errors import IndrikError

if cython.compiled:
    from cython.cimports.cpython.bytes import PyBytes_FromStringAndSize
    from cython.cimports.libc.string import memcpy

#: Opcodes (RFC 6455 section 5.2), which are the kinds of the decoder's events too.
CONTINUATION = 0
TEXT = 1
BINARY = 2
CLOSE = 8
PING = 9
PONG = 10

#: The kind of the last event of a connection that must be failed (section 7.1.7). No opcode is negative.
FAILED = -1

#: Close codes of section 7.4.1. NO_STATUS stands for a close frame without a code and is never sent.
NORMAL = 1000
PROTOCOL_ERROR = 1002
NO_STATUS = 1005
INVALID_PAYLOAD = 1007
TOO_BIG = 1009

#: Octets that a control frame may hold (section 5.5).
MOST_OF_CONTROL = 125

_WORD = 0xFFFFFFFF


class WebSocketRefused(IndrikError):
    """The peer is at fault: it is sent a close frame with `code` and `reason`, and the connection ends.

    `detail` is one line for the error log; it may hold octets of the peer and is escaped by the log.
    """

    code: ClassVar[int] = PROTOCOL_ERROR
    reason: ClassVar[str] = "The frames are malformed."
    kind: ClassVar[str] = "websocket-frame"

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class InvalidFrame(WebSocketRefused):
    """A frame breaks a rule of RFC 6455 section 5."""


class InvalidPayload(WebSocketRefused):
    """Text that is not UTF-8 (RFC 6455 section 8.1), or data that does not decompress (RFC 7692)."""

    code = INVALID_PAYLOAD
    reason = "The payload cannot be decoded."
    kind = "websocket-payload"


class MessageTooBig(WebSocketRefused):
    """A message is larger than `websocket_max_message_size`."""

    code = TOO_BIG
    reason = "The message is larger than this server accepts."
    kind = "websocket-size"


class InvalidMessage(IndrikError):
    """The application gave something that may not be sent; the message names the rule."""


def is_close_code(code: int) -> bool:
    """Whether a close frame may hold `code`: what RFC 6455 section 7.4 or the registry of IANA defines, and
    the ranges for libraries and applications.
    """
    return 1000 <= code <= 1003 or 1007 <= code <= 1014 or 3000 <= code <= 4999


def rotate(key: cython.uint, count: cython.Py_ssize_t) -> cython.uint:
    """The masking key for what stands `count` octets further on. The first octet of a key is its lowest."""
    shift: cython.int = 8 * (count & 3)
    return ((key >> shift) | (key << (32 - shift))) & _WORD if shift else key


def unmask(
    data: bytes, start: cython.Py_ssize_t, end: cython.Py_ssize_t, key: cython.uint
) -> bytes:
    """`data[start:end]` without the mask `key`, whose lowest octet belongs to `start` (section 5.3)."""
    if cython.compiled:
        # 0 <= start <= end <= len(data) is checked here, and `made` has end - start octets, so no index
        # below leaves either.
        if start < 0 or start > end or end > len(data):
            raise IndexError("unmasking outside of the data")
        size: cython.Py_ssize_t = end - start
        made: bytes = PyBytes_FromStringAndSize(cython.NULL, size)
        octets: cython.p_uchar = data
        source: cython.p_uchar = octets + start
        # Nobody else has `made` yet.
        to: cython.p_uchar = made
        wide: cython.ulonglong = 0
        mask: cython.p_uchar = cython.cast(cython.p_uchar, cython.address(wide))
        word: cython.ulonglong
        index: cython.Py_ssize_t
        # Octet by octet, so that the order of octets in a word does not matter.
        for index in range(8):
            mask[index] = (key >> (8 * (index & 3))) & 255
        index = 0
        while index + 8 <= size:
            memcpy(cython.address(word), source + index, 8)
            word ^= wide
            memcpy(to + index, cython.address(word), 8)
            index += 8
        while index < size:
            to[index] = source[index] ^ mask[index & 7]
            index += 1
        return made
    part = data[start:end]
    keys = key.to_bytes(4, "little") * (len(part) // 4 + 1)
    masked = int.from_bytes(part, "little") ^ int.from_bytes(keys[: len(part)], "little")
    return masked.to_bytes(len(part), "little")


def frame(first: cython.int, payload: bytes) -> bytes:
    """A whole frame of a server: unmasked. `first` is its first octet: FIN, RSV and opcode."""
    return frame_of(first, payload, len(payload))


def frame_of(first: cython.int, payload: cython.p_const_char, size: cython.Py_ssize_t) -> bytes:
    """`frame` of the `size` octets at `payload`."""
    if cython.compiled:
        head: cython.Py_ssize_t = 2 if size < 126 else 4 if size < 65536 else 10
        made: bytes = PyBytes_FromStringAndSize(cython.NULL, head + size)
        # Nobody else has `made` yet; it has room for the head, which is 2, 4 or 10 octets, and the payload.
        to: cython.p_uchar = made
        left: cython.ulonglong = size
        index: cython.Py_ssize_t = head - 1
        to[0] = first
        to[1] = size if head == 2 else 126 if head == 4 else 127
        while index > 1:
            to[index] = left & 255
            left >>= 8
            index -= 1
        memcpy(to + head, payload, size)
        return made
    if size < 126:
        return bytes((first, size)) + payload
    if size < 65536:
        return bytes((first, 126)) + size.to_bytes(2, "big") + payload
    return bytes((first, 127)) + size.to_bytes(8, "big") + payload
