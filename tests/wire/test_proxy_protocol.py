"""Connections that begin with a PROXY header, or ought to, through the engine and the gateway."""

from __future__ import annotations

import socket
import struct
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from indrik.engine.context import RefusalRecord
from indrik.engine.loop import Engine
from tests.wire import served as serving_module
from tests.wire.answers import take_apart
from tests.wire.case import get
from tests.wire.served import DEADLINE, Client, Served

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
V1 = b"PROXY TCP4 192.0.2.1 198.51.100.2 40000 443\r\n"
V2 = (
    SIGNATURE
    + struct.pack("!BBH4B4BHH", 0x21, 0x11, 15, 192, 0, 2, 1, 198, 51, 100, 2, 40000, 443)
    + b"\x04\0\0"
)
V2_UNIX = SIGNATURE + struct.pack("!BBH", 0x21, 0x31, 216) + b"/a".ljust(216, b"\0")
LOCAL = SIGNATURE + struct.pack("!BBH", 0x20, 0x00, 0)
PROXIED = {
    "PROXY_PROTOCOL": "TCP4",
    "PROXY_ADDR": "198.51.100.2",
    "PROXY_PORT": "443",
    "REMOTE_ADDR": "192.0.2.1",
    "REMOTE_PORT": "40000",
}


@contextmanager
def serving(
    mode: str, is_allowed: bool = True, family: int = socket.AF_UNIX, **settings: Any
) -> Iterator[Served]:
    """A server whose only peer may send PROXY headers, or may not."""
    sock = None
    if family == socket.AF_INET:
        sock = socket.socket()
        sock.bind(("127.0.0.1", 0))
    # A short path: a unix socket's may have 107 bytes.
    with tempfile.TemporaryDirectory(prefix="wire-") as folder:
        engine = partial(Engine, proxies=lambda peer: is_allowed)
        with mock.patch.object(serving_module, "Engine", engine):
            served = Served(Path(folder), {"proxy_protocol": mode, **settings}, sock)
        try:
            yield served
        finally:
            served.close()


def statuses(client: Client) -> list[int]:
    return [answer.status for answer in take_apart(client.received, [], client.is_ended)]


def turn_until_ended(served: Served, client: Client) -> None:
    give_up_at = time.monotonic() + DEADLINE
    while not client.is_ended:
        assert time.monotonic() < give_up_at, f"not closed: {client.received!r}"
        served.engine.turn(0.1)
        client.receive()


@pytest.mark.parametrize("header", [V1, V2])
@pytest.mark.parametrize("mode", ["single", "auto"])
@pytest.mark.parametrize("size", [1, 7, 16, 10000])
def test_header_before_requests(header: bytes, mode: str, size: int) -> None:
    if mode == "single":
        mode = "v1" if header is V1 else "v2"
    data = header + get(target="/one") + get(target="/two")
    with serving(mode) as served, served.connect() as client:
        client.send_pieces([data[at : at + size] for at in range(0, len(data), size)])
        assert statuses(client) == [200, 200]
        assert not client.is_ended
        assert [call["PATH_INFO"] for call in served.calls] == ["/one", "/two"]
        # The header speaks for the whole connection.
        for call in served.calls:
            assert PROXIED.items() <= call.items()
            # The listener is a unix socket, so the client's Host has to name the server.
            assert call["SERVER_NAME"] == "a"


def test_listener_with_an_address() -> None:
    with serving("v1", family=socket.AF_INET) as served, served.connect() as client:
        client.send(V1 + get())
        assert PROXIED.items() <= served.calls[0].items()
        assert served.calls[0]["SERVER_NAME"] == "127.0.0.1"
        assert served.calls[0]["SERVER_PORT"] == str(served.address[1])


@pytest.mark.parametrize(("header", "protocol"), [(LOCAL, "LOCAL"), (b"PROXY UNKNOWN x\r\n", "UNKNOWN")])
def test_proxy_that_speaks_for_itself(header: bytes, protocol: str) -> None:
    with serving("auto", family=socket.AF_INET) as served, served.connect() as client:
        client.send(header + get())
        call = served.calls[0]
        assert (call["REMOTE_ADDR"], call["PROXY_PROTOCOL"]) == ("127.0.0.1", protocol)
        assert call["REMOTE_PORT"].isdigit()
        assert "PROXY_ADDR" not in call


def test_client_of_a_unix_socket() -> None:
    with serving("v2", family=socket.AF_INET) as served, served.connect() as client:
        client.send(V2_UNIX + get())
        call = served.calls[0]
        assert (call["REMOTE_ADDR"], call["REMOTE_PORT"], call["PROXY_PROTOCOL"]) == ("", "", "UNIX")
        assert "PROXY_ADDR" not in call


