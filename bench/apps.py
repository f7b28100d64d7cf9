"""The WSGI applications that every server is measured with: as little Python as the case allows, so that what
is left is the server.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

Environ = dict[str, Any]
StartResponse = Callable[..., object]

GREETING = b"Hello, world!"
LARGE = b"0123456789" * 10_000
# The index of the folder that the rows of files serve.
FILE = b"0123456789" * 1_000
# Bytes that `count` reads at once.
PIECE = 65536
# Seconds that the sleeping applications sleep.
NAP = 0.010
SLOW = 1.0
DOZE = 120.0

BIG = b"0123456789abcdef" * (10 * 1024 * 1024 // 16)


def hello(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """Thirteen bytes to anybody."""
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "13")])
    return [GREETING]


def length(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """Read the whole body and answer with its length."""
    body = b"%d" % len(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


def count(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """Read the body, if there is one, piece by piece and answer with its length."""
    left = int(environ.get("CONTENT_LENGTH") or 0)
    seen = 0
    while left > 0 and (piece := environ["wsgi.input"].read(min(left, PIECE))):
        seen += len(piece)
        left -= len(piece)
    body = b"%d" % seen
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


def site(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """Ten megabytes at /big, thirteen bytes everywhere else."""
    if environ["PATH_INFO"] != "/big":
        return hello(environ, start_response)
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(BIG)))])
    return [BIG]


def nap(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """Thirteen bytes after a wait of NAP seconds, as a view waits for its database."""
    time.sleep(NAP)
    return hello(environ, start_response)


def mixed(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """A second's wait at /slow, none everywhere else."""
    if environ["PATH_INFO"] == "/slow":
        time.sleep(SLOW)
    return hello(environ, start_response)


class Dormitory:
    """Long sleep at /doze; everywhere else the number of requests that sleep."""

    def __init__(self) -> None:
        self.asleep = 0

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"] != "/doze":
            body = b"%d" % self.asleep
            start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
            return [body]
        self.asleep += 1
        try:
            time.sleep(DOZE)
        finally:
            self.asleep -= 1
        return hello(environ, start_response)


dormitory = Dormitory()
