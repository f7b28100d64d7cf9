"""What the fuzzers begin with: the requests of the wire cases, cut into heads and bodies."""

from __future__ import annotations

import functools
import importlib
from pathlib import Path

_CASES = Path(__file__).resolve().parent.parent / "tests" / "wire" / "cases"

#: A case longer than this tests a limit; as a seed it would only be slow.
_LONGEST = 2000


@functools.cache
def wire_messages() -> tuple[bytes, ...]:
    """What the clients of the wire cases send, each once."""
    found: dict[bytes, None] = {}
    for path in sorted(_CASES.glob("[a-z]*.py")):
        module = importlib.import_module(f"tests.wire.cases.{path.stem}")
        for case in getattr(module, "CASES", ()):
            if len(case.data) <= _LONGEST:
                found[case.data] = None
    return tuple(found)


@functools.cache
def wire_bodies() -> tuple[bytes, ...]:
    """What stands behind the heads of chunked wire cases."""
    found: dict[bytes, None] = {}
    for message in wire_messages():
        head, separator, body = message.partition(b"\r\n\r\n")
        if separator and b"chunked" in head.lower() and body:
            found[body] = None
    return tuple(found)
