"""Messages of a WebSocket: the client's octets into events, and the server's messages into octets.

RFC 6455 sections 5 to 8, with permessage-deflate (RFC 7692) where it was agreed upon. The handshake is in
`websocket_handshake`. A decoder and an encoder belong to one connection and are called by one thread at a
time.
"""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import cython
else:
    from indrik import uncompiled as cython

from indrik.protocol.websocket_deflate import Deflater, Inflater
from indrik.protocol.websocket_extensions import Deflate
from indrik.protocol.websocket_frames import (
    BINARY,
    CLOSE,
    CONTINUATION,
    FAILED,
    MOST_OF_CONTROL,
    NO_STATUS,
    PING,
    PONG,
    TEXT,
    InvalidFrame,
    InvalidMessage,
    InvalidPayload,
    MessageTooBig,
    WebSocketRefused,
    frame,
    is_close_code,
    rotate,
    unmask,
)

if cython.compiled:
    from cython.cimports.cpython.unicode import PyUnicode_AsUTF8AndSize
    from cython.cimports.indrik.protocol.websocket_frames import frame_of

#: What a decoder gives, by kind: (TEXT, str), (BINARY, bytes), (PING, bytes), (PONG, bytes),
#: (CLOSE, (code, reason)) and (FAILED, WebSocketRefused). A plain tuple, because compiled code makes and
#: reads one without a call.
Event: TypeAlias = tuple[int, Any]

#: `max_size` for a decoder without a limit; a larger one is taken for it, and nothing below overflows.
ANY_SIZE = 1 << 62

_FIN = 0x80
_RSV = 0x70
_RSV1 = 0x40
_MASKED = 0x80
_LENGTH = 0x7F
_OPCODE = 0x0F


