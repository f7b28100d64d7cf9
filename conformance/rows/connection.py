"""Persistence, pipelines, Expect and Upgrade (RFC 9112 section 9, RFC 9110 sections 7.8 and 10.1.1)."""

from __future__ import annotations

from conformance.outcome import CLOSED, KEPT, Outcome, answered, refused, served
from conformance.row import PAUSE, Row, Topic
from conformance.rows.probes import wire
from tests.wire.case import get, post

_TOPIC = "connection"
_EXPECT = post("Content-Length: 2", "Expect: 100-continue")

TOPIC = Topic(
    "Connection, Expect, Upgrade",
    (
        Row(
            "persistent",
            "1.1 without a word",
            "RFC 9112 9.3",
            wire(_TOPIC, "1.1 stays"),
            answered(connection=None),
            "persistent, for `keepalive` seconds",
            ("answer connection",),
            shows_end=True,
        ),
        Row(
            "close",
            "1.1 with `Connection: close`",
            "RFC 9112 9.6",
            wire(_TOPIC, "1.1 closes if asked"),
            answered(end=CLOSED, connection="close"),
            "closes, and says so",
            ("answer connection",),
            shows_end=True,
        ),
        Row(
            "close-list",
            "`Connection: keep-alive, close`",
            "RFC 9112 9.3",
            wire(_TOPIC, "1.1 with Connection 'keep-alive, close' closes"),
            served(end=CLOSED),
            "close goes first",
            shows_end=True,
        ),
        Row(
            "close-trailing",
            "requests behind `Connection: close`",
            "RFC 9112 9.6",
            wire(_TOPIC, "nothing is read behind close"),
            served(end=CLOSED),
            "the RFC forbids to read them",
            shows_end=True,
            answers=2,
        ),
        Row(
            "1.0-closes",
            "1.0 without a word",
            "RFC 9112 9.3",
            wire(_TOPIC, "1.0 closes"),
            answered(end=CLOSED, version="HTTP/1.1"),
            "1.0 is not persistent; the version of an answer is the server's own (RFC 9110 2.5)",
            ("answer version",),
            shows_end=True,
        ),
        Row(
            "1.0-keep-alive",
            "1.0 with `Connection: keep-alive`",
            "RFC 9112 9.3, C.2.2",
            wire(_TOPIC, "1.0 stays if asked"),
            answered(connection="keep-alive"),
            "old clients and health checks gain by it; the answer says it, as they wait for that",
            ("answer connection",),
            shows_end=True,
        ),
        Row(
            "proxy-connection",
            "`Proxy-Connection: close`",
            "RFC 9112 C.2.2",
            wire(_TOPIC, "Proxy-Connection says nothing"),
            served(end=KEPT),
            "no field of this protocol",
            shows_end=True,
        ),
        Row(
            "pipeline",
            "two requests in one piece",
            "RFC 9112 9.3.2",
            wire(_TOPIC, "two requests"),
            Outcome((200, 200), 2, KEPT, {"paths": ["/a", "/b"]}),
            "answered in order",
            ("paths",),
            answers=2,
            shows_end=True,
        ),
        Row(
            "pipeline-unread",
            "a body that the application does not read, then another request",
            "RFC 9112 9.3",
            (
                post("Content-Length: 34", body=b"GET /x HTTP/1.1\r\nHost: a\r\nX: 1\r\n\r\n").replace(
                    b"POST / ", b"POST /respond/unread "
                ),
            ),
            served(),
            "the body was taken in before; it is never read as a request",
            shows_end=True,
        ),
        Row(
            "expect",
            "`Expect: 100-continue`, the body is held back",
            "RFC 9110 10.1.1",
            (_EXPECT, PAUSE, b"hi"),
            Outcome((100, 200), 1, KEPT, {"body": "hi"}),
            "100 is sent when the head is good and the body may come",
            ("body",),
        ),
        Row(
            "expect-body",
            "the same with the body at once",
            "RFC 9110 10.1.1",
            (_EXPECT + b"hi",),
            served(body="hi"),
            "the RFC allows to leave 100 out when the body is there",
            ("body",),
        ),
        Row(
            "expect-refused",
            "100-continue with a bad framing",
            "RFC 9110 10.1.1",
            (post("Content-Length: 2", "Content-Length: 3", "Expect: 100-continue"), PAUSE, b"hi"),
            refused(),
            "refused before the body is sent",
        ),
        Row(
            "expect-no-body",
            "100-continue without a body",
            "RFC 9110 10.1.1",
            (get("Expect: 100-continue"),),
            served(),
            "nothing to wait for",
        ),
        Row(
            "expect-1.0",
            "100-continue on 1.0",
            "RFC 9110 10.1.1",
            (post("Content-Length: 2", "Expect: 100-continue", version="1.0"), PAUSE, b"hi"),
            served(end=CLOSED, body="hi"),
            "the RFC: ignored; 1.0 knows no interim answers",
            ("body",),
        ),
        Row(
            "expect-unknown",
            "`Expect: magic`",
            "RFC 9110 10.1.1",
            wire(_TOPIC, "Expect 'magic'"),
            refused(417),
            "allowed, and more honest than not to do what is expected",
            ("HTTP_EXPECT",),
        ),
        Row(
            "upgrade-h2c",
            "`Upgrade: h2c`",
            "RFC 9110 7.8",
            (
                get("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQA"),
            ),
            served(HTTP_UPGRADE="h2c"),
            "ignored, as the RFC allows; RFC 9113 has taken it back",
            ("HTTP_UPGRADE",),
            shows_end=True,
        ),
        Row(
            "upgrade-websocket",
            "a WebSocket handshake at a WSGI application",
            "RFC 9110 7.8",
            (
                get(
                    "Connection: Upgrade",
                    "Upgrade: websocket",
                    "Sec-WebSocket-Version: 13",
                    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
                ),
            ),
            served(HTTP_UPGRADE="websocket"),
            "WSGI cannot; the application may answer with 426",
            ("HTTP_UPGRADE",),
            only_wsgi=True,
        ),
        Row(
            "connection-named",
            "`Connection: X` and `X: 1`",
            "RFC 9110 7.6.1",
            wire(_TOPIC, "a field named in Connection arrives all the same"),
            served(HTTP_X="1"),
            "removing such fields is a duty of proxies; a server does as it is asked at its own end",
            ("HTTP_X",),
        ),
    ),
)
