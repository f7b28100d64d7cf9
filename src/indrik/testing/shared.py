"""The server that checks share when they leave it as they found it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from indrik.testing.server import Server


class SharedServer:
    """Starts it for the first check that asks, as a context manager: it is gone afterwards.

    start: starts a server of the kind under test, with its log and notes in a folder.
    """

    def __init__(self, start: Callable[[Path], Server]) -> None:
        self._start = start
        self._server: Server | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def __enter__(self) -> SharedServer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.discard()

    def take(self) -> Server:
        """The server, perhaps not ready yet, with nothing of earlier checks in its log or its notes."""
        if self._server is None:
            self._folder = tempfile.TemporaryDirectory(prefix="indrik-testing-")
            self._server = self._start(Path(self._folder.name))
        else:
            self._server.begin_anew()
        return self._server

    def discard(self) -> None:
        """The next check gets another one: nobody knows what one that has failed has left behind."""
        if self._server is not None:
            self._server.kill()
            self._server = None
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None
