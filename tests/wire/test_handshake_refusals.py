"""A handler that refuses a WebSocket handshake, on the real engine: the client learns what to do instead."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from indrik.engine.exchange import Exchange, Handler
from indrik.protocol.refusals import RequestRefused
from indrik.protocol.websocket_handshake import parse_handshake, wants_websocket
from tests.wire.answers import Answer, take_apart
from tests.wire.case import get
from tests.wire.served import Served

_UPGRADE = ("Upgrade: websocket", "Connection: upgrade")
_KEY = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="


class Handshakes(Handler):
    """Refuses what is no good handshake."""

    def handle(self, exchange: Exchange) -> None:
        assert wants_websocket(exchange.request)
        with pytest.raises(RequestRefused) as found:
            parse_handshake(exchange.request)
        exchange.refuse(found.value)


@pytest.fixture
def served() -> Iterator[Served]:
    with tempfile.TemporaryDirectory(prefix="wire-") as folder:
        server = Served(Path(folder), {})
        server.gateway._gateway = Handshakes()
        yield server
        server.close()


def ask(served: Served, *fields: str) -> tuple[bytes, list[Answer]]:
    with served.connect() as client:
        client.send(get(*_UPGRADE, *fields))
        data = client.receive()
        assert client.is_ended
    # No other answer has these two fields, and the checks of all answers say so.
    plain = data.replace(b"\r\nConnection: upgrade\r\nUpgrade: websocket", b"")
    return data, take_apart(plain, ["GET"], True)


def test_another_version(served: Served) -> None:
    data, (answer,) = ask(served, _KEY, "Sec-WebSocket-Version: 8")
    assert answer.status == 426
    assert answer.get("sec-websocket-version") == "13"
    # RFC 9110 section 15.5.22.
    assert b"\r\nConnection: upgrade\r\nUpgrade: websocket\r\n" in data
    assert [kind for kind, _, _ in served.refusals] == ["websocket-version"]


def test_a_bad_key(served: Served) -> None:
    data, (answer,) = ask(served, "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: secret")
    assert answer.status == 400
    assert b"Upgrade" not in data
    assert b"secret" not in data
    assert [kind for kind, _, _ in served.refusals] == ["websocket-handshake"]
