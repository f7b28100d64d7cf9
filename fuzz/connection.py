"""Invariant: whatever arrives in whatever pieces, each request is answered once, or refused and the last.

No exception leaves `Engine.turn`; the loop comes to rest; `h11` reads every answer; behind a refusal the
connection ends; pieces give what the whole gives; what reached the application is what `h11` and
`httptools` read up to there, or they refuse it; nothing is left behind when the client is gone.
"""

from __future__ import annotations

import contextlib
import select
import socket
import sys
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import h11

from fuzz.reading import Reader, pieces
from fuzz.references import Message, h11_messages, httptools_messages
from fuzz.request_head import WORDS as HEAD_WORDS
from fuzz.seeds import wire_messages
from indrik.engine.context import RefusalRecord
from indrik.engine.loop import Engine
from indrik.engine.settings import EngineSettings
from indrik.errors import ConfigError
from indrik.gateway.environ import EnvironBuilder, EnvironSettings
from indrik.gateway.wsgi import WSGIGateway
from indrik.net.listeners import Listener
from indrik.protocol.limits import Limits
from indrik.protocol.response import CONTINUE
from indrik.scoreboard.board import Scoreboard

#: Turns of the loop that a run may take for each piece that it was sent or took; a healthy one takes a few.
_MOST_TURNS = 200

#: Longer than any run: deadlines have tests of their own.
_PATIENCE = 600.0

_SETTINGS: tuple[dict[str, Any], ...] = (
    {"limits": Limits()},
    {
        "limits": Limits(line=40, fields=3, field_size=24, head=120, body=20),
        "body_buffer": 6,
        "output_buffer": 64,
    },
    {
        "limits": Limits(
            permit_obsolete_folding=True,
            permit_space_before_colon=True,
            permit_unconventional_method=True,
            permit_unconventional_version=True,
            casefold_method=True,
            header_map="dangerous",
        )
    },
    {"limits": Limits(), "keepalive": 0.0},
)

#: So long that it is received apart from its head.
_BODY = b"0123456789abcde\n" * 100

WORDS = (
    *HEAD_WORDS,
    _BODY,
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1600\r\n\r\n" + _BODY,
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"0\r\n\r\n",
    b"5\r\nhello\r\n",
    b"hello",
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
    b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
)

_OWN = (
    WORDS[-6] + WORDS[-1] + WORDS[-2] + WORDS[-6],
    WORDS[-6].replace(b"GET", b"HEAD") * 3,
    WORDS[-6].replace(b"1.1", b"1.0") + WORDS[-6],
    WORDS[-7] * 2 + WORDS[-6],
    WORDS[-6] + WORDS[-7] + WORDS[-2],
    WORDS[-2].replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n") + WORDS[-6],
)

SEEDS = (
    *(bytes((0, how, 0)) + message for how in (1, 7) for message in wire_messages()),
    *(
        bytes((which, how, shape)) + message
        for which in range(len(_SETTINGS))
        for how in (1, 2)
        for shape in range(6)
        for message in _OWN
    ),
)


class _Log:
    """Takes what the gateway says; an application that raises on purpose is all that it may speak of."""

    access_enabled = False

    def __init__(self) -> None:
        self.misconfigured = 0

    def error(self, text: str, *values: object, **_: object) -> None:
        text % values

    debug = warning = error

    def exception(self, text: str, *values: object) -> None:
        error = sys.exc_info()[1]
        if isinstance(error, ConfigError):
            # The path of a trusted proxy's request does not begin with the SCRIPT_NAME that it sent: 500.
            self.misconfigured += 1
        elif not isinstance(error, _OnPurpose):
            raise UnexpectedError(text % values) from error


class UnexpectedError(BaseException):
    """The gateway met an exception of its own. No `Exception`: it would take that for the application's."""


class _OnPurpose(Exception):
    """Raised by an application of the harness."""


_LARGE = b"0123456789abcdef" * 20000


def _parts(body: bytes) -> Iterator[bytes]:
    yield b""
    yield body or b"-"
    yield b"end"


