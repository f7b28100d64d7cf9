"""environ["gunicorn.socket"]: the client's socket, for an application that speaks another protocol on it.

Looking at it (its names, options, what `MSG_PEEK` shows) leaves the connection with the server. Anything
else takes it over: the server forgets the connection, and what the client gets is the application's affair.
The application then returns, or raises `StopIteration` as under Gunicorn; nothing is sent for it.
"""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import cython
else:
    from indrik import uncompiled as cython

from indrik.engine.exchange import Exchange
from indrik.engine.originals import original

#: Methods of a socket that only look. They work on a copy of the descriptor, which shares all of its state.
_LOOKING = frozenset({"getpeername", "getsockname", "getsockopt", "setsockopt", "family", "type", "proto"})

#: Not gevent's, which would register with the hub.
_PlainSocket = original(socket, "socket")


class SocketWithRest:
    """A socket that was taken over, with input that the server had read already in front of it. For one
    thread at a time.
    """

    def __init__(self, sock: Any, rest: bytes) -> None:
        self._sock = sock
        self._rest = rest

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)

    def recv(self, size: int, flags: int = 0) -> bytes:
        """As `socket.recv`."""
        if not self._rest or size <= 0:
            received: bytes = self._sock.recv(size, flags)
            return received
        data = self._rest[:size]
        if not flags & socket.MSG_PEEK:
            self._rest = self._rest[size:]
        return data

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        """As `socket.recv_into`."""
        if not self._rest:
            count: int = self._sock.recv_into(buffer, nbytes, flags)
            return count
        view = memoryview(buffer).cast("B")
        data = self.recv(nbytes or len(view), flags)
        view[: len(data)] = data
        return len(data)


@cython.freelist(32)
@cython.cclass
class ClientSocket:
    """The socket of one request's client, taken over when it is first used. For the code that answers the
    request.
    """

    _exchange: Exchange
    _sock: Any

    def fileno(self) -> int:
        """The descriptor, the same before and after taking over; -1 when the connection is gone."""
        if self._sock is not None:
            descriptor: int = self._sock.fileno()
            return descriptor
        exchange = self._exchange
        return -1 if exchange.is_finished else exchange.channel.fileno()

    def recv(self, size: int, flags: int = 0) -> bytes:
        """As `socket.recv`; with `MSG_PEEK` the connection stays the server's."""
        received: bytes
        if self._sock is None and flags & socket.MSG_PEEK:
            received = self._look("recv")(size, flags)
        else:
            received = self.take().recv(size, flags)
        return received

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if self._sock is None and name in _LOOKING:
            return self._look(name)
        return getattr(self.take(), name)

    def _look(self, name: str) -> Any:
        """A socket's attribute, of a copy of the descriptor; a method makes its copy when it is called."""

        def look(*arguments: Any) -> Any:
            exchange = self._exchange
            # Interrupted between two of these calls, the descriptor would stay open.
            exchange.shields += 1
            try:
                # The descriptor is non-blocking, so not even a peek waits.
                with _PlainSocket(fileno=os.dup(self.fileno())) as twin:
                    found = getattr(twin, name)
                    return found(*arguments) if callable(found) else found
            finally:
                exchange.shields -= 1

        return look() if name in ("family", "type", "proto") else look

    def take(self) -> Any:
        """The socket itself. Raises `OSError` when the connection is not this request's any more."""
        if self._sock is None:
            exchange = self._exchange
            # What was sent of a response comes first.
            exchange.wait_drained()
            exchange.shields += 1
            try:
                fd, rest = exchange.take()
                sock = exchange.channel.open_socket(fd)
                self._sock = SocketWithRest(sock, rest) if rest else sock
            finally:
                exchange.shields -= 1
        return self._sock

    def close_taken(self) -> None:
        """Closes the socket if it was taken over; copies that the application has made stay open."""
        if self._sock is not None:
            self._sock.close()


def socket_of(exchange: Exchange) -> ClientSocket:
    """The client's socket of `exchange`."""
    # Without __init__: this is done for every request (see open_exchange).
    made: ClientSocket = ClientSocket.__new__(ClientSocket)
    made._exchange = exchange
    made._sock = None
    return made
