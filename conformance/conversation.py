"""Has one conversation with a server, as a row's probe wants it, and says what came of it."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conformance.applications import OWN_DATE
from conformance.outcome import CLOSED, KEPT, LOST, WAITS, Outcome, Value
from conformance.reading import Answer, take_apart
from conformance.row import END, PAUSE, Patience, Row

Address = tuple[str, int]

#: Seconds that a server may take to take what it is sent.
_SEND_TIMEOUT = 5.0

_TAIL = b"GET /tail HTTP/1.1\r\nHost: a\r\n\r\n"


@dataclass(frozen=True)
class Quiet:
    """After how many seconds of silence a client believes that no more comes.

    nothing: where an answer is due. pause: in the middle of a probe. more: behind the answers that it waits
    for. late: how long the application may take to be called where no answer came.
    """

    nothing: float = 1.5
    pause: float = 1.5
    more: float = 0.25
    late: float = 0.5


class Calls:
    """The file in which the application notes what it sees."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0

    def skip(self) -> None:
        """Forget what is there."""
        self._offset = self._path.stat().st_size if self._path.exists() else 0

    def read(self) -> list[dict[str, Any]]:
        """The calls that began since `skip`, in their order, each with all that it saw."""
        if not self._path.exists():
            return []
        with open(self._path, "rb") as file:
            file.seek(self._offset)
            events = [json.loads(line) for line in file.read().splitlines() if line]
        calls: dict[str, dict[str, Any]] = {}
        for event in events:
            if event["event"] == "call":
                calls[event["id"]] = dict(event["values"])
            elif event["id"] in calls:
                calls[event["id"]].update(event["values"])
        return list(calls.values())

    def wait(self, seconds: float) -> list[dict[str, Any]]:
        """What `read` gives, as soon as there is anything, or after `seconds`."""
        give_up_at = time.monotonic() + seconds
        while not (found := self.read()) and time.monotonic() < give_up_at:
            time.sleep(0.01)
        return found


class Client:
    """One connection, and all that has come on it."""

    def __init__(self, address: Address, is_head: bool = False) -> None:
        self._sock = socket.create_connection(address, _SEND_TIMEOUT)
        self._is_head = is_head
        self._received = b""
        self.is_closed = False
        self.has_ended = False

    def send(self, data: bytes) -> None:
        """Sends `data`, or as much of it as the server takes: what it says is judged, not this."""
        self._sock.settimeout(_SEND_TIMEOUT)
        try:
            self._sock.sendall(data)
        except OSError:
            # The server has closed or does not read; the answer, or its lack, will tell.
            pass

    def end(self) -> None:
        """Ends the sending side."""
        self.has_ended = True
        try:
            self._sock.shutdown(socket.SHUT_WR)
        except OSError:
            # The server was quicker.
            pass

    def answers(self) -> list[Answer]:
        """What has come so far."""
        return take_apart(self._received, self._is_head, self.is_closed)

    def wait(self, finals: int, quiet: float, interim: bool = False) -> None:
        """Reads until there are so many whole final answers, the end, or `quiet` seconds of silence.

        `interim`: an interim answer will do.
        """
        while not self.is_closed:
            found = self.answers()
            if interim and found:
                return
            if finals and sum(answer.status >= 200 and answer.complete for answer in found) >= finals:
                return
            if not self.read(quiet):
                return

    def read(self, quiet: float) -> bool:
        """Whether anything came, the end included."""
        self._sock.settimeout(quiet)
        try:
            data = self._sock.recv(1 << 16)
        except TimeoutError:
            return False
        except OSError:
            data = b""
        self._received += data
        self.is_closed = not data
        return True

    def close(self) -> None:
        self._sock.close()


@contextmanager
def _connected(address: Address, is_head: bool = False) -> Iterator[Client]:
    client = Client(address, is_head)
    try:
        yield client
    finally:
        client.close()


