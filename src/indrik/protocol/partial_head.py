"""A request head that arrives in pieces: kept without copying what is there already, and refused as soon as
it cannot become a valid one.

Each octet is looked at once or twice, however small the pieces are. A client that sends its head octet by
octet costs its own packets and no more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import cython
else:
    from indrik import uncompiled as cython

from indrik.protocol.head import HeadParser
from indrik.protocol.octets import first_forbidden, head_end
from indrik.protocol.refusals import FieldsTooLarge, InvalidRequestLine, TargetTooLong

#: An end of a head (CRLF CRLF) that the next piece completes begins so many octets before it at most.
_OVERLAP = 3


class PartialHead:
    """The beginning of one head under the limits of `parser`. Owned by its connection."""

    def __init__(self, parser: HeadParser) -> None:
        self._parser = parser
        self._received = bytearray()
        self._has_line = False

    def feed(self, data: bytes) -> bytes | None:
        """Takes what arrived next. All that has arrived, once the end of the head is in it; None before.

        Raises `TargetTooLong`, `FieldsTooLarge` or `InvalidRequestLine`.
        """
        received = self._received
        before: cython.Py_ssize_t = len(received)
        overlap: cython.Py_ssize_t = min(before, _OVERLAP)
        # Indexes into `window` plus `shift` are indexes into the whole.
        window: bytes = bytes(received[before - overlap :]) + data if overlap else data
        shift: cython.Py_ssize_t = before - overlap
        if head_end(window, 0) >= 0:
            return bytes(received) + data
        # The last octet may be a CR whose LF is still under way, here and when the piece before arrived.
        end: cython.Py_ssize_t = len(window) - 1 if window.endswith(b"\r") else len(window)
        start: cython.Py_ssize_t = overlap - 1 if overlap and window[overlap - 1] == 13 else overlap
        if not self._has_line:
            line: cython.Py_ssize_t = window.find(b"\r\n")
            self._has_line = line >= 0
            if shift + (line if line >= 0 else end) > self._parser.line_limit:
                raise TargetTooLong("the request line is too long")
        if shift + len(window) > self._parser.head_limit:
            raise FieldsTooLarge("the request head is too large")
        forbidden: cython.Py_ssize_t = first_forbidden(window, start, end)
        if forbidden >= 0:
            raise InvalidRequestLine(f"octet {window[forbidden : forbidden + 1]!r} in the request head")
        received += data
        return None
