"""The fuzzers' short run: seeds, every input that broke an invariant, the same mutations each time."""

from __future__ import annotations

import importlib
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fuzz import harnesses, mutation, reading
from fuzz.harnesses import NAMES
from indrik.protocol.refusals import InvalidChunk, InvalidFraming
from tests.variants import each

CRASHERS = Path(harnesses.__file__).resolve().parent / "crashers"

#: Mutations of each harness: about a second on the uncompiled build, where connections are the dearest.
COUNTS = dict.fromkeys(NAMES, 4000) | {"connection": 500}
#: Every how manieth seed is run as it is; the wire cases run them all.
STEPS = dict.fromkeys(NAMES, 1) | {"connection": 4}


@pytest.mark.parametrize("name", NAMES)
def test_seeds_and_mutations(name: str) -> None:
    harness = harnesses.load(name)
    seeds = harness.SEEDS[:: STEPS[name]]
    outcomes = set()
    for data in itertools.chain(seeds, mutation.mutations(harness.SEEDS, harness.WORDS, 1, COUNTS[name])):
        try:
            outcomes.add(harness.check(data)[:80])
        except BaseException as error:
            raise AssertionError(f"{name} is broken by {data!r}") from error
    # A harness that lets everything through in one way would prove nothing.
    assert len(outcomes) > 20


def crashers() -> Iterator[Path]:
    return (path for path in sorted(CRASHERS.glob("*/*")) if path.parent.name in NAMES)


@pytest.mark.parametrize("path", tuple(crashers()), ids=lambda path: f"{path.parent.name}-{path.name[:20]}")
def test_inputs_that_broke_an_invariant(path: Path) -> None:
    harnesses.load(path.parent.name).check(path.read_bytes())


def test_pieces_are_the_whole() -> None:
    data = bytes(range(256)) * 3 + b"\r\n\r\nx\r\n"

    def cut(how: int) -> None:
        parts = list(reading.pieces(data, how))
        assert b"".join(parts) == data
        assert all(parts)
        assert (len(parts) > 1) == (how > 0)

    each(range(256), cut)


def test_mutations_are_the_same_each_time() -> None:
    first, again, other = (
        list(mutation.mutations((b"GET /", b"x"), (b"a",), seed, 50)) for seed in (1, 1, 2)
    )
    assert first == again != other


