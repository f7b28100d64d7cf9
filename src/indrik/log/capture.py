"""`capture_output`: file descriptors 1 and 2 of this process go to the error log file."""

from __future__ import annotations

import os
import sys


class OutputCapture:
    """Both sides. Puts `path` under stdout and stderr, and the former outputs back when asked to."""

    def __init__(self) -> None:
        self._saved: dict[int, int] = {}

    @property
    def is_active(self) -> bool:
        return bool(self._saved)

    def start(self, path: str) -> None:
        """Send both outputs to `path` from now on; called again, it opens the path afresh. Raises OSError."""
        _flush()
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
        try:
            for number in (1, 2):
                if number not in self._saved:
                    self._saved[number] = os.dup(number)
                os.dup2(descriptor, number, inheritable=True)
        finally:
            os.close(descriptor)
        for stream in (sys.stdout, sys.stderr):
            # Python chose block buffering for a pipe; in a log file a line must be seen when it is printed.
            reconfigure = getattr(stream, "reconfigure", None)
            if reconfigure is not None:
                reconfigure(line_buffering=True)

    def former(self, number: int) -> int:
        """The descriptor of where output `number` (1 or 2) would go without the capture."""
        return self._saved.get(number, number)

    def stop(self) -> None:
        """Give both outputs back to where they went before `start`."""
        _flush()
        while self._saved:
            number, saved = self._saved.popitem()
            os.dup2(saved, number, inheritable=True)
            os.close(saved)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()


#: One for the process, as descriptors 1 and 2 are.
CAPTURE = OutputCapture()
