"""The real engine and gateway inside the test's process, turned by the test itself: nothing is waited for.

Clients come over a unix socket: what one side has sent is there for the other when the call returns.
"""

from __future__ import annotations

import dataclasses
import select
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from indrik.engine.context import RefusalRecord
from indrik.engine.exchange import Exchange, Handler
from indrik.engine.loop import Engine
from indrik.engine.settings import EngineSettings
from indrik.gateway.environ import EnvironBuilder, EnvironSettings
from indrik.gateway.wsgi import WSGIGateway
from indrik.log.errors_stream import ErrorsStream
from indrik.net.listeners import Listener
from indrik.protocol.limits import Limits
from indrik.protocol.request import Request
from indrik.scoreboard.board import Scoreboard
from tests.wire import applications

#: Seconds that no case should ever need.
DEADLINE = 20.0

#: Far longer than a case takes, on whatever machine: deadlines have tests of their own.
_PATIENT = {
    "keepalive": 600.0,
    "first_byte_timeout": 600.0,
    "header_timeout": 600.0,
    "body_timeout": 600.0,
    "write_timeout": 600.0,
}


class RecordingLog:
    """Stands in for the worker's logger: keeps what is said."""

    def __init__(self) -> None:
        self.access_enabled = False
        self.lines: list[str] = []
        self.quiet: list[str] = []
        self.error_log = self
        self.handlers: list[Any] = []

    def error(self, text: str, *values: object, **_: object) -> None:
        self.lines.append(text % values)

    warning = exception = error

    def debug(self, text: str, *values: object, **_: object) -> None:
        self.quiet.append(text % values)

    def access(self, *_: object) -> None:
        raise AssertionError("the access log is off")


def _chosen(settings: Mapping[str, Any], kind: type[Any]) -> dict[str, Any]:
    names = {field.name for field in dataclasses.fields(kind)}
    return {name: value for name, value in settings.items() if name in names}


class _Fresh(Handler):
    """A gateway that can be made anew: it warns of some things only once in its life."""

    def __init__(self, make: Callable[[], Handler]) -> None:
        self._make = make
        self._gateway = make()

    def renew(self) -> None:
        self._gateway = self._make()

    def handle(self, exchange: Exchange) -> None:
        self._gateway.handle(exchange)


class Served:
    """One engine under one set of settings."""

    def __init__(self, folder: Path, settings: Mapping[str, Any], sock: socket.socket | None = None) -> None:
        self.log = RecordingLog()
        self.refusals: list[tuple[str, str, str]] = []
        self.refused_requests: list[Request | None] = []
        self.calls: list[dict[str, Any]] = []
        self.is_trusted = False
        self.application = applications.BY_NAME["echo"]
        environs = EnvironBuilder(
            EnvironSettings(
                **{
                    "software": "indrik/test",
                    "errors": ErrorsStream(self.log),
                    "multithread": False,
                    "multiprocess": False,
                    **_chosen(settings, EnvironSettings),
                }
            )
        )
        self.slot = Scoreboard(1).slots[0]
        self.gateway = _Fresh(lambda: WSGIGateway(self._call, environs, self.log, self.slot))
        chosen = {
            **_PATIENT,
            **_chosen(settings, EngineSettings),
            "limits": Limits(**_chosen(settings, Limits)),
            "temporary_directory": str(folder),
        }
        self.engine = Engine(EngineSettings(**chosen), self.gateway, self.slot, self._trusts, self._refused)
        if sock is None:
            sock = socket.socket(socket.AF_UNIX)
            sock.bind(str(folder / "socket"))
        sock.listen(64)
        sock.setblocking(False)
        self.address = sock.getsockname()
        self.family = sock.family
        self._listener = Listener(sock)
        self.engine.listen([self._listener])
        self._poll = select.poll()
        self._poll.register(self.engine.fileno(), select.POLLIN)

    def _call(self, environ: dict[str, Any], start_response: Any) -> Any:
        body = environ["wsgi.input"].read()
        environ["wsgi.input"].seek(0)
        self.calls.append({**environ, "body": body})
        application = self.application
        if environ["PATH_INFO"] == "/tail":
            application = applications.BY_NAME["echo"]
        return application(environ, start_response)

    def _trusts(self, peer: tuple[str, int] | None) -> bool:
        return self.is_trusted

    def _refused(self, record: RefusalRecord) -> None:
        self.refusals.append((record.kind, record.detail, record.status))
        self.refused_requests.append(record.request)

    def reset(self) -> None:
        """Forgets what earlier cases have left."""
        self.log.lines.clear()
        self.log.quiet.clear()
        self.refusals.clear()
        self.refused_requests.clear()
        self.calls.clear()
        applications.notes.clear()
        self.gateway.renew()

    def settle(self, patience: int = 0) -> None:
        """Turns the loop until there is nothing to do; waits `patience` milliseconds for the first event."""
        give_up_at = time.monotonic() + DEADLINE
        while self._poll.poll(patience) or self.engine.context.again or self.engine.context.is_spooling:
            patience = 0
            self.engine.turn(0.0)
            assert time.monotonic() < give_up_at, "the loop does not come to rest"

    def connect(self) -> Client:
        sock = socket.socket(self.family)
        sock.connect(self.address)
        return Client(self, sock)

    def close(self) -> None:
        self.engine.close()
        self._listener.close(unlink=False)


class Client:
    """One client's end of a connection."""

    def __init__(self, served: Served, sock: socket.socket) -> None:
        self._served = served
        self._sock = sock
        sock.setblocking(False)
        self._patience = 0 if sock.family == socket.AF_UNIX else 1000
        self.received = b""
        self.is_ended = False
        served.settle(self._patience)

    def send(self, data: bytes) -> None:
        """Hands `data` over and lets the server deal with it, as long as the server takes it."""
        while data and not self.is_ended:
            try:
                sent = self._sock.send(data)
            except BlockingIOError:
                sent = 0
            except OSError:
                # The server has closed; what it said before is still there to be read.
                sent = len(data)
            data = data[sent:]
            self._served.settle(self._patience)
            self.receive()

    def send_pieces(self, pieces: Sequence[bytes]) -> None:
        for piece in pieces:
            self.send(piece)

    def end(self) -> None:
        """Ends the sending side."""
        try:
            self._sock.shutdown(socket.SHUT_WR)
        except OSError:
            # The server was quicker.
            pass
        self._served.settle(self._patience)
        self.receive()

    def receive(self) -> bytes:
        """All that has come so far."""
        while not self.is_ended:
            try:
                data = self._sock.recv(1 << 20)
            except BlockingIOError:
                break
            except ConnectionResetError:
                data = b""
            self.received += data
            self.is_ended = not data
            self._served.settle()
        return self.received

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self._sock.close()
