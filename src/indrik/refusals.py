"""The kinds of refusals: why the server itself sends a client away, one row each.

The scoreboard counts them apart and the error log limits its lines for each. What a refused request is
answered with stands in `indrik.protocol.refusals`.
"""

from __future__ import annotations

from typing import NamedTuple


class Kind(NamedTuple):
    """One row. name: as in the log; meaning: what the client did, or what there was too little of."""

    name: str
    meaning: str


#: A row's place is its word in a slot of the scoreboard, so new ones go to the end.
KINDS = (
    # What has no row of its own counts here.
    Kind("bad-request", "the request is malformed in a way that has no name of its own"),
    Kind("request-line", "the request line is malformed, or a control octet stands in the head"),
    Kind("target", "the request target is malformed"),
    Kind("method", "the method is no token, or an unconventional one"),
    Kind("field", "a header field is malformed"),
    Kind("host", "Host is missing, malformed or there twice"),
    Kind("framing", "the length of the body is ambiguous"),
    Kind("chunk", "the chunked coding is broken"),
    Kind("proxy-header", "the PROXY header is missing or malformed"),
    Kind("proxy-peer", "a PROXY header of a peer that may not send one"),
    Kind("forwarded", "the Forwarded field of a trusted proxy is malformed"),
    Kind("scheme", "a trusted proxy contradicts itself about the scheme"),
    Kind("truncated", "the client closed before the end of its body"),
    Kind("storage", "a request body could not be written to its temporary file"),
    Kind("timeout", "the request did not arrive in time: header_timeout, body_timeout, body_min_rate"),
    Kind("body-size", "the body is larger than limit_request_body"),
    Kind("line-size", "the request line is longer than limit_request_line"),
    Kind("expect", "an expectation other than 100-continue"),
    Kind("fields-size", "limit_request_fields, limit_request_field_size or limit_request_head was exceeded"),
    Kind("coding", "a transfer coding other than chunked"),
    Kind("version", "another major version of HTTP than 1"),
    Kind("write-timeout", "the client did not read its response in time: write_timeout, write_min_rate"),
    Kind("connections", "an idle connection was closed to make room within worker_connections"),
    Kind("exhausted", "the system had no descriptor or memory for another connection"),
    Kind("spool", "a response could not be written to its temporary file"),
    Kind("send", "a response could not be sent, for a reason other than a broken connection"),
    Kind("queue", "the request waited too long for the application"),
    Kind("request-timeout", "the application took too long for its answer"),
    Kind("websocket-handshake", "the opening handshake of a WebSocket is malformed"),
    Kind("websocket-version", "a WebSocket of another version than 13"),
    Kind("websocket-frame", "a client has broken the framing of WebSocket"),
    Kind("websocket-payload", "a message of a WebSocket cannot be decoded"),
    Kind("websocket-size", "a message is larger than websocket_max_message_size"),
    Kind("untrusted-host", "a host that is not in the TRUSTED_HOSTS of a Flask application"),
    Kind("route-concurrency", "the request waited too long for its route's concurrency (the setting routes)"),
    Kind("route-rate", "more requests for a route than its rate allows (the setting routes)"),
)

_NUMBERS = {kind.name: number for number, kind in enumerate(KINDS)}


def number_of(name: str) -> int:
    """The place of the row called `name`, 0 if there is none."""
    return _NUMBERS.get(name, 0)
