"""The client of one request as the application sees it beside the request and the response.

environ["indrik.disconnected"] tells whether it has left, environ["wsgi.early_hints"] sends it a 103
response. One object is both, because every request pays for it.

A client that has closed its sending side only looks the same as one that has left (TCP tells them apart when
something is sent), so what is seen here ends no request by itself: the application decides.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import cython
else:
    from indrik import uncompiled as cython

from indrik.engine.exchange import PRESENT, Exchange
from indrik.protocol.response import InvalidResponse, render_early_hints

_log = logging.getLogger("indrik.error")


@cython.freelist(32)
@cython.cclass
class Client:
    """The client of one exchange. For the thread that runs the request."""

    _exchange: Exchange
    _callbacks: list[tuple[Callable[..., Any], tuple[Any, ...]]] | None

    def is_set(self) -> bool:
        """Whether the client has left, looked up now."""
        return self.wait(0.0)

    def wait(self, timeout: float | None = None) -> bool:
        """Blocks until the client leaves, at most `timeout` seconds (None: as long as it takes); whether it
        has.
        """
        exchange = self._exchange
        if exchange.departure == PRESENT and not exchange.channel.wait_departed(timeout):
            return False
        self.run_callbacks()
        return True

    def callback(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Calls `function(*arguments)` once when it is noticed that the client has left: by this object, or
        by the server when it sends. At once if that has happened already.
        """
        if self._exchange.departure != PRESENT or self._exchange.channel.is_closed:
            function(*arguments)
            return
        if self._callbacks is None:
            self._callbacks = []
            self._exchange.on_departure = self.run_callbacks
        self._callbacks.append((function, arguments))

    def __call__(self, headers: Any) -> None:
        """wsgi.early_hints: sends a 103 response with `headers` now (RFC 8297), nothing to a client of
        HTTP/1.0.

        May be called repeatedly until the head of the final response was sent. Raises `InvalidResponse`.
        """
        if self._exchange.begins:
            raise InvalidResponse("RFC 9110 section 15: early hints cannot follow the head of the response")
        data = render_early_hints(headers)
        if self._exchange.request.minor_version >= 1:
            self._exchange.send(data)

    def run_callbacks(self) -> None:
        """Calls what was registered, each once; what one raises is logged and keeps no other from being
        called.
        """
        callbacks = self._callbacks
        self._callbacks = None
        for function, arguments in callbacks or ():
            try:
                function(*arguments)
            except Exception:
                _log.exception("a callback of indrik.disconnected failed")


def client_of(exchange: Exchange) -> Client:
    """The client of `exchange`."""
    # Without __init__: this is done for every request (see open_exchange).
    made: Client = Client.__new__(Client)
    made._exchange = exchange
    made._callbacks = None
    return made