@cython.cclass
class Decoder:
    """Takes apart what a client sends, in pieces of any size.

    `max_size` bounds a message, in octets: as announced, as gathered from fragments and as decompressed.
    `ANY_SIZE` is no bound. `agreed` is the permessage-deflate of the handshake. Memory: at most `max_size`
    octets of an unfinished message, an eighth more of its buffer, and 130 octets of an unfinished frame.
    While a message is completed there is a copy of it, which as text takes up to four octets for each octet.
    The time is linear in what arrives, however it is cut into fragments.

    is_done: a close frame came or the connection failed; whatever comes behind is ignored (section 5.5.1).
    """

    def __init__(self, max_size: int, agreed: Deflate | None = None) -> None:
        self._max_size = min(max_size, ANY_SIZE)
        self._inflater = Inflater(agreed) if agreed is not None else None
        self._pending = b""
        # The data frame whose payload is arriving: octets that are missing, its mask for the next of them,
        # and whether it ends its message.
        self._left = 0
        self._key = 0
        self._is_last = False
        # The message that is arriving: its opcode (CONTINUATION between messages), octets of payload
        # announced so far, and what came of them. None: nothing yet.
        self._kind = CONTINUATION
        self._is_compressed = False
        self._announced = 0
        self._gathered: bytearray | None = None
        # The first octets of a character whose rest has not come.
        self._cut = b""
        self.is_done = False

    @property
    def held(self) -> int:
        """Octets that are kept of a frame and a message that are not whole yet."""
        return len(self._pending) + (0 if self._gathered is None else len(self._gathered))

    def feed(self, data: bytes) -> list:
        """The events of `data`, in their order. After FAILED or CLOSE there are none any more.

        FAILED holds a `WebSocketRefused`: the owner sends its close frame and ends the connection. Raises
        nothing for whatever the client sends.
        """
        events: list = []
        if self.is_done:
            return events
        if self._pending:
            data = self._pending + data
            self._pending = b""
        try:
            self._read(data, events)
        except WebSocketRefused as refusal:
            self._end()
            events.append((FAILED, refusal))
        return events

    def _end(self) -> None:
        self.is_done = True
        self._gathered = None
        self._inflater = None
        self._cut = b""

    def _read(self, data: bytes, events: list) -> None:
        # Every index below is less than `size`: each step compares before it reads.
        octets: cython.p_uchar = data
        size: cython.Py_ssize_t = len(data)
        at: cython.Py_ssize_t = 0
        start: cython.Py_ssize_t
        first: cython.int
        opcode: cython.int
        length: cython.longlong
        key: cython.uint
        payload: bytes
        while not self.is_done:
            if self._left > 0:
                if at == size:
                    return
                length = min(self._left, size - at)
                payload = unmask(data, at, at + length, self._key)
                at += length
                self._left -= length
                self._key = rotate(self._key, length)
                self._take(payload, events)
                continue

            start = at
            if size - at < 2:
                break
            first = octets[at]
            length = octets[at + 1] & _LENGTH
            opcode = first & _OPCODE
            self._check_head(first, octets[at + 1])
            at += 2
            if length == 126:
                if size - at < 2:
                    at = start
                    break
                length = (octets[at] << 8) | octets[at + 1]
                at += 2
                if length < 126:
                    raise InvalidFrame(f"a length of {length} in 16 bits")
            elif length == 127:
                if size - at < 8:
                    at = start
                    break
                length = self._long_length(data, at)
                at += 8
            if opcode < CLOSE:
                self._check_size(first, length)
            if size - at < 4:
                at = start
                break
            key = octets[at + 3]
            key = octets[at] | (octets[at + 1] << 8) | (octets[at + 2] << 16) | (key << 24)
            at += 4

            if opcode >= CLOSE:
                if size - at < length:
                    at = start
                    break
                self._control(opcode, unmask(data, at, at + length, key), events)
                at += length
                continue
            if first == (_FIN | TEXT) and size - at >= length:
                events.append((TEXT, self._text(unmask(data, at, at + length, key))))
                at += length
                continue
            if first == (_FIN | BINARY) and size - at >= length:
                events.append((BINARY, unmask(data, at, at + length, key)))
                at += length
                continue
            if opcode != CONTINUATION:
                self._kind = opcode
                self._is_compressed = (first & _RSV1) != 0
            self._announced += length
            self._is_last = (first & _FIN) != 0
            self._left = length
            self._key = key
            if length == 0:
                self._take(b"", events)
        if not self.is_done and at < size:
            self._pending = data[at:]

    def _check_head(self, first: cython.int, second: cython.int) -> None:
        """The first two octets of a frame, before anything else of it is believed."""
        opcode: cython.int = first & _OPCODE
        if not second & _MASKED:
            raise InvalidFrame("a frame of the client is not masked")
        if opcode >= CLOSE:
            if opcode > PONG:
                raise InvalidFrame(f"opcode {opcode} is not defined")
            if first & _RSV:
                raise InvalidFrame("a reserved bit in a control frame")
            if not first & _FIN:
                raise InvalidFrame("a fragmented control frame")
            if second & _LENGTH > MOST_OF_CONTROL:
                raise InvalidFrame("a control frame with an extended length")
            return
        if opcode > BINARY:
            raise InvalidFrame(f"opcode {opcode} is not defined")
        if first & _RSV and (first & _RSV != _RSV1 or self._inflater is None or opcode == CONTINUATION):
            raise InvalidFrame("a reserved bit that no extension gives a meaning")
        if opcode == CONTINUATION:
            if self._kind == CONTINUATION:
                raise InvalidFrame("a continuation without a message")
        elif self._kind != CONTINUATION:
            raise InvalidFrame("a new message before the end of the fragmented one")

    def _long_length(self, data: bytes, at: cython.Py_ssize_t) -> cython.longlong:
        """The length in the 8 octets at `at`, which must be there."""
        length: cython.longlong = 0
        index: cython.Py_ssize_t
        if data[at] & 0x80:
            raise InvalidFrame("the highest bit of a length is set")
        for index in range(at, at + 8):
            length = (length << 8) | data[index]
        if length < 65536:
            raise InvalidFrame(f"a length of {length} in 64 bits")
        return length

    def _check_size(self, first: cython.int, length: cython.longlong) -> None:
        limit: cython.longlong = self._max_size
        if first & _RSV1 or (self._is_compressed and not first & _OPCODE):
            # Compressing can make a message longer; this is the most that zlib makes of `max_size` octets.
            # Beyond it the sender adds empty blocks without end.
            limit = min(limit + (limit >> 3) + (limit >> 6) + 64, ANY_SIZE)
        # Both are at most 2 ** 62, so nothing overflows.
        if length > limit - self._announced:
            raise MessageTooBig(f"{length} octets were announced, behind {self._announced} of the message")

    def _take(self, payload: bytes, events: list) -> None:
        """The next piece of a message, which is not whole yet or did not come at once."""
        is_whole: cython.bint = self._is_last and self._left == 0
        have: cython.longlong = 0 if self._gathered is None else len(self._gathered)
        if self._is_compressed:
            payload = self._inflate(payload, self._max_size - have, is_whole)
        if is_whole:
            if self._gathered is not None:
                self._gathered += payload
                payload = bytes(self._gathered)
                self._gathered = None
            events.append((self._kind, self._text(payload) if self._kind == TEXT else payload))
            self._kind = CONTINUATION
            self._is_compressed = False
            self._announced = 0
            self._cut = b""
            return
        if not payload:
            return
        if self._kind == TEXT:
            self._check_text(payload)
        if self._gathered is None:
            self._gathered = bytearray(payload)
        else:
            self._gathered += payload

    def _inflate(self, payload: bytes, most: cython.Py_ssize_t, is_last: cython.bint) -> bytes:
        inflater: Inflater | None = self._inflater
        assert inflater is not None
        payload = inflater.inflate(payload, most, is_last)
        if len(payload) > most:
            # What comes first decides, so that the refusal does not depend on how the message was cut.
            if self._kind == TEXT:
                self._check_text(payload[:most])
            raise MessageTooBig(f"a message decompresses to more than {self._max_size} octets")
        return payload

    def _text(self, payload: bytes) -> str:
        try:
            return payload.decode("utf-8")
        except UnicodeDecodeError as error:
            raise InvalidPayload(f"text is not UTF-8: {error.reason} at octet {error.start}") from None

    def _check_text(self, payload: bytes) -> None:
        """Refuses what no further octets can make UTF-8."""
        if self._cut:
            payload = self._cut + payload
        try:
            good: cython.Py_ssize_t = codecs.utf_8_decode(payload, "strict", False)[1]
        except UnicodeDecodeError as error:
            raise InvalidPayload(f"text is not UTF-8: {error.reason}") from None
        self._cut = payload[good:]
        if self._cut and self._cut[0] == 0xED and len(self._cut) == 2 and self._cut[1] >= 0xA0:
            # Half a surrogate, with which codecs wait: to error handlers that let one pass it is no error.
            raise InvalidPayload("text is not UTF-8: a surrogate")

    def _control(self, opcode: cython.int, payload: bytes, events: list) -> None:
        if opcode != CLOSE:
            events.append((opcode, payload))
            return
        code: cython.int = NO_STATUS
        reason: str = ""
        if payload:
            if len(payload) == 1:
                raise InvalidFrame("a close frame of one octet")
            code = (payload[0] << 8) | payload[1]
            if not is_close_code(code):
                raise InvalidFrame(f"the close code {code} may not be sent")
            reason = self._text(payload[2:])
        self._end()
        events.append((CLOSE, (code, reason)))


