"""The same bytes to h11 and httptools: what they read otherwise is in disagreements.toml, with its reason."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import h11
import httptools
import pytest

from tests.wire import applications
from tests.wire.case import Case
from tests.wire.cases import TOPICS
from tests.wire.served import Served

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_LISTED = Path(__file__).with_name("disagreements.toml")

#: Topics whose cases are about requests. Settings change what is accepted, so their cases cannot be compared.
_TOPICS = ("request line", "targets", "fields", "framing", "chunked", "connection", "proxies", "environs")


class Reading(NamedTuple):
    """What a server made of the bytes: complete requests as (method, target, body), whether it refused."""

    requests: tuple[tuple[str, str, bytes], ...]
    is_refused: bool


def cases() -> Iterator[tuple[str, Case]]:
    """The comparable cases with their full names, each sequence of bytes once."""
    known: set[bytes] = set()
    for topic in _TOPICS:
        for case in TOPICS[topic]:
            if not (case.settings or case.trusted or case.ends or case.data in known):
                known.add(case.data)
                yield f"{topic}: {case.name}", case


def read_by_indrik(served: Served, data: bytes) -> Reading:
    served.reset()
    served.application = applications.BY_NAME["reads nothing"]
    with served.connect() as client:
        client.send(data)
        found = Reading(
            tuple((call["REQUEST_METHOD"], call["RAW_URI"], call["body"]) for call in served.calls),
            bool(served.refusals),
        )
    served.settle()
    return found


def read_by_h11(data: bytes) -> Reading:
    connection = h11.Connection(h11.SERVER)
    requests: list[tuple[str, str, bytes]] = []
    method, target, body = "", "", b""
    try:
        connection.receive_data(data)
        while True:
            event = connection.next_event()
            if isinstance(event, h11.Request):
                method, target, body = event.method.decode("latin-1"), event.target.decode("latin-1"), b""
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                requests.append((method, target, body))
                # Not 200: that would accept a CONNECT and leave HTTP.
                connection.send(h11.Response(status_code=404, headers=[("Content-Length", "0")]))
                connection.send(h11.EndOfMessage())
                if connection.our_state is not h11.DONE or connection.their_state is not h11.DONE:
                    break
                connection.start_next_cycle()
            else:
                break
    except h11.RemoteProtocolError:
        return Reading(tuple(requests), True)
    return Reading(tuple(requests), False)


class _Collector:
    """httptools' callbacks."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, bytes]] = []
        self.parser: Any = None
        self._target = b""
        self._body = b""
        self.is_over = False

    def on_message_begin(self) -> None:
        self._target = self._body = b""

    def on_url(self, data: bytes) -> None:
        self._target += data

    def on_body(self, data: bytes) -> None:
        self._body += data

    def on_message_complete(self) -> None:
        if not self.is_over:
            method = self.parser.get_method().decode("latin-1")
            self.requests.append((method, self._target.decode("latin-1"), self._body))
            self.is_over = not self.parser.should_keep_alive()


def read_by_httptools(data: bytes) -> Reading:
    collector = _Collector()
    collector.parser = parser = httptools.HttpRequestParser(collector)
    try:
        parser.feed_data(data)
    except httptools.HttpParserUpgrade:
        pass
    except httptools.HttpParserError:
        # What stands behind the last request is nobody's, whatever it is.
        return Reading(tuple(collector.requests), not collector.is_over)
    return Reading(tuple(collector.requests), False)


READERS: dict[str, Callable[[bytes], Reading]] = {"h11": read_by_h11, "httptools": read_by_httptools}


def disagreements() -> dict[str, list[dict[str, Any]]]:
    """For each library the entries of the list."""
    found: dict[str, list[dict[str, Any]]] = tomllib.loads(_LISTED.read_text(encoding="utf-8"))
    return found


def disagreement(ours: Reading, theirs: Reading) -> str | None:
    """In what `theirs` differs, None if it does not."""
    if ours == theirs:
        return None
    if theirs.is_refused and not ours.is_refused:
        return "refuses"
    if ours.is_refused and not theirs.is_refused:
        return "accepts"
    return "reads otherwise"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    found = Served(tmp_path_factory.mktemp("wire"), {})
    yield found
    found.close()


@pytest.mark.parametrize("library", READERS)
def test_every_disagreement_is_listed(library: str, served: Served) -> None:
    found: dict[str, str] = {}
    for name, case in cases():
        how = disagreement(read_by_indrik(served, case.data), READERS[library](case.data))
        if how is not None:
            found[name] = how
    listed: dict[str, str] = {}
    for entry in disagreements()[library]:
        for name in entry["cases"]:
            assert name not in listed, f"listed twice: {name}"
            listed[name] = entry["how"]
    assert found == listed


@pytest.mark.parametrize("library", READERS)
def test_every_disagreement_has_a_reason(library: str) -> None:
    for entry in disagreements()[library]:
        assert set(entry) == {"how", "reason", "cases"}
        assert len(entry["reason"]) > 20
        assert entry["cases"]
