"""`daemon`: leaving the terminal, in two steps, so that a failed start is still seen by whoever started the
server.

`leave` forks twice and makes a session (daemon(7)); the first process waits. `detach` gives up the terminal's
descriptors and lets the first process end with status 0. If the server ends before that, the first process
ends with status 1, and what there was to say has been written to the terminal.
"""

from __future__ import annotations

import os
from typing import NoReturn

from indrik.arbiter.streams import flush_streams
from indrik.log.capture import CAPTURE


class Daemon:
    """The way into the background. Used by the master before it has any child."""

    def __init__(self, keep_stdio: bool) -> None:
        self._keep_stdio = keep_stdio
        self._told = -1

    def leave(self) -> None:
        """Go on in a process that no terminal controls. The process that called this waits, and never returns
        from here.
        """
        listens, self._told = os.pipe()
        flush_streams()
        if os.fork():
            os.close(self._told)
            _wait(listens)
        os.close(listens)
        os.setsid()
        # Not a session leader any more, so no terminal can ever become its controlling one.
        if os.fork():
            os._exit(0)
        os.umask(0o22)

    def detach(self) -> None:
        """The start has succeeded: let go of the terminal. With `keep_stdio` only of what is a terminal.

        What `capture_output` sends to the log goes on doing so.
        """
        flush_streams()
        null = os.open(os.devnull, os.O_RDWR)
        for number in (0, 1, 2):
            fd = CAPTURE.former(number)
            if number == 0 or not self._keep_stdio or os.isatty(fd):
                os.dup2(null, fd, inheritable=fd == number)
        os.close(null)
        os.write(self._told, b"\1")
        os.close(self._told)


def _wait(listens: int) -> NoReturn:
    """Until the daemon has started or ended. No cleaning up: everything belongs to the daemon now."""
    os._exit(0 if os.read(listens, 1) else 1)