@cython.cclass
class Encoder:
    """Frames what the server sends, each message in one unmasked frame.

    `agreed` is the permessage-deflate of the handshake.
    """

    def __init__(self, agreed: Deflate | None = None) -> None:
        self._deflater = Deflater(agreed) if agreed is not None else None
        self._threshold = agreed.threshold if agreed is not None else ANY_SIZE

    def encode_text(self, text: str) -> bytes:
        """A text message. Raises `InvalidMessage` for a lone surrogate, which UTF-8 cannot hold."""
        try:
            if cython.compiled and self._deflater is None:
                length: cython.Py_ssize_t
                octets: cython.p_const_char = PyUnicode_AsUTF8AndSize(text, cython.address(length))
                return frame_of(_FIN | TEXT, octets, length)
            return self._message(_FIN | TEXT, text.encode("utf-8"))
        except UnicodeEncodeError as error:
            raise InvalidMessage(
                f"RFC 6455 section 5.6: a text message cannot hold the surrogate at character {error.start}"
            ) from None

    def encode_binary(self, data: bytes) -> bytes:
        """A binary message."""
        return self._message(_FIN | BINARY, data)

    def _message(self, first: cython.int, data: bytes) -> bytes:
        deflater: Deflater | None = self._deflater
        if deflater is not None and len(data) >= self._threshold:
            made = deflater.deflate(data)
            if made is not None:
                return frame(first | _RSV1, made)
        return frame(first, data)

    def encode_ping(self, data: bytes = b"") -> bytes:
        """A ping, which the client answers with a pong of the same `data`, at most 125 octets."""
        return self._encode_control(PING, data)

    def encode_pong(self, data: bytes) -> bytes:
        """The pong that answers a ping with `data`."""
        return self._encode_control(PONG, data)

    def encode_close(self, code: int = NO_STATUS, reason: str = "") -> bytes:
        """A close frame. `NO_STATUS` sends none: it is what a client's close frame without a code gives, and
        so can be echoed. Raises `InvalidMessage` for a code that may not be sent or a reason of more than 123
        octets.
        """
        if code == NO_STATUS and not reason:
            return self._encode_control(CLOSE, b"")
        if not is_close_code(code):
            raise InvalidMessage(f"RFC 6455 section 7.4: the close code {code} may not be sent")
        try:
            data = code.to_bytes(2, "big") + reason.encode("utf-8")
        except UnicodeEncodeError as error:
            raise InvalidMessage(
                f"RFC 6455 section 5.5.1: a close reason cannot hold the surrogate at character {error.start}"
            ) from None
        return self._encode_control(CLOSE, data)

    def _encode_control(self, opcode: cython.int, data: bytes) -> bytes:
        if len(data) > MOST_OF_CONTROL:
            raise InvalidMessage(
                f"RFC 6455 section 5.5: a control frame holds {MOST_OF_CONTROL} octets at most, "
                f"not {len(data)}"
            )
        return frame(_FIN | opcode, data)
