"""Probes that are wire cases of the test suite, found by topic and name."""

from __future__ import annotations

from conformance.row import END
from tests.wire.cases import TOPICS


def wire(topic: str, name: str) -> tuple[bytes | str, ...]:
    """The steps of the wire case `name`. KeyError if there is none, or if it wants settings of its own."""
    for case in TOPICS[topic]:
        if case.name == name and not (case.settings or case.trusted):
            return (case.data, END) if case.ends else (case.data,)
    raise KeyError(f"no wire case {name!r} with the defaults in {topic!r}")