class TestTheHarnessesThemselves:
    """A harness must see what it is there for, so each meets a broken part."""

    @pytest.fixture(autouse=True)
    def fresh(self) -> Iterator[None]:
        connection: Any = importlib.import_module("fuzz.connection")
        yield
        while connection._servers:
            connection._servers.popitem()[1].close()

    def broken(
        self, monkeypatch: pytest.MonkeyPatch, name: str, part: str, value: object, data: bytes
    ) -> pytest.ExceptionInfo[BaseException]:
        harness = harnesses.load(name)
        harness.check(data)
        monkeypatch.setattr(harness, part, value)
        with pytest.raises(BaseException) as found:
            harness.check(data)
        return found

    def test_request_head(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def incomplete(which: int, head: bytes) -> str:
            return "refused" if b"Host" in head else ""

        data = b"\0\0GET / HTTP/1.1\r\nHost: a\r\n\r\n"
        assert "refused" in str(
            self.broken(monkeypatch, "request_head", "_incomplete", incomplete, data).value
        )

    def test_request_head_other_reader(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def h11_head(head: bytes) -> Any:
            return "GET", "/", [("X", "2")]

        data = b"\0\0GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n\r\n"
        assert "h11" in str(self.broken(monkeypatch, "request_head", "h11_head", h11_head, data).value)

    def test_chunked_body(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from indrik.protocol.chunked import ChunkedDecoder

        class Decoder(ChunkedDecoder):
            __slots__ = ()

            def feed(self, data: bytes) -> tuple[list[bytes], bytes]:
                if len(data) == 1:
                    raise InvalidChunk("too short")
                return super().feed(data)

        data = b"\0\x010\r\n\r\n"
        assert "cut" in str(self.broken(monkeypatch, "chunked_body", "ChunkedDecoder", Decoder, data).value)

    def test_websocket_pieces(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from indrik.protocol.websocket import Decoder

        class Hasty:
            """Forgets what it holds when the next piece is one octet."""

            def __init__(self, *arguments: Any) -> None:
                self._arguments = arguments
                self._decoder = Decoder(*arguments)

            def __getattr__(self, name: str) -> Any:
                return getattr(self._decoder, name)

            def feed(self, data: bytes) -> list[Any]:
                if len(data) == 1:
                    self._decoder = Decoder(*self._arguments)
                return self._decoder.feed(data)

        data = b"\0\1\0" + b"\x81\x82\0\0\0\0hi"
        assert "cut" in str(self.broken(monkeypatch, "websocket", "Decoder", Hasty, data).value)

    def test_websocket_sees_what_others_read(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from tests.wire.frame_references import Reading

        def deaf(*_: object) -> Reading:
            return Reading([(1, "ho")], None)

        data = b"\0\0\0" + b"\x81\x82\0\0\0\0hi"
        assert "ho" in str(self.broken(monkeypatch, "websocket", "wsproto_reading", deaf, data).value)

    def test_websocket_handshake(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from indrik.protocol.websocket_handshake import render_accept

        def twice(*arguments: Any) -> bytes:
            return render_accept(*arguments).replace(b"\r\nDate", b"\r\nUpgrade: websocket\r\nDate")

        harness = harnesses.load("websocket_handshake")
        self.broken(monkeypatch, "websocket_handshake", "render_accept", twice, harness.SEEDS[0])

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            (b"\r\nDate", b"\r\nX: y\r\nDate"),
            (b"\r\nDate", b"\r\nDate: 1\r\nDate"),
            (b"\r\n\r\n", b"\r\n"),
            (b"\r\n\r\n", b"\r\n\r\nx"),
            (b"\r\nServer", b"\0\r\nServer"),
            (b"\r\nServer", b"\nServer"),
            (b"\r\nContent-Length: 5", b""),
            (b"\r\nContent-Length: 5", b"\r\nContent-Length: 6"),
            (b"\r\nContent-Length: 5", b"\r\nContent-Length: 5\r\nTransfer-Encoding: chunked"),
            (b"HTTP/1.1 200", b"HTTP/1.1 20"),
        ],
    )
    def test_response_head(self, monkeypatch: pytest.MonkeyPatch, old: bytes, new: bytes) -> None:
        from indrik.protocol.response import render

        class Head:
            def __init__(self, *arguments: Any) -> None:
                head = render(*arguments)
                self.has_body, self.is_chunked, self.dropped = head.has_body, head.is_chunked, head.dropped
                self.content_length, self.keep_alive = head.content_length, head.keep_alive
                assert old in head.data
                self.data = head.data.replace(old, new)

        # Keep-alive, a body of 5 octets, 200 OK.
        found = self.broken(monkeypatch, "response_head", "render", Head, b"\4\2\0")
        assert isinstance(found.value, AssertionError) or "h11" in type(found.value).__module__

    def test_proxy_header(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from indrik.protocol.proxy_header import NO_HEADER

        def early(data: bytes, mode: str, is_allowed: bool) -> Any:
            return NO_HEADER

        self.broken(monkeypatch, "proxy_header", "parse_proxy_header", early, b"\0PROXY UNKNOWN\r\n")

    def test_environ(self, monkeypatch: pytest.MonkeyPatch) -> None:
        class Builder:
            def build(self, exchange: Any) -> Any:
                raise ValueError("neither refused nor misconfigured")

        data = b"\0GET / HTTP/1.1\r\nHost: a\r\n\r\n"
        value = (("", Builder()), ("", Builder()))
        assert isinstance(self.broken(monkeypatch, "environ", "_BUILDERS", value, data).value, ValueError)

    def test_connection_sees_what_others_read(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from fuzz.references import Message

        def smuggled(stream: bytes) -> Any:
            return [Message("GET", "/", b""), Message("GET", "/admin", b"")], True

        data = b"\0\1\0" + b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 2
        assert "/admin" in str(self.broken(monkeypatch, "connection", "h11_messages", smuggled, data).value)

    def test_connection_sees_errors_of_the_gateway(self, monkeypatch: pytest.MonkeyPatch) -> None:
        harness: Any = harnesses.load("connection")

        def call(self: Any, environ: Any, start_response: Any) -> Any:
            raise ValueError("not on purpose")

        monkeypatch.setattr(harness._Server, "_call", call)
        with pytest.raises(harness.UnexpectedError):
            harness.check(b"\0\0\0GET / HTTP/1.1\r\nHost: a\r\n\r\n")

    def test_connection_sees_exceptions_out_of_the_loop(self, monkeypatch: pytest.MonkeyPatch) -> None:
        harness: Any = harnesses.load("connection")

        def refused(*_: object) -> None:
            raise InvalidFraming("out of the loop")

        monkeypatch.setattr(harness._Server, "_refused", refused)
        with pytest.raises(InvalidFraming):
            harness.check(b"\0\0\0GET / HTTP/1.1\r\nHost : a\r\n\r\n")
