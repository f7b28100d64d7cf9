"""What `h11` and `httptools` make of the same octets; None where they refuse them or stop following."""

from __future__ import annotations

from typing import Any, NamedTuple

import h11
import httptools

Head = tuple[str, str, list[tuple[str, str]]]


class Message(NamedTuple):
    """One request with its body."""

    method: str
    target: str
    body: bytes


class _Collector:
    """Collects what httptools calls back with."""

    def __init__(self) -> None:
        self.target = b""
        self.fields: list[tuple[str, str]] = []
        self.body = b""
        self.has_head = False
        self.is_complete = False
        self.messages: list[Message] = []
        self.parser: Any = None

    def on_message_begin(self) -> None:
        self.target = b""
        self.fields = []
        self.body = b""
        self.has_head = False

    def on_url(self, url: bytes) -> None:
        self.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self.has_head:
            self.fields.append((name.decode("latin-1").upper(), value.decode("latin-1")))

    def on_headers_complete(self) -> None:
        self.has_head = True

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        method = self.parser.get_method().decode("latin-1")
        # What follows CONNECT is a tunnel to httptools, content to the others.
        if method == "CONNECT":
            return
        self.messages.append(Message(method, self.target.decode("latin-1"), self.body))


def _httptools(data: bytes) -> tuple[_Collector, bool]:
    """What httptools collected, and whether it read all of `data` without an error."""
    collector = _Collector()
    parser = httptools.HttpRequestParser(collector)
    collector.parser = parser
    try:
        parser.feed_data(data)
    except httptools.HttpParserUpgrade:
        # It leaves a request that could switch protocols to others, which indrik answers as an ordinary one.
        return collector, False
    except httptools.HttpParserError:
        return collector, False
    return collector, True


def httptools_head(head: bytes) -> Head | None:
    """The request head as httptools sees it."""
    collector, is_fine = _httptools(head)
    if not is_fine or not collector.has_head:
        return None
    method = collector.parser.get_method().decode("latin-1")
    # It keeps white space behind a value, which is no part of it (RFC 9112 section 5.1).
    fields = [(name, value.strip(" \t")) for name, value in collector.fields]
    return method, collector.target.decode("latin-1"), fields


def h11_head(head: bytes) -> Head | None:
    """The request head as h11 sees it."""
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
    try:
        connection.receive_data(head)
        event = connection.next_event()
    except h11.RemoteProtocolError:
        return None
    if not isinstance(event, h11.Request):
        return None
    fields = [(name.decode("latin-1").upper(), value.decode("latin-1")) for name, value in event.headers]
    return event.method.decode("latin-1"), event.target.decode("latin-1"), fields


def httptools_messages(data: bytes) -> tuple[list[Message], bool]:
    """The whole requests at the front of `data`, and whether httptools would read on behind them."""
    collector, is_fine = _httptools(data)
    return collector.messages, is_fine


def h11_messages(data: bytes) -> tuple[list[Message], bool]:
    """The whole requests at the front of `data`, and whether h11 would read on behind them."""
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
    messages: list[Message] = []
    connection.receive_data(data)
    try:
        while True:
            event = connection.next_event()
            if not isinstance(event, h11.Request):
                return messages, event is h11.NEED_DATA
            request, body = event, b""
            while isinstance(event := connection.next_event(), h11.Data):
                body += bytes(event.data)
            if not isinstance(event, h11.EndOfMessage):
                return messages, event is h11.NEED_DATA
            messages.append(Message(request.method.decode("latin-1"), request.target.decode("latin-1"), body))
            # A refusal, because a request that could switch protocols must not.
            connection.send(h11.Response(status_code=400, headers=[("Content-Length", "0")]))
            connection.send(h11.EndOfMessage())
            if connection.our_state is not h11.DONE or connection.their_state is not h11.DONE:
                return messages, False
            connection.start_next_cycle()
    except h11.RemoteProtocolError:
        return messages, False
