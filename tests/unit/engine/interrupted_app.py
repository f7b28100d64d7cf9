"""What `interruptions` interrupts: an application that goes through the gateway by all of its doors."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from typing import Any

_log = logging.getLogger("indrik.error")


class Pieces:
    """An iterable that is closed."""

    def __init__(self, *pieces: bytes) -> None:
        self._pieces = pieces

    def __iter__(self) -> Iterator[bytes]:
        yield from self._pieces

    def close(self) -> None:
        self._pieces = ()


def application(environ: dict[str, Any], start_response: Any) -> Any:
    path = environ["PATH_INFO"]
    environ["wsgi.input"].read()
    if path == "/next":
        start_response("200 OK", [("Content-Length", "4")])
        return [b"next"]
    if path == "/list":
        start_response("200 OK", [("Content-Length", "4")])
        return [b"list"]
    if path == "/doors":
        environ["wsgi.early_hints"]([("Link", "</x>; rel=preload")])
        environ["indrik.disconnected"].callback(len, "")
        environ["indrik.disconnected"].is_set()
        with contextlib.suppress(OSError):
            # Its time may be over, and the connection gone.
            environ["gunicorn.socket"].getsockname()
        environ["wsgi.errors"].write("said\n")
        environ["indrik.deadline"].remaining()
        _log.warning("noted")
        write = start_response("200 OK", [("Content-Type", "text/plain")])
        write(b"written")
        return Pieces(b"first", b"", b"second")
    if path == "/fails":
        start_response("200 OK", [])
        raise ValueError("as it is meant to")
    start_response("200 OK", [])
    return stream()


def stream() -> Iterator[bytes]:
    try:
        yield b"first"
        yield b"second"
    finally:
        _log.info("cleaned up")
