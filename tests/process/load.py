"""Steady load from real sockets: kept-alive and fresh connections side by side, every answer checked and
timed.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from types import TracebackType

from tests.process.server import Server, get_on


class Load:
    """Clients in threads, from `with` to the end of the block. Then `failures`, `longest` and `answers` tell
    how it went.

    A client whose kept-alive connection was closed before it got any byte asks again on a fresh one, once, as
    RFC 9112 section 9.3.1 has it (`retries` counts that); everything else that is no whole 200 is a failure.
    """

    def __init__(
        self, server: Server, kept: int = 2, fresh: int = 2, pause: float = 0.002, path: str = "/"
    ) -> None:
        self._server = server
        self._address = server.address
        self._pause = pause
        self._path = path
        self._stop = threading.Event()
        self.failures: list[str] = []
        self.answers: list[str] = []
        self.longest = 0.0
        self.retries = 0
        clients = [(self._keep, "kept")] * kept + [(self._fresh, "fresh")] * fresh
        self._threads = [threading.Thread(target=self._run, args=client) for client in clients]
        self._kept: dict[int, socket.socket] = {}

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()
        for sock in self._kept.values():
            sock.close()

    def _run(self, client: Callable[[], str], name: str) -> None:
        while not self._stop.is_set():
            begin = time.monotonic()
            try:
                self.answers.append(client())
            except (OSError, AssertionError) as error:
                self.failures.append(f"{name}: {error!r}")
            self.longest = max(self.longest, time.monotonic() - begin)
            # A pace, not a wait for a condition.
            time.sleep(self._pause)

    def _fresh(self) -> str:
        with self._connect() as sock:
            return get_on(sock, self._path, close=True)

    def _keep(self) -> str:
        me = threading.get_ident()
        sock = self._kept.pop(me, None)
        if sock is not None:
            try:
                body = get_on(sock, self._path)
                self._kept[me] = sock
                return body
            except (ConnectionError, BrokenPipeError):
                sock.close()
                self.retries += 1
        sock = self._connect()
        body = get_on(sock, self._path)
        self._kept[me] = sock
        return body

    def _connect(self) -> socket.socket:
        return self._server.connect()

    @property
    def versions(self) -> set[str]:
        """What versions of the application have answered."""
        return {answer.split()[1] for answer in self.answers}
