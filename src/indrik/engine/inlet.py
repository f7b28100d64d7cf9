"""What takes a client's input while its exchange is in progress: a body that is read as it arrives, or
whatever comes after a change of protocol.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import cython
else:
    from indrik import uncompiled as cython

from indrik.protocol.chunked import ChunkedDecoder
from indrik.protocol.refusals import ContentTooLarge, RequestRefused

#: Bytes of a body held for an application that does not take them; the client is not read further meanwhile.
_MOST = 65536


class Inlet:
    """Takes input in place of the parser. For whoever holds the engine's ownership.

    is_full: takes nothing now; whoever makes room calls `Exchange.resume_input`. is_complete: wants nothing
    more; what follows is the next request's.
    """

    def __init__(self) -> None:
        self.is_full = False
        self.is_complete = False

    def feed(self, data: bytes) -> bytes:
        """Takes `data`, all but what is returned: that stands behind its end. May raise `RequestRefused`."""
        raise NotImplementedError

    def end(self, refusal: RequestRefused | None) -> None:
        """Nothing more will come: the client has closed its side, or is refused for what it sent or did
        not.
        """
        raise NotImplementedError


class BodyInlet(Inlet):
    """A request body that is handed on in pieces, with back-pressure.

    `length` is the announced length in bytes, or None for a chunked body, which `decoder` takes apart.
    `limit` is how many bytes a chunked one may have (0: any). received: bytes so far. is_broken: the rest
    will never come. on_input: called when a piece, the end or the break has come; None for nobody.
    """

    def __init__(self, length: int | None, decoder: ChunkedDecoder | None, limit: int) -> None:
        Inlet.__init__(self)
        self._left = -1 if length is None else length
        self._decoder = decoder
        self._limit = limit
        self._pieces: deque[bytes] = deque()
        self._held = 0
        self.received = 0
        self.is_broken = False
        self.on_input: object = None

    def feed(self, data: bytes) -> bytes:
        """Takes the next octets. Raises `InvalidChunk`, `FieldsTooLarge` or `ContentTooLarge`."""
        rest: bytes = b""
        if self._decoder is not None:
            pieces, rest = self._decoder.feed(data)
            for piece in pieces:
                self._hold(piece)
            if self._limit and self.received + self._decoder.left > self._limit:
                raise ContentTooLarge(f"a chunked body grows past {self._limit} bytes")
            self.is_complete = self._decoder.is_done
        elif len(data) <= self._left:
            self._left -= len(data)
            self._hold(data)
            self.is_complete = self._left == 0
        else:
            rest = data[self._left :]
            self._hold(data[: self._left])
            self._left = 0
            self.is_complete = True
        self._tell()
        return rest

    def end(self, refusal: RequestRefused | None) -> None:
        """The client will not send the rest."""
        if not self.is_complete:
            self.is_broken = True
            self._tell()

    def has_input(self) -> cython.bint:
        """Whether `take` gives something: a piece, or the end."""
        return self._held > 0 or self.is_complete

    def take(self) -> bytes:
        """What has arrived since the last call, in one piece; empty at the end (or when nothing is there)."""
        pieces = self._pieces
        self._held = 0
        self.is_full = False
        if not pieces:
            return b""
        data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        return data

    def _hold(self, piece: bytes) -> None:
        if piece:
            # Small pieces are joined, so that a stranger who sends chunks of an octet does not make each cost
            # an object.
            if self._pieces and len(piece) < 64 and len(self._pieces[-1]) < 4096:
                self._pieces[-1] += piece
            else:
                self._pieces.append(piece)
            self.received += len(piece)
            self._held += len(piece)
            self.is_full = self._held >= _MOST

    def _tell(self) -> None:
        if self.on_input is not None:
            self.on_input()  # type: ignore[operator]
