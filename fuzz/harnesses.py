"""The harnesses by name, and what one is."""

from __future__ import annotations

import importlib
from typing import Protocol, cast

NAMES = (
    "request_head",
    "chunked_body",
    "response_head",
    "proxy_header",
    "environ",
    "connection",
    "websocket",
    "websocket_handshake",
)


class Harness(Protocol):
    """A module of this folder; see the package's docstring."""

    SEEDS: tuple[bytes, ...]
    WORDS: tuple[bytes, ...]

    def check(self, data: bytes) -> str: ...


def load(name: str) -> Harness:
    """The harness `name`. Raises `ImportError` when there is none."""
    return cast(Harness, importlib.import_module(f"fuzz.{name}"))
