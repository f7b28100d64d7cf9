"""The JSON access log (`access_log_format = "json"`): one object a line, its keys declared as rows of one
table."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from json.encoder import encode_basestring_ascii as _quote
from typing import Any

from indrik.log.atoms import ATOMS, Environ, Read, microseconds, queued_of, status_of


@dataclass(frozen=True, eq=False)
class Key:
    """One row: a key of the object. `text` values are quoted; the others are JSON already."""

    name: str
    meaning: str
    read: Read
    text: bool = True


_second: tuple[int, str, str] = (-1, "", "")


def _time(log: Any, resp: Any, req: Any, environ: Environ, took: timedelta) -> str:
    global _second
    milliseconds = int(time.time() * 1000)
    second, date, offset = _second
    if second != milliseconds // 1000:
        second = milliseconds // 1000
        local = time.localtime(second)
        date = time.strftime("%Y-%m-%dT%H:%M:%S", local)
        offset = time.strftime("%z", local)
        offset = f"{offset[:3]}:{offset[3:]}"
        _second = (second, date, offset)
    return f"{date}.{milliseconds % 1000:03d}{offset}"


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
    Key("remote_addr", "address of the peer, null for a unix socket", ATOMS["h"].read),
    Key("user", "user name of HTTP Basic credentials", ATOMS["u"].read),
    Key("method", "method", ATOMS["m"].read),
    Key("path", "path, percent-decoded, without the query", ATOMS["U"].read),
    Key("query", "query string", ATOMS["q"].read),
    Key("protocol", "protocol version", ATOMS["H"].read),
    Key("status", "status code, a number", _status, text=False),
    Key("bytes", "bytes of body sent, a number", _bytes, text=False),
    Key("duration_us", "time taken in microseconds, a number", _duration, text=False),
    Key(
        "queue_us",
        "how long the whole request waited for a thread or greenlet, in microseconds, a number",
        _queued,
        text=False,
    ),
    Key("referer", "Referer", ATOMS["f"].read),
    Key("user_agent", "User-Agent", ATOMS["a"].read),
    Key("pid", "process id of the worker, a number", _process, text=False),
)

_OBJECT = "{" + ", ".join(f'"{key.name}": %s' for key in KEYS) + "}"


def json_line(log: Any, resp: Any, req: Any, environ: Environ, took: timedelta) -> str:
    """One JSON object, ASCII, without a line end. What the request did not have is null."""
    values = [key.read(log, resp, req, environ, took) for key in KEYS]
    return _OBJECT % tuple(
        [_text(value) if key.text else value for key, value in zip(KEYS, values, strict=True)]
    )


def _text(value: Any) -> str:
    if value == "-":
        return "null"
    text = str(value)
    if not text.isascii():
        # PEP 3333 strings are bytes in latin-1; what they mean is UTF-8 on today's web.
        with suppress(UnicodeError):
            text = text.encode("latin-1").decode("utf-8")
    return _quote(text)
