"""A terminal for tests: a shell that goes on between commands, and what it and its children have printed."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.process.server import wait_for

# Each name read is a file of commands. What they are given as $? is the status of those before.
_SHELL = """\
status=0
while read -r name; do
    (exit "$status")
    . "$name" </dev/null
    status=$?
    echo "$status" >"$name.part"
    mv "$name.part" "$name.status"
done
"""


class Terminal:
    """One shell. It works in `folder` at first; `notes` is for its own files."""

    def __init__(self, folder: Path, notes: Path, environment: Mapping[str, str]) -> None:
        notes.mkdir()
        self._notes = notes
        self._count = 0
        self._read = 0
        self._output = notes / "output"
        with open(self._output, "wb") as output:
            self._process = subprocess.Popen(
                ["sh", "-c", _SHELL],
                cwd=folder,
                env=dict(environment),
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                text=True,
                # A group of its own: whatever is left behind can be found and killed.
                start_new_session=True,
            )

    def begin(self, commands: str) -> None:
        """Type commands and do not wait for their end."""
        self._count += 1
        self._file.write_text(commands)
        assert self._process.stdin is not None
        self._process.stdin.write(f"{self._file}\n")
        self._process.stdin.flush()

    def wait_end(self, seconds: float) -> int:
        """The exit status of the last command typed; 0 if there is none."""
        if not self._count:
            return 0
        status = self._file.with_suffix(".status")
        try:
            wait_for(status.exists, "the end of a command", seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}: {self._file.read_text()}\n{self.unread()}") from None
        return int(status.read_text())

    def unread(self) -> str:
        """What was printed since `mark_read`."""
        with open(self._output, "rb") as output:
            output.seek(self._read)
            return output.read().decode()

    def mark_read(self, text: str) -> None:
        """The first unread text was `text`."""
        self._read += len(text.encode())

    def close(self) -> None:
        """Nothing that was started here survives it."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.communicate()

    @property
    def _file(self) -> Path:
        return self._notes / f"{self._count}"
