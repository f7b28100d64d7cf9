"""Runs every wire case whole, byte by byte, split at every CRLF, and with another request behind it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.variants import Variant, each, in_modes
from tests.wire import applications
from tests.wire.answers import Answer, take_apart
from tests.wire.case import AT_CRLF, BYTE_BY_BYTE, MODES, WITH_TAIL, Case, get
from tests.wire.cases import TOPICS
from tests.wire.served import Client, Served

_TAIL = get(target="/tail")


def modes_of(case: Case) -> list[str]:
    """Not with a tail behind what the server waits for: a second request would be its rest."""
    is_whole = bool(case.status) and not case.ends
    return [mode for mode in MODES if mode in case.modes and (is_whole or mode != WITH_TAIL)]


class Servers:
    """One server for each set of settings, because most cases share one."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running: dict[str, Served] = {}

    def get(self, settings: Mapping[str, Any]) -> Served:
        key = repr(sorted(settings.items(), key=lambda item: item[0]))
        if key not in self._running:
            folder = Path(tempfile.mkdtemp(dir=self._folder))
            self._running[key] = Served(folder, settings)
        return self._running[key]

    def drop(self, served: Served) -> None:
        """Ends a server that failed in the middle of a case."""
        self._running = {key: known for key, known in self._running.items() if known is not served}
        served.close()

    def close(self) -> None:
        for served in self._running.values():
            served.close()


@pytest.fixture(scope="module")
def servers() -> Iterator[Servers]:
    # A short path: a unix socket's may have 107 bytes.
    with tempfile.TemporaryDirectory(prefix="wire-") as folder:
        found = Servers(Path(folder))
        yield found
        found.close()


def _pieces(data: bytes, mode: str) -> list[bytes]:
    if mode == BYTE_BY_BYTE:
        return [data[index : index + 1] for index in range(len(data))]
    if mode == AT_CRLF:
        # Between CR and LF and behind LF.
        cuts = [0, *(index + 1 for index, octet in enumerate(data) if octet in b"\r\n"), len(data)]
        return [data[start:end] for start, end in pairwise(cuts) if start < end]
    return [data + _TAIL if mode == WITH_TAIL else data]


@pytest.mark.parametrize("topic", TOPICS)
def test_cases(topic: str, servers: Servers) -> None:
    """A failure names the cases and their modes."""

    def run_as(variant: Variant[Case]) -> None:
        served = servers.get(variant.case.settings)
        try:
            run(variant.case, variant.mode, served)
        except BaseException:
            servers.drop(served)
            raise

    each(in_modes(TOPICS[topic], modes_of), run_as)


def run(case: Case, mode: str, served: Served) -> None:
    served.reset()
    served.is_trusted = case.trusted
    served.application = applications.BY_NAME[case.application]
    with served.connect() as client:
        converse(case, mode, served, client)
    served.settle()
    assert served.engine.open_connections == 0
    assert served.slot.in_progress == 0


def converse(case: Case, mode: str, served: Served, client: Client) -> None:
    client.send_pieces(_pieces(case.data, mode))
    if case.ends:
        client.end()
    expects_tail = mode == WITH_TAIL and not case.closes
    methods = [call["REQUEST_METHOD"] for call in served.calls]
    answers = take_apart(client.receive(), methods, client.is_ended)

    assert client.is_ended == case.closes
    assert [answer.status for answer in answers[: len(case.status)]] == list(case.status), served.refusals
    assert len(answers) == len(case.status) + expects_tail
    assert len(served.calls) == case.calls + expects_tail
    if expects_tail:
        assert served.calls[-1]["PATH_INFO"].endswith("/tail")
    for call, expected in zip(served.calls, case.seen or (), strict=False):
        check_call(call, expected)
    for answer, expected in zip(answers, case.answers, strict=False):
        check_answer(answer, expected)
    check_refusal(case, served, answers)
    check_log(case, served)
    if "close" in applications.notes:
        assert applications.notes == ["close"] * (len(served.calls) - expects_tail)


def check_call(call: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    """That the application saw what it must, and nothing in a form that PEP 3333 forbids."""
    found = {name: call.get(name) for name in expected}
    assert found == dict(expected)
    for name, value in call.items():
        if name.isupper():
            assert type(value) is str, name
            value.encode("latin-1")


def check_answer(answer: Answer, expected: Mapping[str, Any]) -> None:
    expected = {"complete": True, **expected}
    for name, value in expected.items():
        if name in ("body", "reason", "complete"):
            assert getattr(answer, name) == value, name
        elif name == "body-length":
            assert answer.body
        elif isinstance(value, list):
            assert answer.all(name) == value
        else:
            assert answer.get(name) == value, name
    if expected["complete"] and answer.get("content-length") and answer.body:
        assert int(answer.get("content-length") or 0) == len(answer.body)


def check_refusal(case: Case, served: Served, answers: list[Answer]) -> None:
    if case.refused is None:
        assert served.refusals == []
        return
    assert [(kind, status[:3]) for kind, _, status in served.refusals] == [
        (case.refused, str(case.status[-1]))
    ]
    detail = served.refusals[0][1]
    assert detail
    assert "\n" not in detail
    last = answers[-1]
    assert last.complete
    assert last.get("connection") == "close"
    assert last.get("content-type") == "text/plain; charset=utf-8"
    # Nothing of the request is sent back: it could be somebody else's, or a script.
    assert last.body == f"{served.refusals[0][2]}: ".encode() + last.body.partition(b": ")[2]
    assert len(last.body) < 150


def check_log(case: Case, served: Served) -> None:
    said = "\n".join(served.log.lines)
    for text in case.logs:
        assert text in said
    if not case.logs:
        assert said == ""
    # A case is one fault at most, so it is one line at most (and one more for the tail's request).
    assert len(served.log.lines) <= 2 * len(case.logs)
