"""gevent's hub as the engine needs it. Imported in workers only, after the patching."""

from __future__ import annotations

import select
import socket
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import gevent
import gevent.socket
from gevent.event import Event
from gevent.hub import Waiter, get_hub
from greenlet import greenlet

from indrik.engine.originals import original
from indrik.engine.waiting import Waiting

if TYPE_CHECKING:
    from indrik.engine.greenlets import Greenlets
    from indrik.engine.sender import Sender

#: libev's event mask for "readable".
_READ = 1

#: Seconds after which one who waits for a departure looks himself: nobody tells him of a connection that
#: ends between two requests.
_LOOK_EVERY = 1.0

_poll = original(select, "poll")


class HubHost:
    """The hub of the present thread (`engine.greenlets.Host`)."""

    def __init__(self) -> None:
        self._hub = get_hub()
        self._timer: Any = None
        self._watchers: list[Any] = []
        # Not the hub's own method, which first asks whether the greenlet wants to be told of it.
        self.back: Callable[[], Any] = greenlet.switch.__get__(self._hub, type(self._hub))

    def new_greenlet(self, run: Callable[[], None]) -> Any:
        """A greenlet whose parent is the hub, not started."""
        return greenlet(run, self._hub)

    def call_soon(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Has the hub call `function`. Any thread."""
        self._hub.loop.run_callback_threadsafe(function, *arguments)

    def start_timer(self, seconds: float, function: Callable[[], None]) -> None:
        """Has the hub call `function` once after `seconds`, instead of what was started before."""
        if self._timer is not None:
            self._timer.close()
        self._timer = self._hub.loop.timer(seconds)
        self._timer.start(function)

    def spawn(self, function: Callable[[], None]) -> None:
        """Calls `function` in a greenlet of its own, soon."""
        gevent.spawn(function)

    def watch(self, fd: int, function: Callable[[], None]) -> None:
        """Has the hub call `function` whenever `fd` is readable."""
        watcher = self._hub.loop.io(fd, _READ)
        watcher.start(function)
        self._watchers.append(watcher)

    def close(self) -> None:
        """Has the hub call nothing any more that was watched or timed. Before the descriptors are closed."""
        for watcher in self._watchers:
            watcher.close()
        self._watchers.clear()
        if self._timer is not None:
            self._timer.close()
            self._timer = None


class _Departure(Event):  # type: ignore[misc]
    """That a client leaves. waiting: how many greenlets wait for it."""

    waiting = 0


class HubWaiting(Waiting):
    """Waits in the hub. Called in greenlets."""

    def __init__(self) -> None:
        # By connection, as long as somebody waits.
        self._departures: dict[Any, _Departure] = {}
        self._crowd: Greenlets | None = None

    def serve(self, crowd: Greenlets) -> None:
        """Whose turns tell when output has drained."""
        self._crowd = crowd

    def wait_drained(self, connection: Sender) -> None:
        assert self._crowd is not None
        while True:
            connection.serve_output()
            if connection.is_drained():
                return
            waiter = Waiter()
            entry = (connection, partial(waiter.switch, None))
            self._crowd.drains.append(entry)
            try:
                waiter.get()
            finally:
                if entry in self._crowd.drains:
                    self._crowd.drains.remove(entry)

    def wait_departed(self, connection: Sender, timeout: float | None) -> bool:
        if self._has_departed(connection) or timeout == 0:
            return self._has_departed(connection)
        event = self._departures.setdefault(connection, _Departure())
        event.waiting += 1
        try:
            return self._wait_for(event, connection, timeout)
        finally:
            event.waiting -= 1
            if not event.waiting and self._departures.get(connection) is event:
                # Nobody would tell of one that ends between two requests, and it would be kept for ever.
                del self._departures[connection]

    def _wait_for(self, event: _Departure, connection: Sender, timeout: float | None) -> bool:
        loop = gevent.get_hub().loop
        deadline = None if timeout is None else loop.now() + timeout
        while True:
            left = _LOOK_EVERY
            if deadline is not None:
                left = min(left, deadline - loop.now())
                if left <= 0:
                    return False
            if event.wait(left) or self._has_departed(connection):
                return True

    def tell_departed(self, connection: Sender) -> None:
        """The client has left: those who wait for it go on."""
        event = self._departures.pop(connection, None)
        if event is not None:
            event.set()

    def open_socket(self, fd: int) -> socket.socket:
        # gevent's also in a process that is not patched: a plain one would make all greenlets wait.
        sock: socket.socket = gevent.socket.socket(fileno=fd)
        return sock

    @staticmethod
    def _has_departed(connection: Sender) -> bool:
        fd = connection.fileno()
        if fd < 0:
            return True
        poll = _poll()
        poll.register(fd, select.POLLRDHUP)
        return bool(poll.poll(0))
