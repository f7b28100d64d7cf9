"""The real command in a process of its own, with its log, its workers, and how it ends."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from indrik.testing.client import Answer, Client
from indrik.testing.notes import VARIABLE
from indrik.testing.promises import DEADLINE, Broken, wait_for

#: What the server must not see of the environment of whoever runs the suite.
_PRIVATE = (
    *("INDRIK_", "GUNICORN_", "LISTEN_", "NOTIFY_SOCKET", "WATCHDOG_", "WEB_CONCURRENCY", "PORT"),
    *("FORWARDED_", "SENDFILE", "SCRIPT_NAME"),
)


class Server:
    """`python -m indrik` with one worker on a free port, in `folder`; with the `sys.path` of this process."""

    def __init__(self, folder: Path, worker: str, application: str, options: Sequence[str]) -> None:
        self.log_path = folder / "log"
        self.notes_path = folder / "notes"
        self._folder = folder
        # Where the log and the notes of the present check begin, in bytes.
        self._log_begin = self._notes_begin = 0
        self._address: tuple[str, int] | None = None
        self._is_ready = False
        environment = {name: value for name, value in os.environ.items() if not name.startswith(_PRIVATE)}
        environment["PYTHONPATH"] = os.pathsep.join(os.path.abspath(entry) for entry in sys.path)
        environment[VARIABLE] = str(self.notes_path)
        command = [sys.executable, "-m", "indrik", "-k", worker, "--bind", "127.0.0.1:0"]
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [*command, "--log-level", "debug", *options, application],
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # A group of its own, so that whatever is left behind can be killed with it.
                start_new_session=True,
            )

    def begin_anew(self) -> None:
        """For the next check: it finds an empty log, no notes, and closed gates."""
        self._log_begin = self.log_path.stat().st_size
        self._notes_begin = self.notes_path.stat().st_size if self.notes_path.exists() else 0
        for gate in self._folder.glob("gate-*"):
            gate.unlink()

    # --- the log ---

    def log(self) -> str:
        """All that the server has written in the present check."""
        return self.log_path.read_bytes()[self._log_begin :].decode(errors="replace")

    def whole_log(self) -> str:
        """All that the server has written."""
        return self.log_path.read_text(errors="replace")

    def wait_for_log(self, pattern: str, seconds: float = DEADLINE) -> re.Match[str]:
        """The first match of `pattern` in the log. Fails at once if the server ends without one."""

        def find() -> re.Match[str] | None:
            ended = self.process.poll()
            match = re.search(pattern, self.log())
            if match is None and ended is not None:
                raise Broken(f"the server has ended with status {ended}, without {pattern!r} in its log")
            return match

        match = wait_for(find, f"{pattern!r} in the log", seconds)
        assert match is not None
        return match

    # --- processes ---

    def wait_ready(self) -> Server:
        """Until the first worker is ready."""
        if not self._is_ready:
            self.wait_for_log("Worker is ready")
            self._is_ready = True
        return self

    def workers(self) -> list[int]:
        """The worker processes."""
        pid = self.process.pid
        with contextlib.suppress(OSError):
            return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
        return []

    def send_signal(self, number: int) -> None:
        """To the master."""
        self.process.send_signal(number)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Sends a signal; the exit status."""
        self.send_signal(number)
        return self.wait_exit()

    def wait_exit(self, seconds: float = DEADLINE) -> int:
        """The exit status, once there is one."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Broken(f"the server has not ended within {seconds:g} s") from None

    def kill(self) -> None:
        """Ends everything that is left."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    # --- HTTP ---

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        if self._address is None:
            match = self.wait_for_log(r"Listening at: http://([\d.]+):(\d+)")
            self._address = match[1], int(match[2])
        return self._address

    def connect(self, receive_buffer: int = 0) -> Client:
        """A connection; with `receive_buffer`, one that takes hardly more than so many bytes unread."""
        return Client(self.address, receive_buffer)

    def get(self, path: str = "/", *fields: str) -> Answer:
        """Asks on a connection of its own."""
        with self.connect() as client:
            return client.get(path, "Connection: close", *fields)

    # --- the applications' side ---

    def notes(self, *words: str) -> list[str]:
        """The lines that the application and the hooks have written in the present check; those that begin
        with `words`.
        """
        prefix = " ".join(words)
        data = self.notes_path.read_bytes()[self._notes_begin :] if self.notes_path.exists() else b""
        lines = data.decode().splitlines()
        return [line for line in lines if not words or line == prefix or line.startswith(prefix + " ")]

    def wait_for_note(self, *words: str, count: int = 1, seconds: float = DEADLINE) -> str:
        """The `count`th line that begins with `words`."""

        def find() -> str | None:
            found = self.notes(*words)
            return found[count - 1] if len(found) >= count else None

        line = wait_for(find, f"{' '.join(words)!r} from inside the server", seconds)
        assert line is not None
        return line

    def open_gate(self, name: str) -> None:
        """Lets the request through that waits at a gate, and all that come there."""
        (self._folder / f"gate-{name}").touch()