def converse(address: Address, row: Row, calls: Calls, quiet: Quiet) -> Outcome:
    """The outcome of the row's probe at the server that listens there and notes its calls in `calls`."""
    calls.skip()
    with _connected(address, row.head) as client:
        _play(client, row.steps, quiet)
        client.wait(row.answers, quiet.nothing)
        client.wait(0, quiet.more)
        answers = client.answers()
        seen = calls.read()
        if not any(answer.status >= 200 for answer in answers):
            # Nothing of the answer shows that the application has been called by now, if it is.
            seen = calls.wait(quiet.late)
        end = CLOSED
        if not client.is_closed:
            end = WAITS
            if not client.has_ended and any(answer.status >= 200 and answer.complete for answer in answers):
                end, answers, seen = _try_next(client, answers, calls, quiet)
    return Outcome(
        tuple(answer.status for answer in answers), len(seen), end, _views(row.shows, seen, answers)
    )


def _play(client: Client, steps: tuple[bytes | str, ...], quiet: Quiet) -> None:
    for step in steps:
        if isinstance(step, bytes):
            client.send(step)
        elif step == PAUSE:
            client.wait(1, quiet.pause, interim=True)
        elif step == END:
            client.end()
        else:
            raise ValueError(f"no step of a probe: {step!r}")


def _try_next(
    client: Client, answers: list[Answer], calls: Calls, quiet: Quiet
) -> tuple[str, list[Answer], list[dict[str, Any]]]:
    """What becomes of a further request: the end, and answers and calls without those of that request."""
    finals = sum(answer.status >= 200 for answer in answers)
    client.send(_TAIL)
    client.wait(finals + 1, quiet.nothing)
    found = client.answers()
    seen = calls.read()
    known = [call for call in seen if not _is_tail(call)]
    more = found[len(answers) :]
    if [answer.status for answer in more] == [200] and len(known) < len(seen):
        return KEPT, found[: len(answers)], known
    if client.is_closed and not more:
        return CLOSED, found, known
    return LOST, found, known


def _is_tail(call: dict[str, Any]) -> bool:
    """Whether this is the further request as it was sent: with octets in front, its method is another."""
    return call.get("PATH_INFO") == "/tail" and call.get("REQUEST_METHOD") == "GET"


def _views(names: tuple[str, ...], calls: list[dict[str, Any]], answers: list[Answer]) -> dict[str, Value]:
    final = next((answer for answer in answers if answer.status >= 200), None)
    shown: dict[str, Value] = {}
    for name in names:
        if name.startswith("answer "):
            if final is not None and final.status < 400:
                shown[name] = _view_answer(final, name.removeprefix("answer "))
        elif calls:
            shown[name] = [call["PATH_INFO"] for call in calls] if name == "paths" else calls[0].get(name)
    return shown


def _view_answer(answer: Answer, name: str) -> Value:
    """`body`, `complete`, `extra` (octets behind it), `version`, `reason`, `has FIELD`, `spelling of FIELD`,
    or a field.
    """
    if name == "body":
        return answer.body.decode("latin-1")
    if name == "extra":
        # Up to the next answer, which is no part of it.
        return answer.extra.partition(b"HTTP/1.")[0].decode("latin-1")
    if name in ("version", "reason"):
        return str(getattr(answer, name))
    if name == "complete":
        return "yes" if answer.complete else "no"
    if name.startswith("has "):
        return "yes" if answer.all(name.removeprefix("has ")) else "no"
    if name.startswith("spelling of "):
        field = name.removeprefix("spelling of ")
        return next((known for known, _ in answer.fields if known.lower() == field), None)
    values = answer.all(name)
    if name == "date":
        # The same in every run.
        values = [value if value == OWN_DATE else "now" for value in values]
    return values if len(values) > 1 else values[0] if values else None


@dataclass(frozen=True)
class Waited:
    """How long a server waited. statuses: of all answers. seconds: until it closed, None if it did not."""

    statuses: tuple[int, ...]
    seconds: float | None


def outwait(address: Address, patience: Patience, longest: float, interval: float = 1.0) -> Waited:
    """Falls silent as `patience` wants, or drips each `interval` seconds, and sees what the server does about
    it within `longest` seconds.
    """
    with _connected(address) as client:
        _play(client, patience.steps, Quiet())
        if patience.answers:
            client.wait(patience.answers, Quiet().nothing)
        started = time.monotonic()
        while not client.is_closed and (left := started + longest - time.monotonic()) > 0:
            if not client.read(min(left, interval) if patience.drip else left):
                client.send(patience.drip)
        taken = time.monotonic() - started
        return Waited(
            tuple(answer.status for answer in client.answers()), taken if client.is_closed else None
        )
