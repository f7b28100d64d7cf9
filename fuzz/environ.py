"""Invariant: an accepted request makes an environ of PEP 3333, or a `RequestRefused` or a `ConfigError`.

Every field is in it, repeated ones joined in their order, cookies by "; ", others by ","; the length of the
body is said once and right; only what the server decides stands under a key without HTTP_;
`wsgiref.validate` agrees.
"""

from __future__ import annotations

import io
import re
import socket
import sys
import warnings
from typing import Any
from wsgiref import validate

from fuzz.reading import Reader
from fuzz.request_head import SEEDS as HEADS
from fuzz.request_head import WORDS as HEAD_WORDS
from indrik.engine.exchange import Channel, open_exchange
from indrik.engine.ownership import Ownership
from indrik.errors import ConfigError
from indrik.gateway.environ import EnvironBuilder, EnvironSettings
from indrik.net.listeners import Listener
from indrik.protocol.head import HeadParser
from indrik.protocol.limits import Limits
from indrik.protocol.octets import head_end
from indrik.protocol.refusals import RequestRefused
from indrik.protocol.request import Request

_SCHEMES = {"X-FORWARDED-PROTO": "https", "X-FORWARDED-SSL": "on"}

_PARSERS = (HeadParser(Limits()), HeadParser(Limits(header_map="dangerous", permit_obsolete_folding=True)))


def _builder(script_name: str) -> EnvironBuilder:
    return EnvironBuilder(
        EnvironSettings(
            software="indrik/fuzz",
            errors=sys.stderr,  # type: ignore[arg-type]  # io.TextIOWrapper by another name
            multithread=False,
            multiprocess=False,
            script_name=script_name,
            secure_scheme_headers=_SCHEMES,
        )
    )


_BUILDERS = (("", _builder("")), ("/a", _builder("/a")))


def _listener(family: socket.AddressFamily) -> Listener:
    sock = socket.socket(family)
    # "" is an abstract name of the kernel's choice, unix(7).
    sock.bind("" if family == socket.AF_UNIX else ("127.0.0.1", 0))
    return Listener(sock)


# A channel by TCP and one by a unix socket; neither is ever listened on.
_CHANNELS = (
    Channel(("127.0.0.1", 4711), _listener(socket.AF_INET), Ownership()),
    Channel(None, _listener(socket.AF_UNIX), Ownership()),
)

WORDS = (
    *HEAD_WORDS,
    b"\r\nX-Forwarded-Proto: https",
    b"\r\nX-Forwarded-Proto: http",
    b"\r\nX-Forwarded-SSL: on",
    b"\r\nSCRIPT_NAME: /a",
    b"\r\nPATH_INFO: /x",
    b"\r\nCookie: c",
    b"\r\nX-Y: 1\r\nX_Y: 2",
    b"%2e%2E%",
    b"/a/b",
    b"\r\nProxy: x",
    b"\r\nContent-Type: b",
)

SEEDS = (
    *(bytes((flags,)) + head[2:] for flags in (0, 6) for head in HEADS if head[0] == 0),
    *(
        bytes((flags,)) + head
        for flags in range(16)
        for head in (
            b"GET /a/b%20c?d HTTP/1.1\r\nHost: a:1\r\nCookie: a=b\r\nX-Y: 1\r\nCookie: c=d\r\nX-Y: 2\r\n\r\n",
            b"GET /a HTTP/1.1\r\nHost: [::1]\r\nX-Forwarded-Proto: https\r\nSCRIPT_NAME: /a\r\n\r\n",
            b"GET / HTTP/1.0\r\nX-Forwarded-Proto: http\r\nX-Forwarded-SSL: on\r\n\r\n",
            b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Type: b\r\n\r\n",
        )
    ),
)

