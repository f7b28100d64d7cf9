"""How a worker kind waits in the middle of a request. Here: by blocking the thread.

Kinds that may not block their thread give the engine another `Waiting`.
"""

from __future__ import annotations

import select
import socket
import time
from typing import TYPE_CHECKING

from indrik.engine.originals import original
from indrik.engine.timers import NEVER

if TYPE_CHECKING:
    from indrik.engine.sender import Sender

# gevent's own knows of no POLLRDHUP.
_poll = original(select, "poll")

#: poll(2) tells of POLLHUP and POLLERR unasked.
_LEFT = select.POLLRDHUP if hasattr(select, "POLLRDHUP") else select.POLLHUP

#: Milliseconds of one wait: short enough for the worker's heartbeat.
_STEP = 1000.0


class Waiting:
    """Waits for one client. Called by the thread that runs its request, without the engine's ownership."""

    def wait_drained(self, connection: Sender) -> None:
        """Returns when everything queued was sent, or the client was dropped: it has `write_timeout` for each
        step.
        """
        ownership = connection.ownership
        poll = _poll()
        poll.register(connection.fd, select.POLLOUT)
        while True:
            ownership.acquire()
            try:
                # The loop may not be running now, so its work for this client is done here.
                connection.serve_output()
                if connection.is_drained():
                    return
            finally:
                ownership.release()
            poll.poll(_STEP)

    def wait_departed(self, connection: Sender, timeout: float | None) -> bool:
        """Waits at most `timeout` seconds (None: as long as it takes) until the client has closed at least
        its sending side; whether it has.
        """
        give_up_at = NEVER if timeout is None else time.monotonic() + timeout
        left = _STEP if timeout is None else min(_STEP, max(0.0, timeout * 1000.0))
        while True:
            # In steps: while poll(2) waits, the kernel keeps the connection of a descriptor that the loop
            # closes meanwhile; and only between two of them can the end of the request's time be raised.
            fd = connection.fileno()
            if fd < 0:
                return True
            poll = _poll()
            poll.register(fd, _LEFT)
            if poll.poll(left):
                return True
            left = min(_STEP, (give_up_at - time.monotonic()) * 1000.0)
            if left <= 0:
                return False

    def open_socket(self, fd: int) -> socket.socket:
        """A socket that waits as the application's own ones do. Owns `fd` from now on."""
        sock = socket.socket(fileno=fd)
        sock.setblocking(True)
        return sock