def _application(shape: int, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Answers in one of the ways that an engine has to tell apart."""
    body = environ["wsgi.input"].read()
    if shape == 1:
        start_response("200 OK", [("Content-Type", "text/plain")])
        return _parts(body)
    if shape == 2:
        start_response("200 OK", [("Content-Length", str(len(_LARGE)))])
        return [_LARGE]
    if shape == 3:
        raise _OnPurpose
    if shape == 4:
        start_response("204 No Content", [])
        return []
    if shape == 5:
        write = start_response("200 OK", [("Content-Length", "3")])
        write(b"ab")
        return [b"cdef"]
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]


class _Outcome(NamedTuple):
    """What came of one connection.

    calls: the requests that the application saw. statuses: of all answers. refusals: their kinds. is_ended:
    whether the server ended it. misconfigured: requests answered with 500, their SCRIPT_NAME does not fit.
    """

    calls: tuple[Message, ...]
    statuses: tuple[int, ...]
    refusals: tuple[str, ...]
    is_ended: bool
    misconfigured: int


class _Server:
    """One engine under one set of settings; clients come over a unix socket without a file."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self.shape = 0
        self.is_trusted = False
        self.calls: list[Message] = []
        self.refusals: list[str] = []
        self.log = log = _Log()
        environs = EnvironBuilder(
            EnvironSettings(
                software="indrik/fuzz",
                errors=sys.stderr,  # type: ignore[arg-type]  # io.TextIOWrapper by another name
                multithread=False,
                multiprocess=False,
            )
        )
        self.slot = Scoreboard(1).slots[0]
        delays = dict.fromkeys(
            ("first_byte_timeout", "header_timeout", "body_timeout", "write_timeout"), _PATIENCE
        )
        self.engine = Engine(
            EngineSettings(**{"keepalive": _PATIENCE, **delays, **settings}),
            WSGIGateway(self._call, environs, log, self.slot),
            self.slot,
            lambda peer: self.is_trusted,
            self._refused,
        )
        sock = socket.socket(socket.AF_UNIX)
        sock.bind("")  # an abstract name of the kernel's choice, unix(7)
        sock.listen(8)
        sock.setblocking(False)
        self.address = sock.getsockname()
        self._listener = Listener(sock)
        self.engine.listen([self._listener])
        self._poll = select.poll()
        self._poll.register(self.engine.fileno(), select.POLLIN)

    def _call(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        body = environ["wsgi.input"].read()
        environ["wsgi.input"].seek(0)
        self.calls.append(Message(environ["REQUEST_METHOD"], environ["RAW_URI"], body))
        return _application(self.shape, environ, start_response)

    def _refused(self, record: RefusalRecord) -> None:
        assert record.status, f"{record.kind}: {record.detail}"
        self.refusals.append(record.kind)

    def close(self) -> None:
        self.engine.close()
        self._listener.close(unlink=False)

    def settle(self) -> None:
        turns = 0
        while self._poll.poll(0) or self.engine.context.again or self.engine.context.is_spooling:
            self.engine.turn(0.0)
            turns += 1
            assert turns < _MOST_TURNS, "the loop does not come to rest"

    def run(self, stream: bytes, how: int, shape: int, ends: bool, is_trusted: bool) -> _Outcome:
        self.calls = []
        self.refusals = []
        self.log.misconfigured = 0
        self.shape = shape
        self.is_trusted = is_trusted
        received = bytearray()
        is_ended = False
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(self.address)
            client.setblocking(False)
            for piece in pieces(stream, how):
                while piece and not is_ended:
                    try:
                        piece = piece[client.send(piece) :]
                    except BlockingIOError:
                        pass
                    except (BrokenPipeError, ConnectionResetError):
                        piece = b""
                    self.settle()
                    is_ended = self._take(client, received)
            if ends and not is_ended:
                with contextlib.suppress(OSError):
                    client.shutdown(socket.SHUT_WR)
            self.settle()
            is_ended = self._take(client, received) or is_ended
            # A body that its client's leaving cuts short is refused without an answer.
            refusals = tuple(self.refusals)
        self.settle()
        assert self.engine.open_connections == 0, "a connection outlives its client"
        assert self.slot.in_progress == 0
        statuses = _read_answers(bytes(received), self.calls, is_ended)
        return _Outcome(tuple(self.calls), statuses, refusals, is_ended, self.log.misconfigured)

    def _take(self, client: socket.socket, into: bytearray) -> bool:
        while True:
            try:
                data = client.recv(1 << 20)
            except BlockingIOError:
                return False
            except ConnectionResetError:
                raise AssertionError("the connection was reset before the answer could be read") from None
            if not data:
                return True
            into += data
            self.settle()


_servers: dict[int, _Server] = {}


def _server(which: int) -> _Server:
    if which not in _servers:
        _servers[which] = _Server(_SETTINGS[which])
    return _servers[which]


def _read_answers(received: bytes, calls: list[Message], is_ended: bool) -> tuple[int, ...]:
    """The statuses of all final answers, as h11 reads them."""
    statuses: list[int] = []
    client = h11.Connection(h11.CLIENT)
    client.receive_data(received)
    if is_ended:
        client.receive_data(b"")
    while client.trailing_data[0]:
        is_head = len(statuses) < len(calls) and calls[len(statuses)].method == "HEAD"
        client.send(h11.Request(method="HEAD" if is_head else "GET", target="/", headers=[("Host", "a")]))
        client.send(h11.EndOfMessage())
        while isinstance(event := client.next_event(), h11.InformationalResponse):
            assert event.status_code == 100
        if event is h11.NEED_DATA and not is_ended and received.endswith(CONTINUE):
            break
        assert isinstance(event, h11.Response), f"{event} where an answer must be"
        statuses.append(event.status_code)
        while isinstance(event := client.next_event(), h11.Data):
            pass
        assert isinstance(event, h11.EndOfMessage), f"{event} where the end of an answer must be"
        if client.their_state is not h11.DONE:
            assert not client.trailing_data[0], "octets behind the last answer"
            assert is_ended, "the last answer says close, but the connection stays"
            break
        client.start_next_cycle()
    return tuple(statuses)


def check(data: bytes) -> str:
    """One connection, whole and in pieces."""
    reader = Reader(data)
    which = reader.octet() % len(_SETTINGS)
    how = reader.octet()
    choice = reader.octet()
    shape, ends, is_trusted = choice % 8, bool(choice & 64), bool(choice & 128)
    stream = reader.rest()
    try:
        return _check(which, how, shape, ends, is_trusted, stream)
    except BaseException:
        # What it has left behind must not be taken for a fault of the next run.
        _servers.pop(which).close()
        raise


def _check(which: int, how: int, shape: int, ends: bool, is_trusted: bool, stream: bytes) -> str:
    server = _server(which)
    whole = server.run(stream, 0, shape, ends, is_trusted)
    for outcome in (whole,) if how == 0 else (whole, server.run(stream, how, shape, ends, is_trusted)):
        assert len(outcome.refusals) <= 1, f"refused twice: {outcome}"
        due = len(outcome.calls) + len(outcome.refusals) + outcome.misconfigured
        assert len(outcome.statuses) == due, f"answers are missing: {outcome}"
        assert not outcome.refusals or outcome.is_ended, f"refused, but not closed: {outcome}"
        assert not ends or outcome.is_ended, f"both sides are done, but the connection stays: {outcome}"
        assert outcome.calls == whole.calls, f"whole {whole}, in pieces {outcome}"
        assert bool(outcome.refusals) == bool(whole.refusals), f"whole {whole}, in pieces {outcome}"
    if which in (0, 3) and not whole.misconfigured:
        _check_references(stream, whole)
    return repr(whole)


def _check_references(stream: bytes, outcome: _Outcome) -> None:
    """The references may refuse what indrik takes (the wire cases say what), but never read it otherwise."""
    calls = outcome.calls
    for reference in (h11_messages, httptools_messages):
        messages, reads_on = reference(stream)
        both = min(len(messages), len(calls))
        seen = f"{reference.__name__} sees {messages}, the application {calls}"
        assert tuple(messages[:both]) == calls[:both], seen
        if len(messages) > len(calls):
            assert outcome.is_ended, f"indrik waits: {seen}"
        elif len(messages) < len(calls):
            assert not reads_on, f"the reference waits: {seen}"
