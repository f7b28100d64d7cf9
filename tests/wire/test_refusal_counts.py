"""Each refusal is counted on the scoreboard, once and in its own word."""

from __future__ import annotations

import ast
import errno
import os
import socket
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from indrik.engine import loop
from indrik.engine.context import RefusalRecord
from indrik.protocol.refusals import RequestRefused
from indrik.protocol.websocket_frames import WebSocketRefused
from indrik.refusals import KINDS
from tests.repo.source import SRC
from tests.wire import applications
from tests.wire import served as serving_module
from tests.wire.case import Case, get, post
from tests.wire.cases import TOPICS
from tests.wire.served import Served

NAMES = [kind.name for kind in KINDS]
CASES: dict[str, Case] = {}
for _cases in TOPICS.values():
    for _case in _cases:
        if _case.refused is not None:
            CASES.setdefault(_case.refused, _case)


def _large(environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", [])
    return [b"x" * 4_000_000]


def _of_the_base_class(environ: Any, start_response: Any) -> list[bytes]:
    raise RequestRefused("said by a middleware")


def _short_file(environ: Any, start_response: Any) -> Any:
    """A file that shrinks behind the server's back."""
    file = tempfile.NamedTemporaryFile(dir=environ["HTTP_FOLDER"], delete=False)  # noqa: SIM115
    file.truncate(4_000_000)
    start_response("200 OK", [])
    return environ["wsgi.file_wrapper"](file)


def _ask(served: Served, data: bytes) -> None:
    with served.connect() as client:
        client.send(data)


def _bad_request(folder: Path) -> Served:
    served = Served(folder, {})
    served.application = _of_the_base_class
    _ask(served, get())
    return served


def _classes(of: type[RequestRefused] = RequestRefused) -> list[type[RequestRefused]]:
    return [of, *(deeper for below in of.__subclasses__() for deeper in _classes(below))]


def _websocket_classes() -> list[type[WebSocketRefused]]:
    return [WebSocketRefused, *WebSocketRefused.__subclasses__()]


def _noted(name: str) -> Callable[[Path], Served]:
    """What is refused in the middle of an exchange that has gone on in another protocol."""

    def run(folder: Path) -> Served:
        served = Served(folder, {})
        served.engine.context.note_refusal(RefusalRecord(name, None, "said by a gateway"))
        return served

    return run


def _raised(name: str) -> Callable[[Path], Served]:
    """What only other worker kinds refuse by themselves; here the application does."""

    def application(environ: Any, start_response: Any) -> list[bytes]:
        raise next(kind for kind in _classes() if kind.kind == name)("said by the application")

    def run(folder: Path) -> Served:
        served = Served(folder, {})
        served.application = application
        _ask(served, get())
        return served

    return run


def _proxy_header(folder: Path) -> Served:
    engine = partial(loop.Engine, proxies=lambda peer: True)
    with mock.patch.object(serving_module, "Engine", engine):
        served = Served(folder, {"proxy_protocol": "v1"})
    _ask(served, get())
    return served


def _proxy_peer(folder: Path) -> Served:
    served = Served(folder, {"proxy_protocol": "v1"})
    _ask(served, b"PROXY TCP4 192.0.2.1 198.51.100.2 40000 443\r\n" + get())
    return served


def _forwarded(folder: Path) -> Served:
    served = Served(folder, {"forwarded": {"field": "Forwarded", "for": 1}})
    served.is_trusted = True
    _ask(served, get('Forwarded: for="x'))
    return served


def _late(data: bytes, **settings: float) -> Callable[[Path], Served]:
    def run(folder: Path) -> Served:
        served = Served(folder, settings)
        with served.connect() as client:
            client.send(data)
            served.settle()
            served.engine.turn(5.0)
            client.receive()
        return served

    return run


def _write_timeout(folder: Path) -> Served:
    served = Served(folder, {"write_timeout": 0.05})
    served.application = _large
    with served.connect() as client:
        client._sock.sendall(get())
        while served.engine.open_connections:
            served.engine.turn(1.0)
    return served


def _storage(folder: Path) -> Served:
    served = Served(folder / "missing", {"body_buffer": 10}, _socket(folder))
    _ask(served, post("Content-Length: 100", body=b"x" * 100))
    return served


def _spool(folder: Path) -> Served:
    served = Served(folder / "missing", {"output_buffer": 10}, _socket(folder))
    served.application = _large
    with served.connect() as client:
        client._sock.sendall(get())
        served.settle()
    return served


def _send(folder: Path) -> Served:
    served = Served(folder, {})
    served.application = _short_file
    with served.connect() as client:
        client._sock.sendall(get(f"Folder: {folder}"))
        served.settle()
        for path in folder.glob("tmp*"):
            os.truncate(path, 10)
        client.receive()
    return served


def _connections(folder: Path) -> Served:
    served = Served(folder, {"worker_connections": 1})
    with served.connect(), served.connect():
        pass
    return served


def _exhausted(folder: Path) -> Served:
    listening = mock.Mock(wraps=_socket(folder))
    listening._accept.side_effect = OSError(errno.EMFILE, "too many")
    listening.family = listening._mock_wraps.family
    served = Served(folder, {}, listening)
    with served.connect():
        pass
    return served


def _socket(folder: Path) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(str(folder / "s"))
    return sock


OWN: dict[str, Callable[[Path], Served]] = {
    "bad-request": _bad_request,
    "proxy-header": _proxy_header,
    "proxy-peer": _proxy_peer,
    "forwarded": _forwarded,
    "timeout": _late(b"GET / HTTP", header_timeout=0.01),
    "write-timeout": _write_timeout,
    "storage": _storage,
    "spool": _spool,
    "send": _send,
    "connections": _connections,
    "exhausted": _exhausted,
    "queue": _raised("queue"),
    "request-timeout": _raised("request-timeout"),
    "untrusted-host": _raised("untrusted-host"),
    "route-concurrency": _raised("route-concurrency"),
    "route-rate": _raised("route-rate"),
    "websocket-handshake": _raised("websocket-handshake"),
    "websocket-version": _raised("websocket-version"),
    "websocket-frame": _noted("websocket-frame"),
    "websocket-payload": _noted("websocket-payload"),
    "websocket-size": _noted("websocket-size"),
}


def _as_case(case: Case) -> Callable[[Path], Served]:
    def run(folder: Path) -> Served:
        served = Served(folder, case.settings)
        served.is_trusted = case.trusted
        served.application = applications.BY_NAME[case.application]
        with served.connect() as client:
            client.send(case.data)
            if case.ends:
                client.end()
        return served

    return run


@pytest.mark.parametrize("kind", NAMES)
def test_each_has_its_own_counter(kind: str) -> None:
    run = OWN.get(kind) or _as_case(CASES[kind])
    # A short path: a unix socket's may have 107 bytes.
    with tempfile.TemporaryDirectory(prefix="wire-") as folder:
        served = run(Path(folder))
        totals = served.slot.totals()
        served.close()
    counted = {name: totals.refused_as(name) for name in NAMES if totals.refused_as(name)}
    assert counted == {kind: 1}
    assert totals.refused == 1
    assert [said for said, *_ in served.refusals] == [kind]


def _named_in_the_engine() -> set[str]:
    """The kinds that the engine names where it refuses without a class."""
    found = set()
    for path in (SRC / "indrik" / "engine").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call):
                continue
            called = getattr(node.func, "attr", getattr(node.func, "id", ""))
            if called.endswith("note_refusal") or called == "RefusalRecord":
                first = node.args[0]
                if isinstance(first, ast.Constant):
                    found.add(str(first.value))
    return found


def test_every_refusal_is_a_row_and_every_row_a_refusal() -> None:
    assert len(set(NAMES)) == len(NAMES)
    of_websocket = {kind.kind for kind in _websocket_classes()}
    assert set(NAMES) == {kind.kind for kind in _classes()} | of_websocket | _named_in_the_engine()
