"""Runs every WebSocket case whole, byte by byte, and with another message behind it."""

from __future__ import annotations

from typing import Any

import pytest

from indrik.protocol.websocket import Decoder
from indrik.protocol.websocket_frames import FAILED, TEXT, WebSocketRefused
from tests.variants import each, in_modes
from tests.wire.frame_cases import TOPICS
from tests.wire.frames import BYTE_BY_BYTE, MODES, WITH_TAIL, Case, text


def modes_of(case: Case) -> list[str]:
    """Not with a tail behind what is not whole: the tail would be its rest."""
    return [mode for mode in MODES if not (mode == WITH_TAIL and case.rest)]


@pytest.mark.parametrize("topic", TOPICS)
def test_cases(topic: str) -> None:
    """A failure names the cases and their modes."""
    each(in_modes(TOPICS[topic], modes_of), lambda variant: run(variant.case, variant.mode))


def run(case: Case, mode: str) -> None:
    decoder = Decoder(case.max_size, case.agreed)
    events: list[tuple[int, Any]] = []
    known_at = None
    if mode == BYTE_BY_BYTE:
        for index in range(len(case.data)):
            events += decoder.feed(case.data[index : index + 1])
            if known_at is None and events and events[-1][0] == FAILED:
                known_at = index + 1
    else:
        events += decoder.feed(case.data + (text("tail") if mode == WITH_TAIL else b""))
    expected = list(case.events)
    if mode == WITH_TAIL and not case.is_closed:
        expected.append((TEXT, "tail"))
    if case.failed is not None:
        refusal = events.pop()[1]
        check_refusal(refusal, case)
        if mode == BYTE_BY_BYTE and case.at is not None:
            assert known_at == case.at
    assert events == expected
    assert [type(value) for _, value in events] == [type(value) for _, value in expected]
    assert decoder.is_done == case.is_closed
    # Whatever follows, nothing more comes of it.
    if case.is_closed:
        assert decoder.feed(text("more")) == []


def check_refusal(refusal: WebSocketRefused, case: Case) -> None:
    assert isinstance(refusal, WebSocketRefused)
    assert refusal.code == case.failed, refusal
    assert refusal.detail
    assert "\n" not in refusal.detail
    # The reason is sent to the client: it must fit into a close frame, and it quotes nothing.
    assert len(refusal.reason.encode()) <= 123
    assert refusal.kind.startswith("websocket-")


def test_names_are_unique() -> None:
    for cases in TOPICS.values():
        names = [case.name for case in cases]
        assert len(set(names)) == len(names)
