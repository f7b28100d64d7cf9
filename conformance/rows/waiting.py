"""How long a server waits for a client that does not go on."""

from __future__ import annotations

from conformance.row import Patience
from tests.wire.case import get, post

ROWS: tuple[Patience, ...] = (
    Patience(
        "silent",
        "a new connection that says nothing",
        "RFC 9112 9.5",
        (),
        "first_byte_timeout",
        None,
        "browsers open connections ahead of need, and there is no request that could be answered",
    ),
    Patience(
        "half-head",
        "half a head",
        "RFC 9110 15.5.9",
        (b"GET / HTTP/1.1\r\nHost: a\r\n",),
        "header_timeout",
        408,
        "from the first octet to the last, so that a trickle does not help",
    ),
    Patience(
        "drip-head",
        "a head of which an octet comes every second",
        "RFC 9110 15.5.9",
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: ",),
        "header_timeout",
        408,
        "the same",
        drip=b"1",
    ),
    Patience(
        "half-body",
        "half a body",
        "RFC 9110 15.5.9",
        (post("Content-Length: 10", body=b"hello"),),
        "body_timeout",
        408,
        "a body may be long, so it is its rate that counts: `body_min_rate`",
    ),
    Patience(
        "drip-body",
        "a body of which an octet comes every second",
        "RFC 9110 15.5.9",
        (post("Content-Length: 100000", body=b"hello"),),
        "body_timeout",
        408,
        "the same",
        drip=b"1",
    ),
    Patience(
        "idle",
        "an idle connection behind an answer",
        "RFC 9112 9.5",
        (get(),),
        "keepalive",
        None,
        "Gunicorn's default",
        answers=1,
    ),
)
