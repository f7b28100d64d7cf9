"""What came of a probe is told right, for servers that behave well and for those that do not."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from conformance.applications import OWN_DATE
from conformance.conversation import Address, Calls, Quiet, converse, outwait
from conformance.outcome import CLOSED, KEPT, LOST, WAITS, Outcome
from conformance.row import END, PAUSE, Patience, Row

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX: 1\r\n\r\nok"
BAD = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"
# Answers are on their way when the client asks, so short silences are enough; what must come may take longer.
QUIET = Quiet(nothing=0.5, more=0.1)


class Script:
    """A server for one connection: `play` speaks, and notes calls as the application does."""

    def __init__(self, path: Path, play: Callable[[Script], None]) -> None:
        self.calls = Calls(path)
        self._path = path
        self._numbers = iter(range(100))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address: Address = self._listener.getsockname()
        self._thread = threading.Thread(target=self._serve, args=(play,))
        self._thread.start()

    def _serve(self, play: Callable[[Script], None]) -> None:
        self.sock, _ = self._listener.accept()
        with self.sock:
            play(self)

    def hear(self, end: bytes = b"\r\n\r\n") -> bytes:
        data = b""
        while not data.endswith(end) and (more := self.sock.recv(65536)):
            data += more
        return data

    def call(self, path: str = "/", method: str = "GET", **seen: str) -> None:
        number = next(self._numbers)
        self._note("call", number, {"REQUEST_METHOD": method, "PATH_INFO": path, **seen})
        self._note("body", number, {"body": "hi"})

    def _note(self, event: str, number: int, values: dict[str, Any]) -> None:
        with open(self._path, "a") as file:
            file.write(json.dumps({"event": event, "id": str(number), "values": values}) + "\n")

    def stop(self) -> None:
        self._thread.join(20)
        self._listener.close()
        assert not self._thread.is_alive()


Serve = Callable[[Callable[[Script], None]], Script]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    started: list[Script] = []

    def start(play: Callable[[Script], None]) -> Script:
        started.append(Script(tmp_path / "calls", play))
        return started[-1]

    yield start
    for script in started:
        script.stop()


def row(*steps: bytes | str, shows: tuple[str, ...] = (), answers: int = 1) -> Row:
    return Row("key", "point", "source", steps or (b"GET / HTTP/1.1\r\n\r\n",), Outcome(), "", shows, answers)


def outcome_of(script: Script, one: Row) -> Outcome:
    return converse(script.address, one, script.calls, QUIET)


def answer(script: Script, data: bytes = OK, path: str = "/", **seen: str) -> None:
    script.hear()
    script.call(path, **seen)
    script.sock.sendall(data)


def test_a_connection_that_is_kept(serve: Serve) -> None:
    def play(script: Script) -> None:
        answer(script, HTTP_X="1")
        answer(script, path="/tail")

    shows = ("HTTP_X", "HTTP_Y", "body", "answer x", "answer y", "answer body", "answer has x")
    assert outcome_of(serve(play), row(shows=shows)) == Outcome(
        (200,),
        1,
        KEPT,
        {
            "HTTP_X": "1",
            "HTTP_Y": None,
            "body": "hi",
            "answer x": "1",
            "answer y": None,
            "answer body": "ok",
            "answer has x": "yes",
        },
    )


def test_a_connection_that_is_closed(serve: Serve) -> None:
    assert outcome_of(serve(answer), row()) == Outcome((200,), 1, CLOSED)


def test_a_refusal_shows_nothing_of_the_answer(serve: Serve) -> None:
    def play(script: Script) -> None:
        script.hear()
        script.sock.sendall(BAD)

    assert outcome_of(serve(play), row(shows=("HTTP_X", "answer x"))) == Outcome((400,), 0, CLOSED)


def test_the_end_without_an_answer(serve: Serve) -> None:
    assert outcome_of(serve(lambda script: None), row()) == Outcome((), 0, CLOSED)


def test_silence(serve: Serve) -> None:
    def play(script: Script) -> None:
        script.hear()
        script.hear()

    assert outcome_of(serve(play), row()) == Outcome((), 0, WAITS)


def test_an_answer_without_an_end(serve: Serve) -> None:
    def play(script: Script) -> None:
        answer(script, OK[:-1])
        script.hear()

    assert outcome_of(serve(play), row(shows=("answer complete",))) == Outcome(
        (200,), 1, WAITS, {"answer complete": "no"}
    )


def test_the_next_request_is_swallowed(serve: Serve) -> None:
    def play(script: Script) -> None:
        answer(script)
        script.hear()
        script.hear()

    assert outcome_of(serve(play), row()) == Outcome((200,), 1, LOST)


def test_the_next_request_is_taken_for_another(serve: Serve) -> None:
    def play(script: Script) -> None:
        answer(script)
        answer(script, path="/il")
        script.hear()

    assert outcome_of(serve(play), row()) == Outcome((200, 200), 2, LOST)


def test_octets_in_front_of_the_next_request(serve: Serve) -> None:
    def play(script: Script) -> None:
        answer(script)
        answer(script, path="/tail", method="GGET")
        script.hear()

    assert outcome_of(serve(play), row()) == Outcome((200, 200), 2, LOST)


def test_a_call_behind_the_end_of_the_connection(serve: Serve) -> None:
    """The application may be called although nobody waits any more."""

    def play(script: Script) -> None:
        script.hear()
        script.sock.shutdown(socket.SHUT_RDWR)
        script.call()

    assert outcome_of(serve(play), row()) == Outcome((), 1, CLOSED)


def test_octets_behind_an_answer_end_where_the_next_one_begins(serve: Serve) -> None:
    def play(script: Script) -> None:
        answer(script, b"HTTP/1.1 204 No Content\r\n\r\nhello" + OK)

    shows = ("answer extra",)
    assert outcome_of(serve(play), row(shows=shows)).shown == {"answer extra": "hello"}


def test_a_date_is_the_applications_own_or_now(serve: Serve) -> None:
    def play(script: Script) -> None:
        own = f"HTTP/1.1 204 No Content\r\nDate: Thu, 26 Nov 2026 21:02:52 GMT\r\nDate: {OWN_DATE}\r\n\r\n"
        answer(script, own.encode())

    assert outcome_of(serve(play), row(shows=("answer date",))).shown == {"answer date": ["now", OWN_DATE]}


def test_the_next_request_is_refused(serve: Serve) -> None:
    def play(script: Script) -> None:
        answer(script)
        script.hear()
        script.sock.sendall(BAD)

    assert outcome_of(serve(play), row()) == Outcome((200, 400), 1, LOST)


def test_a_pause_ends_with_an_interim_answer(serve: Serve) -> None:
    def play(script: Script) -> None:
        script.hear()
        script.sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        assert script.hear(b"hi") == b"hi"
        script.call()
        script.sock.sendall(OK)

    steps = (b"POST / HTTP/1.1\r\n\r\n", PAUSE, b"hi")
    assert outcome_of(serve(play), row(*steps)) == Outcome((100, 200), 1, CLOSED)


def test_a_client_that_ends(serve: Serve) -> None:
    def play(script: Script) -> None:
        assert script.hear(b"never") == b"GET /\r\n\r\n"
        script.sock.sendall(OK)

    assert outcome_of(serve(play), row(b"GET /\r\n\r\n", END)) == Outcome((200,), 0, CLOSED)


def test_calls_of_earlier_probes_do_not_count(serve: Serve) -> None:
    def play(script: Script) -> None:
        answer(script)

    script = serve(play)
    script.call("/earlier")
    assert outcome_of(script, row(shows=("paths",))) == Outcome((200,), 1, CLOSED, {"paths": ["/"]})


def test_an_unknown_step(serve: Serve) -> None:
    with pytest.raises(ValueError, match="'stop'"):
        outcome_of(serve(lambda script: None), row("stop"))


def test_how_long_a_server_waits(serve: Serve) -> None:
    def play(script: Script) -> None:
        answer(script)
        script.sock.settimeout(0.3)
        with pytest.raises(TimeoutError):
            script.sock.recv(1)
        script.sock.sendall(BAD)

    patience = Patience("key", "", "", (b"GET / HTTP/1.1\r\n\r\n",), "keepalive", None, "", answers=1)
    waited = outwait(serve(play).address, patience, 20.0)
    assert waited.statuses == (200, 400)
    assert waited.seconds is not None
    assert 0.1 < waited.seconds < 20


def test_a_client_that_drips(serve: Serve) -> None:
    def play(script: Script) -> None:
        assert script.hear(b"x...") == b"x..."

    patience = Patience("key", "", "", (b"x",), "keepalive", None, "", drip=b".")
    waited = outwait(serve(play).address, patience, 20.0, interval=0.05)
    assert waited.statuses == ()
    assert waited.seconds is not None


def test_a_server_that_waits_on(serve: Serve) -> None:
    def play(script: Script) -> None:
        script.hear()

    waited = outwait(serve(play).address, Patience("key", "", "", (), "keepalive", None, ""), 0.2)
    assert (waited.statuses, waited.seconds) == ((), None)
