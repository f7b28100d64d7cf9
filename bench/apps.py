"""The WSGI applications that every server is measured with: as little Python as the case allows, so that what
is left is the server.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

Environ = dict[str, Any]
StartResponse = Callable[..., object]

GREETING = b"Hello, world!"
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


def site(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """Ten megabytes at /big, thirteen bytes everywhere else."""
    if environ["PATH_INFO"] != "/big":
        return hello(environ, start_response)
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(BIG)))])
    return [BIG]
