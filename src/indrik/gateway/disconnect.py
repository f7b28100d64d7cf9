"""environ["indrik.disconnected"]: lets an application notice that its client has left.

A client that has closed its sending side only looks the same as one that has left (TCP tells them apart when
something is sent), so what is seen here ends no request by itself: the application decides.
"""

from __future__ import annotations

import logging
import select
from collections.abc import Callable
from typing import Any

import cython

from indrik.engine.exchange import Channel

#: poll(2) tells of POLLHUP and POLLERR unasked.
_LEFT = select.POLLRDHUP if hasattr(select, "POLLRDHUP") else select.POLLHUP

_log = logging.getLogger("indrik.error")


@cython.freelist(32)
@cython.cclass
class Disconnected:
    """Whether the client of one request has left. For the thread that runs the request."""

    _channel: Channel
    _callbacks: list[tuple[Callable[..., Any], tuple[Any, ...]]] | None

    def is_set(self) -> bool:
        """Whether the client has left, looked up now."""
        return self.wait(0.0)

    def wait(self, timeout: float | None = None) -> bool:
        """Blocks until the client leaves, at most `timeout` seconds (None: as long as it takes); whether it
        has.
        """
        if not self._channel.is_closed:
            poll = select.poll()
            poll.register(self._channel.fileno(), _LEFT)
            if not poll.poll(None if timeout is None else timeout * 1000.0):
                return False
        self.run_callbacks()
        return True

    def callback(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Calls `function(*arguments)` once when it is noticed that the client has left: by this object, or
        by the server when it sends. At once if that has happened already.
        """
        if self._channel.is_closed:
            function(*arguments)
            return
        if self._callbacks is None:
            self._callbacks = []
        self._callbacks.append((function, arguments))

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


def watch_disconnect(channel: Channel) -> Disconnected:
    """The object for a request that came by `channel`."""
    # Without __init__: this is done for every request (see open_exchange).
    made: Disconnected = Disconnected.__new__(Disconnected)
    made._channel = channel
    made._callbacks = None
    return made