def test_auto_needs_no_header() -> None:
    with serving("auto", family=socket.AF_INET) as served, served.connect() as client:
        client.send_pieces([b"\r", b"\nG", get()[1:]])
        assert statuses(client) == [200]
        assert served.calls[0]["REMOTE_ADDR"] == "127.0.0.1"
        assert "PROXY_PROTOCOL" not in served.calls[0]


@pytest.mark.parametrize(
    ("mode", "data"),
    [
        ("v1", get()),
        ("v2", get()),
        ("v1", V2 + get()),
        ("v2", V1 + get()),
        ("auto", b"PROXY TCP4 x x 1 1\r\n" + get()),
        ("auto", V1.replace(b"\r", b"") + get()),
        ("v2", SIGNATURE + b"\x31\x11\0\x0c" + bytes(12) + get()),
    ],
)
def test_refused(mode: str, data: bytes) -> None:
    for pieces in ([data], [data[at : at + 1] for at in range(len(data))]):
        with serving(mode) as served, served.connect() as client:
            client.send_pieces(pieces)
            assert statuses(client) == [400]
            assert client.is_ended
            assert not served.calls
            assert [kind for kind, *_ in served.refusals] == ["proxy-header"]


@pytest.mark.parametrize("mode", ["v1", "v2", "auto"])
def test_peer_that_may_not_send_one(mode: str) -> None:
    for header in (V1, V2):
        with serving(mode, is_allowed=False) as served, served.connect() as client:
            client.send(header + get())
            assert statuses(client) == [403]
            assert client.is_ended
            assert [kind for kind, *_ in served.refusals] == ["proxy-peer"]
    with serving(mode, is_allowed=False) as served, served.connect() as client:
        client.send(get())
        assert statuses(client) == [200]


def test_second_header_is_no_request() -> None:
    with serving("auto") as served, served.connect() as client:
        client.send(V1 + get() + V1 + get())
        assert statuses(client) == [200, 400]


def test_header_means_nothing_when_off() -> None:
    for header in (V1, V2):
        with serving("off") as served, served.connect() as client:
            client.send(header + get())
            assert statuses(client) == [400]
            assert not served.calls


def test_trust_is_the_real_peers() -> None:
    asked: list[object] = []

    def trusts(_: Served, peer: object) -> bool:
        asked.append(peer)
        return True

    secure = {"X-FORWARDED-PROTO": "https"}
    rules: dict[str, Any] = {"secure_scheme_headers": secure, "forwarded": {"host": 1}}
    with (
        mock.patch.object(Served, "_trusts", trusts),
        serving("v1", family=socket.AF_INET, **rules) as served,
        served.connect() as client,
    ):
        client.send(V1 + get("X-Forwarded-Proto: https", "X-Forwarded-Host: outer"))
        assert [peer[0] for peer in asked if isinstance(peer, tuple)] == ["127.0.0.1"]
        call = served.calls[0]
        assert (call["wsgi.url_scheme"], call["HTTP_HOST"]) == ("https", "outer")
        assert call["werkzeug.proxy_fix.orig"]["REMOTE_ADDR"] == call["REMOTE_ADDR"] == "192.0.2.1"


def test_refusals_name_the_client() -> None:
    peers: list[object] = []

    def refused(_: Served, record: RefusalRecord) -> None:
        peers.append(record.peer)

    with mock.patch.object(Served, "_refused", refused), serving("v1") as served, served.connect() as client:
        client.send(V1 + b"GET / HTTP/1.1\r\n\r\n")
        assert statuses(client) == [400]
    assert peers == [("192.0.2.1", 40000)]


@pytest.mark.parametrize("data", [b"PROXY TCP4 192", SIGNATURE, V2[:-1], b"P", V1 + b"GET / "])
def test_unfinished_header_times_out(data: bytes) -> None:
    with serving("auto", header_timeout=0.05) as served, served.connect() as client:
        client.send(data)
        turn_until_ended(served, client)
        assert statuses(client) == [408]


def test_silence_behind_the_header_times_out() -> None:
    with serving("auto", header_timeout=600.0, first_byte_timeout=0.05) as served, served.connect() as client:
        client.send_pieces([V1[:9], V1[9:]])
        turn_until_ended(served, client)
        assert client.received == b""


def test_client_that_says_nothing() -> None:
    # As health checks do.
    with serving("v2") as served:
        with served.connect():
            served.settle()
        served.settle(1000)
        assert served.engine.open_connections == 0
        assert not served.refusals


def test_silent_client_makes_room() -> None:
    with (
        serving("v1", worker_connections=1) as served,
        served.connect() as silent,
        served.connect() as client,
    ):
        client.send(V1 + get())
        assert statuses(client) == [200]
        silent.receive()
        assert silent.is_ended


def test_silent_client_does_not_hold_up_a_leaving_worker() -> None:
    with serving("v1") as served, served.connect() as client:
        served.engine.stop_listening()
        served.engine.drain()
        turn_until_ended(served, client)
        assert client.received == b""
