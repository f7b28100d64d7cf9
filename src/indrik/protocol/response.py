"""Renders a response head once, with exactly one framing (RFC 9112 section 6, RFC 9110 sections 6 and 8.6).

What the application gives is validated here, so nothing it passes on can split a response. Violations are
`InvalidResponse`: the application is at fault, not the client.
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import cython
else:
    from indrik import uncompiled as cython

from indrik.errors import IndrikError
from indrik.protocol.octets import assemble, digits, is_plain, is_token

#: `complete` is told this where the length of the body is not known.
UNKNOWN_LENGTH = -1

_STATUS = re.compile(r"([1-9][0-9]{2}) [\t \x21-\x7e\x80-\xff]*")
_VALUE = re.compile(r"[\t \x21-\x7e\x80-\xff]*")

#: Validated statuses and field names kept; applications use few, and a runaway one must not grow the table.
_KEPT = 1024

_ORDINARY = 0
_CONTENT_LENGTH = 1
_CONNECTION = 2
_DATE = 3
_SERVER = 4
_HOP_BY_HOP = 5

_MEANINGS = {
    "content-length": _CONTENT_LENGTH,
    "connection": _CONNECTION,
    "date": _DATE,
    "server": _SERVER,
    "keep-alive": _HOP_BY_HOP,
    "proxy-connection": _HOP_BY_HOP,
    "te": _HOP_BY_HOP,
    "trailer": _HOP_BY_HOP,
    "transfer-encoding": _HOP_BY_HOP,
    "upgrade": _HOP_BY_HOP,
}

_names: dict[str, tuple[str, int]] = {}
_statuses: dict[str, tuple[str, int]] = {}


class InvalidResponse(IndrikError):
    """The application gave something that may not be sent; the message names the rule."""


@cython.freelist(32)
@cython.no_gc
@cython.cclass
class ResponseHead:
    """A head and how the body behind it is framed; settled once it is complete.

    data: the bytes for the wire. holds_body: the body's first piece is behind the head already.
    has_body: False where no body octet may follow (HEAD, 204, 304).
    is_chunked: the body goes out in the chunked coding.
    content_length: bytes that the body must have, or `UNKNOWN_LENGTH`.
    keep_alive: whether the connection may be used again afterwards.
    dropped: hop-by-hop fields that were left out (PEP 3333 forbids them to applications).
    """

    data: bytes
    has_body: bool
    is_chunked: bool
    content_length: int
    keep_alive: bool
    holds_body: bool
    dropped: list[str] | None
    _parts: list[str]
    _code: int
    _declared_text: str
    _has_date: bool
    _has_server: bool


def _status(status: Any) -> tuple[str, int]:
    if not isinstance(status, str):
        raise InvalidResponse(f"PEP 3333: the status must be a str, not {type(status).__name__}")
    found = _STATUS.fullmatch(status)
    if found is None:
        # A missing reason is common and harmless; RFC 9112 section 4 lets it be empty but wants the space.
        if re.fullmatch(r"[1-9][0-9]{2}", status):
            status += " "
        else:
            raise InvalidResponse(
                f"PEP 3333: the status {status[:80]!r} is not a 3-digit code, a space and a reason"
            )
    code = int(status[:3])
    if code < 200:
        raise InvalidResponse(
            f"RFC 9110 section 15.2: the status {status!r} is interim, a final one is needed"
        )
    known = (f"HTTP/1.1 {status}", code)
    if len(_statuses) < _KEPT:
        _statuses[status] = known
    return known


def _name(name: Any) -> tuple[str, int]:
    if not isinstance(name, str):
        raise InvalidResponse(f"PEP 3333: a header name must be a str, not {type(name).__name__}")
    name = str.__str__(name)
    if not is_token(name):
        raise InvalidResponse(f"RFC 9110 section 5.1: {name[:80]!r} is not a header field name")
    known = (f"\r\n{name}: ", _MEANINGS.get(name.lower(), _ORDINARY))
    if len(_names) < _KEPT:
        _names[name] = known
    return known


def _pair(pair: Any) -> tuple[Any, Any]:
    """Lists and subclasses of tuple are no tuples to PEP 3333, but harmless and in use."""
    if not isinstance(pair, (tuple, list)) or len(pair) != 2:
        raise InvalidResponse(
            f"PEP 3333: a response header must be a tuple (name, value), not {repr(pair)[:80]}"
        )
    return (pair[0], pair[1])


def _value(name: Any, value: Any) -> str:
    """Subclasses of str (marked-up text, say) are sent as what they are underneath."""
    if not isinstance(value, str):
        raise InvalidResponse(f"PEP 3333: the value of {name!r} must be a str, not {type(value).__name__}")
    return str.__str__(value)


def _check_value(name: Any, value: str) -> None:
    if not _VALUE.fullmatch(value):
        raise InvalidResponse(
            f"RFC 9110 section 5.5: the value of {name!r} holds a control or non-latin-1 character: "
            f"{value[:80]!r}"
        )


def prepare(status: str, headers: list) -> ResponseHead:
    """The part of a final response's head that the application decides, validated; `complete` follows.

    What happens to `headers` afterwards changes nothing. Raises `InvalidResponse`.
    """
    parts: list = []
    known: tuple | None
    pair: Any
    name: Any
    value: Any
    meaning: cython.int
    declared: cython.longlong = -1

    head: ResponseHead = ResponseHead.__new__(ResponseHead)
    head.dropped = None
    head.keep_alive = True
    head._declared_text = ""
    head._has_date = False
    head._has_server = False
    known = _statuses.get(status)
    if known is None:
        known = _status(status)
    parts.append(known[0])
    head._code = known[1]
    for pair in headers:
        if type(pair) is not tuple or len(pair) != 2:
            pair = _pair(pair)
        name, value = pair
        # What is no str may not even be hashable.
        known = _names.get(name) if type(name) is str else None
        if known is None:
            known = _name(name)
        # What is not plain may still be a tab or obs-text.
        if type(value) is not str:
            value = _value(name, value)
        if not is_plain(value):
            _check_value(name, value)
        meaning = known[1]
        if meaning != _ORDINARY:
            if meaning == _CONTENT_LENGTH:
                if declared >= 0:
                    raise InvalidResponse("RFC 9110 section 8.6: the application set Content-Length twice")
                declared = digits(value)
                if declared < 0:
                    raise InvalidResponse(
                        f"RFC 9110 section 8.6: Content-Length {value[:80]!r} is not a number"
                    )
                head._declared_text = value
                continue
            if meaning == _DATE:
                if head._has_date:
                    continue
                head._has_date = True
            elif meaning == _SERVER:
                if head._has_server:
                    continue
                head._has_server = True
            else:
                if meaning == _CONNECTION:
                    if "close" in value.lower():
                        head.keep_alive = False
                        continue
                    if value.lower() == "keep-alive":
                        continue
                head.dropped = [*(head.dropped or ()), name]
                continue
        parts.append(known[0])
        parts.append(value)
    head.content_length = declared
    head._parts = parts
    return head


def complete(
    head: ResponseHead,
    head_only: cython.bint,
    minor_version: cython.int,
    keep_alive: cython.bint,
    length: cython.longlong,
    tail: str,
    body: bytes = b"",
) -> None:
    """Decides the framing and renders `head`, which `prepare` made; once.

    `head_only`: the request was HEAD. `minor_version` and `keep_alive` are the request's. `length` is the
    body's length in bytes if it is known, else `UNKNOWN_LENGTH`; a Content-Length of the application goes
    before it. `tail` holds the Date and Server fields as `fields_tail` makes them. `body` is the first piece
    of the body if it is small: it is put behind the head where the framing lets it stand there as it is
    (`holds_body`).
    """
    parts: list = head._parts
    declared: cython.longlong = head.content_length
    declared_text: str = head._declared_text
    if not head.keep_alive:
        keep_alive = False
    head.has_body = not head_only
    head.is_chunked = False
    if head._code == 204 or head._code == 304:
        head.has_body = False
        if head._code == 204:
            declared_text = ""
    elif declared < 0:
        if head_only:
            # A HEAD response may leave the length out; inventing one from an empty body would lie.
            if length > 0:
                declared_text = str(length)
        elif length >= 0:
            declared = length
            declared_text = str(length)
        elif minor_version >= 1:
            head.is_chunked = True
            parts.append("\r\nTransfer-Encoding: chunked")
        else:
            keep_alive = False
    if declared_text:
        parts.append("\r\nContent-Length: ")
        parts.append(declared_text)
    if not keep_alive:
        parts.append("\r\nConnection: close")
    elif minor_version == 0:
        parts.append("\r\nConnection: keep-alive")
    if head._has_date or head._has_server:
        tail = _own_tail(tail, head._has_date, head._has_server)
    parts.append(tail)
    # More than was declared is the application's mistake, which the caller handles.
    head.holds_body = bool(body) and head.has_body and not head.is_chunked and (
        declared < 0 or len(body) <= declared
    )
    head.data = assemble(parts, body if head.holds_body else b"")
    head.content_length = declared
    head.keep_alive = keep_alive


def render(
    status: str,
    headers: list,
    head_only: cython.bint,
    minor_version: cython.int,
    keep_alive: cython.bint,
    length: cython.longlong,
    tail: str,
    body: bytes = b"",
) -> ResponseHead:
    """`prepare` and `complete` in one. Raises `InvalidResponse`."""
    head: ResponseHead = prepare(status, headers)
    complete(head, head_only, minor_version, keep_alive, length, tail, body)
    return head


_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def format_date(moment: time.struct_time) -> str:
    """`moment`, in UTC, as an IMF-fixdate (RFC 9110 section 5.6.7)."""
    # Not email.utils.formatdate(): it takes the e-mail package into every worker, 6 ms of its start.
    return (
        f"{_DAYS[moment.tm_wday]}, {moment.tm_mday:02} {_MONTHS[moment.tm_mon - 1]} {moment.tm_year} "
        f"{moment.tm_hour:02}:{moment.tm_min:02}:{moment.tm_sec:02} GMT"
    )


def fields_tail(date: str, server: str) -> str:
    """The end of every head: the server's own Date and Server fields, the latter if it is not empty, and the
    empty line.
    """
    return f"\r\nDate: {date}\r\nServer: {server}\r\n\r\n" if server else f"\r\nDate: {date}\r\n\r\n"


def _own_tail(tail: str, has_date: bool, has_server: bool) -> str:
    """`tail` without the fields that the application has set itself."""
    kept = [
        line
        for line in tail.split("\r\n")[1:-2]
        if not (has_date and line.startswith("Date:")) and not (has_server and line.startswith("Server:"))
    ]
    return "".join(f"\r\n{line}" for line in kept) + "\r\n\r\n"


def render_refusal(status: str, reason: str, tail: str) -> bytes:
    """A whole response that closes the connection, for a request that never reached the application."""
    body = f"{status}: {reason}\n".encode("latin-1")
    return (
        f"HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {len(body)}"
        f"\r\nConnection: close{tail}"
    ).encode("latin-1") + body


#: The interim response of RFC 9110 section 15.2.1.
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


def render_early_hints(headers: list) -> bytes:
    """A 103 interim response (RFC 8297). Raises `InvalidResponse`."""
    return b"HTTP/1.1 103 Early Hints" + _render_fields(headers) + b"\r\n\r\n"


def render_trailers(headers: list) -> bytes:
    """The trailer section behind the last chunk and the empty line that ends it (RFC 9112 section 7.1.2).
    Fields of framing are left out (RFC 9110 section 6.5.1). Raises `InvalidResponse`.
    """
    fields = _render_fields(headers)
    return fields[2:] + b"\r\n\r\n" if fields else b"\r\n"


def _render_fields(headers: list) -> bytes:
    """Fields with CRLF before each; those with a meaning to the server are left out."""
    name: Any
    value: Any
    parts: list = []
    for name, value in headers:
        prefix, meaning = (_names.get(name) if type(name) is str else None) or _name(name)
        value = _value(name, value)
        _check_value(name, value)
        if meaning == _ORDINARY:
            parts.append(f"{prefix}{value}")
    return "".join(parts).encode("latin-1")


def render_switching_protocols(
    fields: list[tuple[str, str]], headers: list[tuple[str, str]], tail: str
) -> bytes:
    """The head of a 101 response (RFC 9110 section 15.2.2).

    `fields` are the server's own and make the switch. `headers` are the application's, not validated yet: it
    may set none of those nor any other field that is about the connection or a body, nor one of WebSocket.
    `tail` is as in `complete`. Raises `InvalidResponse`.
    """
    name: Any
    value: Any
    parts = ["HTTP/1.1 101 Switching Protocols"]
    parts += [f"\r\n{name}: {value}" for name, value in fields]
    has: set[int] = set()
    for pair in headers:
        name, value = _pair(pair)
        prefix, meaning = _name(name)
        value = _value(name, value)
        _check_value(name, value)
        if meaning not in (_ORDINARY, _DATE, _SERVER) or prefix.lower().startswith("\r\nsec-websocket-"):
            raise InvalidResponse(f"RFC 6455 section 4.2.2: {name} is for the server to set")
        if meaning != _ORDINARY and meaning in has:
            continue
        has.add(meaning)
        parts.append(f"{prefix}{value}")
    parts.append(_own_tail(tail, _DATE in has, _SERVER in has))
    return "".join(parts).encode("latin-1")
