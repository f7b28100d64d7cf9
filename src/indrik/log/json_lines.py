"""The JSON access log (`access_log_format = "json"`): one object a line, its keys declared as rows of one
table."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from json.encoder import encode_basestring_ascii as _quote
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import cython
else:
    from indrik import uncompiled as cython

from indrik.log.atoms import ATOMS, Atom, Environ, Read, microseconds, queued_of, status_of, variable
from indrik.log.escape import needs_escape


@dataclass(frozen=True, eq=False)
class Key:
    """One row: a key of the object. `text` values are quoted; the others are JSON already. `variable`: as of
    an atom.
    """

    name: str
    meaning: str
    read: Read
    text: bool = True
    variable: str = ""


def _of_atom(name: str, meaning: str, atom: Atom) -> Key:
    return Key(name, meaning, atom.read, variable=atom.variable)


_second: tuple[int, str, str] = (-1, "", "")


def _time(log: Any, resp: Any, req: Any, environ: Environ, took: timedelta) -> str:
    global _second
    moment: cython.double = time.time() * 1000
    milliseconds: cython.longlong = int(moment)
    second: cython.longlong = milliseconds // 1000
    shown = _second
    if shown[0] != second:
        local = time.localtime(second)
        offset = time.strftime("%z", local)
        shown = (second, time.strftime("%Y-%m-%dT%H:%M:%S", local), f"{offset[:3]}:{offset[3:]}")
        # At once: another thread may look meanwhile.
        _second = shown
    milliseconds %= 1000
    return f"{shown[1]}.{milliseconds:03d}{shown[2]}"


def _status(log: Any, resp: Any, req: Any, environ: Environ, took: timedelta) -> str:
    status = status_of(resp)
    return status if status.isascii() and status.isdigit() and status[0] != "0" else "null"


def _bytes(log: Any, resp: Any, req: Any, environ: Environ, took: timedelta) -> str:
    sent = getattr(resp, "sent", None)
    return "null" if sent is None else str(int(sent))


def _duration(log: Any, resp: Any, req: Any, environ: Environ, took: timedelta) -> str:
    return str(microseconds(took))


def _queued(log: Any, resp: Any, req: Any, environ: Environ, took: timedelta) -> str:
    return str(round(queued_of(resp) * 1_000_000))


def _process(log: Any, resp: Any, req: Any, environ: Environ, took: timedelta) -> str:
    return str(os.getpid())


KEYS = (
    Key("time", "when the line is written: RFC 3339, local time zone, milliseconds", _time),
    _of_atom("remote_addr", "address of the peer, null for a unix socket", ATOMS["h"]),
    _of_atom("user", "user name of HTTP Basic credentials", ATOMS["u"]),
    _of_atom("method", "method", ATOMS["m"]),
    _of_atom("path", "path, percent-decoded, without the query", ATOMS["U"]),
    _of_atom("query", "query string", ATOMS["q"]),
    _of_atom("protocol", "protocol version", ATOMS["H"]),
    Key("status", "status code, a number", _status, text=False),
    Key("bytes", "bytes of body sent, a number", _bytes, text=False),
    Key("duration_us", "time taken in microseconds, a number", _duration, text=False),
    Key(
        "queue_us",
        "how long the whole request waited for a thread or greenlet, in microseconds, a number",
        _queued,
        text=False,
    ),
    _of_atom("referer", "Referer", ATOMS["f"]),
    _of_atom("user_agent", "User-Agent", ATOMS["a"]),
    Key("pid", "process id of the worker, a number", _process, text=False),
)

# The line in pieces, those of the values empty; and for each value its index, the variable of the environ
# that it is (or ""), how to read it, and whether it is quoted.
_PIECES: list[str] = []
_PLACES: list[tuple[int, str, Read, bool]] = []
for _key in KEYS:
    _PIECES += [f'{", " if _PIECES else "{"}"{_key.name}": ', ""]
    _PLACES.append((len(_PIECES) - 1, _key.variable, _key.read, _key.text))
_PIECES.append("}")


def json_line(log: Any, resp: Any, req: Any, environ: Environ, took: timedelta) -> str:
    """One JSON object, ASCII, without a line end. What the request did not have is null."""
    pieces: list = _PIECES.copy()
    place: tuple
    index: cython.Py_ssize_t
    key: str
    value: Any
    for place in _PLACES:
        key = place[1]
        value = variable(environ, key, "-") if key else place[2](log, resp, req, environ, took)
        index = place[0]
        pieces[index] = _text(value) if place[3] else value
    return "".join(pieces)


def _text(value: Any) -> str:
    text: str = value if type(value) is str else str.__str__(str(value))
    if text == "-":
        return "null"
    if not needs_escape(text):
        return f'"{text}"'
    if not text.isascii():
        # PEP 3333 strings are bytes in latin-1; what they mean is UTF-8 on today's web.
        with suppress(UnicodeError):
            text = text.encode("latin-1").decode("utf-8")
    return _quote(text)
