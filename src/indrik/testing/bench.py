"""What one check works with: servers of the kind under test, and what the kind is able to do."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from indrik.testing.promises import NotPromised
from indrik.testing.server import Server
from indrik.testing.shared import SharedServer

#: Seconds after which a second request counts as not let in beside the first.
_BESIDE = 3.0


class Bench:
    """For one check, as a context manager: what it has started is gone afterwards, but for the server that
    checks share.

    worker: the kind, by name or dotted path. interface: what it calls, "wsgi" or "asgi". application: the one
    to serve, `MODULE:NAME`. options: given to every server.
    concurrent: whether it lets a second request into the application beside the first; attentive: whether it
    goes on reading, and saying that it lives, while a request is inside; None to find out. pool: holds the
    shared server.
    """

    def __init__(
        self,
        pool: SharedServer,
        worker: str,
        interface: str,
        application: str,
        options: Sequence[str] = (),
        concurrent: bool | None = None,
        attentive: bool | None = None,
    ) -> None:
        self.interface = interface
        self._worker = worker
        self._application = application
        self._options = tuple(options)
        self._concurrent = concurrent
        self._attentive = attentive
        self._folder = tempfile.TemporaryDirectory(prefix="indrik-testing-")
        self._pool = pool
        self._servers: list[Server] = []
        #: The one that the check was given last.
        self.last: Server | None = None

    def __enter__(self) -> Bench:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        for server in self._servers:
            server.kill()
        self._folder.cleanup()

    def start(self, *options: str) -> Server:
        """A server with these options, perhaps not ready yet."""
        folder = Path(self._folder.name, str(len(self._servers)))
        folder.mkdir()
        self.last = Server(folder, self._worker, self._application, (*self._options, *options))
        self._servers.append(self.last)
        return self.last

    def serve(self, *options: str) -> Server:
        """A server with these options whose worker is ready."""
        return self.start(*options).wait_ready()

    def shared(self) -> Server:
        """A server without options of the check's own, which others may have used and will use."""
        self.last = self._pool.take()
        return self.last.wait_ready()

    @property
    def is_concurrent(self) -> bool:
        """Whether the kind, as it is configured, lets a second request in beside the first."""
        if self._concurrent is None:
            self._concurrent = self._find_concurrency()
        return self._concurrent

    @property
    def known_concurrency(self) -> bool | None:
        """`is_concurrent` if it is known, else None."""
        return self._concurrent

    def _find_concurrency(self) -> bool:
        server = self.shared()
        with server.connect() as first, server.connect() as second:
            first.ask("/gate/one")
            server.wait_for_note("inside", "one")
            second.ask("/gate/two")
            try:
                server.wait_for_note("inside", "two", seconds=_BESIDE)
                found = True
            except AssertionError:
                found = False
            server.open_gate("one")
            server.open_gate("two")
            first.answer()
            second.answer()
        return found

    @property
    def is_attentive(self) -> bool:
        """Whether the kind goes on reading, and saying that it lives, while one request is inside."""
        if self._attentive is None:
            self._attentive = self._find_attention()
        return self._attentive

    @property
    def known_attention(self) -> bool | None:
        """`is_attentive` if it is known, else None."""
        return self._attentive

    def _find_attention(self) -> bool:
        server = self.shared()
        with server.connect() as held, server.connect() as wrong:
            held.ask("/gate/held")
            server.wait_for_note("inside", "held")
            wrong.send(b"no request\r\n\r\n")
            # Whoever reads it refuses it, and needs no application for that.
            found = not wrong.is_silent(_BESIDE)
            server.open_gate("held")
            held.answer()
            wrong.rest()
        return found

    @property
    def reads_bodies_first(self) -> bool:
        """Whether the application is called when the request is whole. ASGI's reads the body itself."""
        return self.interface == "wsgi"

    def need_interface(self, interface: str) -> None:
        """Ends the check unless the kind calls applications of this interface."""
        if self.interface != interface:
            raise NotPromised(f"it is about {interface}, and this kind calls {self.interface}")

    def need_concurrency(self) -> None:
        """Ends the check unless the kind has several requests inside at once."""
        if not self.is_concurrent:
            raise NotPromised("it has one request in the application at a time")