#: Keys without HTTP_ and wsgi. that an environ may have.
_OWN = {
    "REQUEST_METHOD",
    "SCRIPT_NAME",
    "PATH_INFO",
    "QUERY_STRING",
    "RAW_URI",
    "SERVER_NAME",
    "SERVER_PORT",
    "SERVER_PROTOCOL",
    "SERVER_SOFTWARE",
    "REMOTE_ADDR",
    "REMOTE_PORT",
    "CONTENT_TYPE",
    "CONTENT_LENGTH",
}


def check(data: bytes) -> str:
    """The environ of one head."""
    reader = Reader(data)
    flags = reader.octet()
    head = reader.rest()
    if head_end(head, 0) < 0:
        head += b"\r\n\r\n"
    is_trusted = bool(flags & 4)
    try:
        request = _PARSERS[flags >> 3 & 1].parse(Request(), head, head_end(head, 0), is_trusted)
    except RequestRefused as refusal:
        return type(refusal).__name__
    script_name, builder = _BUILDERS[flags & 1]
    channel = _CHANNELS[flags >> 1 & 1]
    body = b"x" * (7 if request.is_chunked else min(request.content_length, 9))
    try:
        environ = builder.build(
            open_exchange(channel, request, io.BytesIO(body) if request.content_length else None, 0.0)
        )
    except (RequestRefused, ConfigError) as error:
        return f"{type(error).__name__}: {error}"
    _check_fields(environ, request, script_name)
    _check_own(environ, request, body)
    # With header_map "dangerous" Content_Length becomes a key that the validator does not like, as it must.
    is_plain = not {"HTTP_CONTENT_LENGTH", "HTTP_CONTENT_TYPE"} & environ.keys()
    if is_plain and environ["PATH_INFO"].startswith("/") and not environ["SCRIPT_NAME"].endswith("/"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns of methods that it does not know
            validate.check_environ(environ)  # type: ignore[attr-defined]  # typeshed leaves it out
    return repr(
        sorted(
            (key, value) for key, value in environ.items() if isinstance(value, str) and key != "SERVER_PORT"
        )
    )


def _check_fields(environ: dict[str, Any], request: Request, script_name: str) -> None:
    expected: dict[str, list[str]] = {}
    for record, value in zip(request.names, request.values, strict=True):
        expected.setdefault(record[1], []).append(value)
    # With a dash it is a field like any other.
    is_told = request.is_trusted and any(record[0] == "SCRIPT_NAME" for record in request.names)
    told = ",".join(expected.get("HTTP_SCRIPT_NAME", ()))
    assert environ["SCRIPT_NAME"] == (told if is_told else script_name)
    for key, values in expected.items():
        if key == "HTTP_SCRIPT_NAME" and is_told:
            assert key not in environ
        elif key != "HTTP_TRANSFER_ENCODING":
            assert environ[key] == ("; " if key == "HTTP_COOKIE" else ",").join(values), key
    for key, value in environ.items():
        assert type(key) is str
        if key.startswith("HTTP_"):
            assert key in expected, key
        elif not key.startswith(("wsgi.", "indrik.", "gunicorn.")):
            assert key in _OWN, key
            assert type(value) is str, key
        if type(value) is str:
            value.encode("latin-1")
    assert ("CONTENT_TYPE" in environ) == ("CONTENT_TYPE" in expected)


def _check_own(environ: dict[str, Any], request: Request, body: bytes) -> None:
    assert environ["REQUEST_METHOD"] == request.method
    assert environ["QUERY_STRING"] == request.query
    assert environ["RAW_URI"] == request.uri
    assert environ["wsgi.url_scheme"] in ("http", "https")
    assert environ["wsgi.url_scheme"] == "http" or request.is_trusted
    assert environ["SERVER_NAME"]
    assert re.fullmatch("[0-9]+", environ["SERVER_PORT"])
    assert environ["SERVER_PROTOCOL"] == f"HTTP/1.{request.minor_version}"
    if request.is_chunked:
        assert environ["CONTENT_LENGTH"] == str(len(body))
        assert "HTTP_TRANSFER_ENCODING" not in environ
    if request.content_length:
        assert environ["wsgi.input"].read() == body
