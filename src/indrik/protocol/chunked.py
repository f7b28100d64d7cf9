"""The chunked transfer coding (RFC 9112 section 7.1), both directions."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import cython
else:
    from indrik import uncompiled as cython

from indrik.protocol.fields import field_name
from indrik.protocol.octets import first_forbidden
from indrik.protocol.refusals import FieldsTooLarge, InvalidChunk, RequestRefused

#: chunk-size and chunk-ext. A size of more than 15 digits overflows 63 bits somewhere. RFC 9112 section
#: 7.1.1 allows white space around an extension's ";" and "=" only as an obsolete form (BWS); it is accepted
#: around ";" only, and nowhere at the end of the line.
_SIZE = re.compile(
    rb"([0-9A-Fa-f]{1,15})"
    rb"(?:[ \t]*;[ \t]*[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
    rb"(?:=(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
    rb"|\"(?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t \x21-\x7e\x80-\xff])*\"))?)*"
)

#: Field names that would change the meaning of the request after it was acted upon (RFC 9110 section 6.5.1).
_NOT_IN_TRAILERS = frozenset(
    {
        "AUTHORIZATION", "CONNECTION", "CONTENT-ENCODING", "CONTENT-LENGTH", "CONTENT-TYPE", "COOKIE",
        "EXPECT", "HOST", "TE", "TRAILER", "TRANSFER-ENCODING", "UPGRADE",
    }
)  # fmt: skip

_AT_SIZE, _IN_DATA, _AT_DATA_END, _IN_TRAILERS, _DONE = range(5)

_NOTHING_LEFT = b""

#: Octets of a body's size lines beyond the sizes: extensions, which nobody uses, and zeros. Without a bound
#: each octet of a body could be given thousands that have to be read.
_MOST_EXTENSIONS = 16384

#: Size lines of small chunks. A stranger may send nothing else: six octets of his would cost us three
#: microseconds of the full grammar.
_SMALL = {form % size: size for size in range(1, 256) for form in (b"%x", b"%X")}

#: The value of a hexadecimal digit by its octet, 16 for any other octet.
_DIGIT = bytes(int(bytes([octet]), 16) if octet in b"0123456789abcdefABCDEF" else 16 for octet in range(256))


def _take_small(data: bytes, at: cython.Py_ssize_t, pieces: list[bytes]) -> cython.Py_ssize_t:
    """Appends the data of whole small chunks from `at` on to `pieces`; where the first thing else begins."""
    start: cython.Py_ssize_t
    end: cython.Py_ssize_t
    if cython.compiled:
        octets: cython.p_uchar = data
        values: cython.p_uchar = _DIGIT
        length: cython.Py_ssize_t = len(data)
        size: cython.int
        # Four octets from `at` on are inside: the shortest size line and one more.
        while at + 4 <= length:
            size = values[octets[at]]
            start = at + 1
            if size > 15:
                break
            if octets[start] != 13:
                size = size * 16 + values[octets[start]] if values[octets[start]] < 16 else 0
                start += 1
            if not 0 < size < 256 or octets[start] != 13 or octets[start + 1] != 10:
                break
            start += 2
            end = start + size
            if end + 2 > length or octets[end] != 13 or octets[end + 1] != 10:
                break
            pieces.append(data[start:end])
            at = end + 2
        return at
    while True:
        end = data.find(b"\r\n", at, at + 4)
        known = _SMALL.get(data[at:end]) if end > 0 else None
        if known is None:
            return at
        start = end + 2
        end = start + known
        if data[end : end + 2] != b"\r\n":
            return at
        pieces.append(data[start:end])
        at = end + 2


class ChunkedDecoder:
    """Takes a chunked body apart as it arrives, in pieces of any size.

    `line_limit` bounds a size line with its extensions, `trailer_limit` all trailer fields together, in
    bytes.
    """

    __slots__ = ("_extensions", "_left", "_line_limit", "_pending", "_state", "_trailer_limit", "trailers")

    def __init__(self, line_limit: int, trailer_limit: int) -> None:
        self._state = _AT_SIZE
        self._left = 0
        self._extensions = 0
        self._pending = b""
        self._line_limit = line_limit
        self._trailer_limit = trailer_limit
        self.trailers: list[tuple[str, str]] = []

    @property
    def is_done(self) -> bool:
        """Whether the last chunk and the trailers were read."""
        return self._state == _DONE

    @property
    def left(self) -> int:
        """Octets of the current chunk that have not arrived yet."""
        return self._left

    def feed(self, data: bytes) -> tuple[list[bytes], bytes]:
        """The body octets in `data`, and what stands behind the end of the body (empty until `is_done`).

        Raises `InvalidChunk` or `FieldsTooLarge`.
        """
        if self._pending:
            data = self._pending + data
            self._pending = b""
        pieces: list[bytes] = []
        at: cython.Py_ssize_t = 0
        end: cython.Py_ssize_t
        while self._state != _DONE:
            if self._state == _AT_SIZE:
                at = _take_small(data, at, pieces)
            if self._state == _IN_DATA:
                piece = data[at : at + self._left]
                if not piece:
                    return pieces, _NOTHING_LEFT
                pieces.append(piece)
                at += len(piece)
                self._left -= len(piece)
                if self._left:
                    return pieces, _NOTHING_LEFT
                self._state = _AT_DATA_END
            elif self._state == _AT_DATA_END:
                if data[at : at + 2] != b"\r\n":
                    if not b"\r\n".startswith(data[at : at + 2]):
                        raise InvalidChunk("chunk data is not followed by CRLF")
                    self._pending = data[at:]
                    return pieces, _NOTHING_LEFT
                at += 2
                self._state = _AT_SIZE
            else:
                end = self._line_end(data, at)
                if end < 0:
                    self._pending = data[at:]
                    return pieces, _NOTHING_LEFT
                line = data[at:end]
                at = end + 2
                if self._state == _AT_SIZE:
                    self._left = self._size(line)
                    self._state = _IN_DATA if self._left else _IN_TRAILERS
                elif line:
                    self._trailer(line)
                else:
                    self._state = _DONE
        return pieces, data[at:]

    def _line_end(self, data: bytes, at: int) -> int:
        limit = self._line_limit if self._state == _AT_SIZE else self._trailer_limit
        feed = data.find(b"\n", at)
        if (feed if feed >= 0 else len(data)) - at > limit + 1:
            if self._state == _AT_SIZE:
                raise InvalidChunk("a chunk size line is too long")
            raise FieldsTooLarge("the trailer fields are too large")
        if feed < 0:
            return -1
        if feed == at or data[feed - 1] != 13:
            raise InvalidChunk("a line of the chunked body does not end in CRLF")
        return feed - 1

    def _size(self, line: bytes) -> int:
        found = _SIZE.fullmatch(line)
        if found is None:
            raise InvalidChunk(f"chunk size line {line[:60]!r}")
        size = int(found[1], 16)
        self._extensions += len(line) - len(b"%x" % size)
        if self._extensions > _MOST_EXTENSIONS:
            raise InvalidChunk("the chunk extensions of one body are too large")
        return size

    def _trailer(self, line: bytes) -> None:
        self._trailer_limit -= len(line) + 2
        name, colon, value = line.decode("latin-1").partition(":")
        if not colon or first_forbidden(line + b"\r\n", 0, len(line) + 2) >= 0:
            raise InvalidChunk(f"trailer field {line[:60]!r}")
        try:
            upper = field_name(name)[0]
        except RequestRefused as error:
            raise InvalidChunk(f"trailer field: {error.detail}") from None
        if upper in _NOT_IN_TRAILERS:
            raise InvalidChunk(f"{upper} is not allowed in trailers")
        self.trailers.append((upper, value.strip(" \t")))


def frame_chunk(data: bytes) -> bytes:
    """One chunk that holds `data`, which must not be empty: an empty chunk would end the body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


#: last-chunk without trailers.
LAST_CHUNK = b"0\r\n\r\n"
