"""The application of every probe, for WSGI and for ASGI: notes what it sees, and answers as the path asks.

Runs inside of the servers that are measured, so it imports nothing of this project. What it sees goes to the
file that CONFORMANCE_CALLS names, a JSON object a line: an answer might not arrive.
"""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
Message = dict[str, Any]

RESPOND = "/respond/"
_PLAIN = ("Content-Type", "text/plain")
#: The Date that an answer has which brings its own.
OWN_DATE = "Mon, 01 Jan 2024 00:00:00 GMT"


@dataclass(frozen=True)
class Response:
    """What the application answers. streams: a generator, not a list. fails: raises behind the body."""

    status: str = "200 OK"
    headers: tuple[tuple[str, str], ...] = ()
    body: tuple[Any, ...] = (b"hello",)
    streams: bool = False
    fails: bool = False
    reads: bool = True


def _length(number: int | str) -> tuple[str, str]:
    return ("Content-Length", str(number))


RESPONSES: dict[str, Response] = {
    "plain": Response(),
    "two-items": Response(body=(b"he", b"llo")),
    "stream": Response(body=(b"he", b"llo"), streams=True),
    "empty-item": Response(body=(b"he", b"", b"llo"), streams=True),
    "longer": Response(headers=(_length(2),)),
    "shorter": Response(headers=(_length(9),)),
    "signed-length": Response(headers=(_length("+5"),)),
    "two-lengths": Response(headers=(_length(5), _length(5))),
    "no-content": Response(status="204 No Content"),
    "no-content-length": Response(status="204 No Content", headers=(_length(5),)),
    "reset-content": Response(status="205 Reset Content", body=()),
    "not-modified": Response(status="304 Not Modified", headers=(_length(5),)),
    "redirect": Response(status="302 Found", headers=(("Location", "/x"),), body=()),
    "interim": Response(status="100 Continue", body=()),
    "no-reason": Response(status="200"),
    "split-status": Response(status="200 OK\r\nX: 1"),
    "split-value": Response(headers=(("X", "a\r\nSet-Cookie: b=1"),)),
    "lf-value": Response(headers=(("X", "a\nb"),)),
    "nul-value": Response(headers=(("X", "a\0b"),)),
    "blank-name": Response(headers=(("X Y", "1"),)),
    "colon-name": Response(headers=(("X:", "1"),)),
    "obs-text": Response(headers=(("X", "\xe4"),)),
    "beyond-latin-1": Response(headers=(("X", "\u20ac"),)),
    "mixed-case": Response(headers=(("X-MiXed", "1"),)),
    "own-coding": Response(headers=(("Transfer-Encoding", "chunked"),)),
    "upgrade": Response(headers=(("Upgrade", "h2c"),)),
    "keep-alive": Response(headers=(("Connection", "keep-alive"), ("Keep-Alive", "timeout=5"))),
    "close": Response(headers=(("Connection", "close"),)),
    "own-date": Response(headers=(("Date", OWN_DATE), ("Server", "mine/1"))),
    "cookies": Response(headers=(("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"))),
    "text-item": Response(body=("hello",)),
    "fails": Response(body=(), fails=True),
    "fails-late": Response(body=(b"he",), streams=True, fails=True),
    "fails-in-length": Response(headers=(_length(5),), body=(b"he",), streams=True, fails=True),
    "unread": Response(headers=(_length(5),), reads=False),
}

ECHO = Response(headers=(_PLAIN, _length(2)), body=(b"ok",))

#: Octets of a body that are noted.
_NOTED = 120

_numbers = itertools.count()


class Failed(Exception):
    """The application fails, as asked."""


