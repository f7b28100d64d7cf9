"""The WSGI application of the checks: each path does one thing, and notes what the checks want to know."""

from __future__ import annotations

import contextvars
import hashlib
import json
import os
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from indrik.testing.notes import gate_of, note

#: Seconds after which a request gives up waiting at a gate: longer than any check.
_LONGEST = 60.0

_var: contextvars.ContextVar[str] = contextvars.ContextVar("indrik.testing")

Environ = dict[str, Any]
View = Callable[[Environ, Any, str], Iterable[bytes]]


def application(environ: Environ, start_response: Any) -> Iterable[bytes]:
    """`/NAME/ARGUMENT` calls the view NAME; what is no view answers with the worker's process id."""
    path = environ["PATH_INFO"]
    note("called", environ["REQUEST_METHOD"], path)
    name, _, argument = path[1:].partition("/")
    return VIEWS.get(name, _pid)(environ, start_response, argument)


def _text(start_response: Any, text: str | bytes) -> list[bytes]:
    body = text.encode() if isinstance(text, str) else text
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


def pass_gate(name: str) -> None:
    """Waits inside the application until a check opens the gate."""
    note("inside", name)
    give_up_at = time.monotonic() + _LONGEST
    gate = gate_of(name)
    while not gate.exists():
        if time.monotonic() > give_up_at:
            raise TimeoutError(f"nobody has opened the gate {name!r}")
        time.sleep(0.005)


class Closing:
    """An iterable that notes each call of close()."""

    def __init__(self, name: str, items: Iterable[bytes]) -> None:
        self._name = name
        self._items = items

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._items)

    def close(self) -> None:
        close = getattr(self._items, "close", None)
        if close is not None:
            close()
        note("closed", self._name)


def _pid(environ: Environ, start_response: Any, argument: str) -> Iterable[bytes]:
    return _text(start_response, str(os.getpid()))


def _environ(environ: Environ, start_response: Any, argument: str) -> Iterable[bytes]:
    """What the request looks like from here, as JSON."""
    seen = {key: value for key, value in environ.items() if isinstance(value, str | int | tuple)}
    seen["body"] = environ["wsgi.input"].read().decode("latin-1")
    return _text(start_response, json.dumps(seen))


def _digest(environ: Environ, start_response: Any, argument: str) -> Iterable[bytes]:
    body = environ["wsgi.input"].read()
    return _text(start_response, f"{len(body)} {hashlib.sha256(body).hexdigest()}")


def _large(environ: Environ, start_response: Any, argument: str) -> Iterable[bytes]:
    return _text(start_response, b"x" * int(argument))


def _gate(environ: Environ, start_response: Any, argument: str) -> Iterable[bytes]:
    pass_gate(argument)
    return _text(start_response, f"{os.getpid()} {argument}")


def _stream(environ: Environ, start_response: Any, argument: str) -> Iterable[bytes]:
    """A first piece, the gate, a second piece: of unknown length."""

    def body() -> Iterator[bytes]:
        yield b"first"
        pass_gate(argument)
        yield b"second"

    start_response("200 OK", [("Content-Type", "text/plain")])
    return Closing(argument, body())


def _endless(environ: Environ, start_response: Any, argument: str) -> Iterable[bytes]:
    def body() -> Iterator[bytes]:
        try:
            while True:
                yield b"x" * 1024
                time.sleep(0.005)
        finally:
            note("ended", argument)

    start_response("200 OK", [("Content-Type", "text/plain")])
    return Closing(argument, body())


def _raise(environ: Environ, start_response: Any, argument: str) -> Iterable[bytes]:
    """Raises `before` the response, in its `middle`, or `after` it in close()."""
    if argument == "before":
        raise RuntimeError("raised before the response")

    class Raising(Closing):
        def close(self) -> None:
            super().close()
            if argument == "after":
                raise RuntimeError("raised after the response")

    def body() -> Iterator[bytes]:
        yield b"begun"
        if argument == "middle":
            raise RuntimeError("raised in the middle of the response")

    start_response("200 OK", [("Content-Type", "text/plain")])
    return Raising(argument, body())


def _exit(environ: Environ, start_response: Any, argument: str) -> Iterable[bytes]:
    raise SystemExit(0)


def _departure(environ: Environ, start_response: Any, argument: str) -> Iterable[bytes]:
    """Waits for the client to leave."""
    note("inside", argument)
    gone = environ["indrik.disconnected"]
    note("left", argument, gone.wait(_LONGEST), gone.is_set())
    return _text(start_response, "nobody reads this")


def _spin(environ: Environ, start_response: Any, argument: str) -> Iterable[bytes]:
    """Is inside the application for a number of seconds, in small steps of Python code."""
    end = time.monotonic() + float(argument)
    try:
        while time.monotonic() < end:
            time.sleep(0.005)
    finally:
        note("ended", "spin")
    return _text(start_response, str(os.getpid()))


def _context(environ: Environ, start_response: Any, argument: str) -> Iterable[bytes]:
    """What an earlier request has left in a context variable; leaves something itself. With `stream`, also in
    the iteration, which the client may abandon.
    """
    found = _var.get("nothing")
    _var.set("left by the call")
    if argument != "stream":
        return _text(start_response, found)

    def body() -> Iterator[bytes]:
        token = _var.set("left by the iteration")
        try:
            while True:
                yield b"x" * 1024
                time.sleep(0.005)
        finally:
            # ValueError if the iteration ends in another context than it began in.
            _var.reset(token)
            note("ended", "context")

    start_response("200 OK", [("Content-Type", "text/plain"), ("X-Found", found)])
    return body()


VIEWS: dict[str, View] = {
    "environ": _environ,
    "digest": _digest,
    "large": _large,
    "gate": _gate,
    "stream": _stream,
    "endless": _endless,
    "raise": _raise,
    "exit": _exit,
    "departure": _departure,
    "spin": _spin,
    "context": _context,
}