@dataclass
class Note:
    """One call: a line when it begins, and one when the body was read."""

    seen: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._id = f"{os.getpid()}-{next(_numbers)}"
        self._write("call", self.seen)

    def body(self, data: bytes) -> None:
        """The whole body, or what there was of it."""
        self._write("body", {"body": data[:_NOTED].decode("latin-1"), "body length": str(len(data))})

    def failure(self, error: BaseException | str) -> None:
        """Reading failed."""
        self._write("body", {"body error": error if isinstance(error, str) else type(error).__name__})

    def _write(self, event: str, values: dict[str, Any]) -> None:
        line = json.dumps({"event": event, "id": self._id, "values": values}) + "\n"
        # One write to a file that is opened for appending: lines of several processes do not mix.
        fd = os.open(os.environ["CONFORMANCE_CALLS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(fd, line.encode())
        finally:
            os.close(fd)


# --- WSGI


def application(environ: Environ, start_response: StartResponse) -> Iterable[Any]:
    """The WSGI application."""
    seen = {key: value for key, value in environ.items() if key.isupper() and isinstance(value, str)}
    seen["scheme"] = environ["wsgi.url_scheme"]
    seen["has early hints"] = "yes" if environ.get("wsgi.early_hints") else "no"
    note = Note(seen)
    path = environ.get("PATH_INFO", "")
    response = RESPONSES.get(path.removeprefix(RESPOND), ECHO) if path.startswith(RESPOND) else ECHO
    if response.reads:
        try:
            note.body(environ["wsgi.input"].read())
        except Exception as error:
            note.failure(error)
            raise
    if path == RESPOND + "written":
        write = start_response("200 OK", [_PLAIN])
        write(b"he")
        return [b"llo"]
    if path == RESPOND + "hints" and environ.get("wsgi.early_hints"):
        environ["wsgi.early_hints"]([("Link", "</a.css>; rel=preload")])
    if response.fails and not response.body:
        raise Failed(path)
    start_response(response.status, list(response.headers))
    return _stream(response) if response.streams else list(response.body)


def _stream(response: Response) -> Iterator[Any]:
    yield from response.body
    if response.fails:
        raise Failed("in the body")


# --- ASGI


async def asgi_application(
    scope: dict[str, Any],
    receive: Callable[[], Awaitable[Message]],
    send: Callable[[Message], Awaitable[None]],
) -> None:
    """The same in ASGI. What it sees is noted under WSGI's names; a field that came twice has a list."""
    if scope["type"] != "http":
        # No lifespan, no WebSocket: the server goes on without.
        raise Failed(scope["type"])
    note = Note(_seen(scope))
    path: str = scope["path"]
    response = RESPONSES.get(path.removeprefix(RESPOND), ECHO) if path.startswith(RESPOND) else ECHO
    if response.reads and not await _read(note, receive):
        return
    if response.fails and not response.body:
        raise Failed(path)
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in response.headers]
    await send({"type": "http.response.start", "status": int(response.status[:3]), "headers": headers})
    for item in response.body:
        await send({"type": "http.response.body", "body": item, "more_body": True})
    if response.fails:
        raise Failed("in the body")
    await send({"type": "http.response.body", "body": b""})


async def _read(note: Note, receive: Callable[[], Awaitable[Message]]) -> bool:
    """Whether the whole body came."""
    body = b""
    while True:
        message = await receive()
        if message["type"] != "http.request":
            note.failure(message["type"])
            return False
        body += message.get("body", b"")
        if not message.get("more_body"):
            note.body(body)
            return True


def _seen(scope: dict[str, Any]) -> dict[str, Any]:
    seen: dict[str, Any] = {
        "REQUEST_METHOD": scope["method"],
        # WSGI's text is the path's octets as Latin-1.
        "PATH_INFO": scope["path"].encode("utf-8").decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "SCRIPT_NAME": scope.get("root_path", ""),
        "scheme": scope["scheme"],
        "has early hints": "yes" if "http.response.early_hint" in scope.get("extensions", {}) else "no",
    }
    if scope.get("client"):
        seen["REMOTE_ADDR"] = scope["client"][0]
    fields: dict[str, list[str]] = {}
    for name, value in scope["headers"]:
        key = name.decode("latin-1").upper().replace("-", "_")
        key = key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else "HTTP_" + key
        fields.setdefault(key, []).append(value.decode("latin-1"))
    for key, values in fields.items():
        seen[key] = values[0] if len(values) == 1 else values
    return seen
