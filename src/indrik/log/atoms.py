"""The table of access log atoms: one row each, with what it means and how it is read from a finished request.

The compiled format, `Logger.atoms`, the warning about an unknown atom and the reference page all come
from `ATOMS` and `FAMILIES`; an atom is added here and nowhere else."""

from __future__ import annotations

import binascii
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import cython
else:
    from indrik import uncompiled as cython

#: The word that `access_log_format` holds for lines of JSON (`json_lines`) in place of atoms.
JSON_FORMAT = "json"

Environ = Mapping[str, Any]
Read = Callable[[Any, Any, Any, Environ, timedelta], Any]


@dataclass(frozen=True, eq=False)
class Atom:
    """One row. `number` says that `%(X)d` and its like are possible; `unquoted`, that spaces must be
    escaped too because the default format writes it without quotes and a client chooses it. `variable` is the
    variable of the environ that `read` gives, with "-" where there is none, and empty for anything else."""

    name: str
    meaning: str
    example: str
    read: Read
    number: bool = False
    unquoted: bool = False
    variable: str = ""


@dataclass(frozen=True, eq=False)
class Family:
    """Atoms of the form `{key}SUFFIX`; `reader` makes the read function of one key, None where there is no
    such key."""

    suffix: str
    meaning: str
    example: str
    reader: Callable[[str], Read | None]


def variable(environ: Environ, name: str, default: str) -> Any:
    """`environ.get(name, default)`."""
    if cython.compiled and type(environ) is dict:
        variables: dict = environ
        return variables.get(name, default)
    return environ.get(name, default)


def user_of(environ: Environ) -> str:
    """The user name of HTTP Basic credentials (RFC 7617), "-" without any or when they cannot be decoded."""
    scheme, _, credentials = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
    if scheme.lower() != "basic":
        return "-"
    import base64  # late: few logs of few servers name the user

    try:
        user = base64.b64decode(credentials.strip().encode("latin-1"), validate=True).partition(b":")[0]
    except (binascii.Error, UnicodeEncodeError):
        return "-"
    return user.decode("utf-8", "surrogateescape") or "-"


def status_of(resp: Any) -> str:
    status = resp.status
    if not isinstance(status, str):
        return str(status)
    text: str = status if type(status) is str else str.__str__(status)
    end: cython.Py_ssize_t = text.find(" ")
    return text if end < 0 else text[:end]


def microseconds(took: timedelta) -> int:
    return (took.days * 86400 + took.seconds) * 1_000_000 + took.microseconds


_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

_shown: tuple[int, str] = (-1, "")


def now_text() -> str:
    """The time as the atom `t` shows it, in English whatever the locale; made once a second."""
    global _shown
    moment: cython.double = time.time()
    second: cython.longlong = int(moment)
    shown = _shown
    if second != shown[0]:
        local = time.localtime(second)
        text = time.strftime(f"[%d/{_MONTHS[local.tm_mon - 1]}/%Y:%H:%M:%S %z]", local)
        # Both at once: another thread may look meanwhile.
        _shown = shown = (second, text)
    return shown[1]


def _remote_address(log: Any, resp: Any, req: Any, environ: Environ, took: timedelta) -> Any:
    return variable(environ, "REMOTE_ADDR", "") or "-"


def _identity(log: Any, resp: Any, req: Any, environ: Environ, took: timedelta) -> Any:
    return "-"


def _user(log: Any, resp: Any, req: Any, environ: Environ, took: timedelta) -> Any:
    return user_of(environ) if "HTTP_AUTHORIZATION" in environ else "-"


def _date(log: Any, resp: Any, req: Any, environ: Environ, took: timedelta) -> Any:
    return log.now()


def _request_line(log: Any, resp: Any, req: Any, environ: Environ, took: timedelta) -> Any:
    method = variable(environ, "REQUEST_METHOD", "-")
    return f"{method} {variable(environ, 'RAW_URI', '-')} {variable(environ, 'SERVER_PROTOCOL', '-')}"


def _status(log: Any, resp: Any, req: Any, environ: Environ, took: timedelta) -> Any:
    return status_of(resp)


def _query(log: Any, resp: Any, req: Any, environ: Environ, took: timedelta) -> Any:
    return variable(environ, "QUERY_STRING", "")


def _length(log: Any, resp: Any, req: Any, environ: Environ, took: timedelta) -> Any:
    sent = getattr(resp, "sent", None)
    return "-" if sent is None else str(sent)


def _length_number(log: Any, resp: Any, req: Any, environ: Environ, took: timedelta) -> Any:
    return getattr(resp, "sent", None) or 0


def _seconds(log: Any, resp: Any, req: Any, environ: Environ, took: timedelta) -> Any:
    return took.days * 86400 + took.seconds


def _milliseconds(log: Any, resp: Any, req: Any, environ: Environ, took: timedelta) -> Any:
    return microseconds(took) // 1000


def _microseconds(log: Any, resp: Any, req: Any, environ: Environ, took: timedelta) -> Any:
    return microseconds(took)


def _decimal_seconds(log: Any, resp: Any, req: Any, environ: Environ, took: timedelta) -> Any:
    return f"{took.days * 86400 + took.seconds}.{took.microseconds:06d}"


def queued_of(resp: Any) -> float:
    """Seconds that the whole request waited for the application; 0 where the response does not say."""
    return float(getattr(resp, "queued", 0.0))


def _queued(log: Any, resp: Any, req: Any, environ: Environ, took: timedelta) -> Any:
    return f"{queued_of(resp):.6f}"


def _route(log: Any, resp: Any, req: Any, environ: Environ, took: timedelta) -> Any:
    return environ.get("indrik.route", "-")


def _process(log: Any, resp: Any, req: Any, environ: Environ, took: timedelta) -> Any:
    return f"<{os.getpid()}>"


def _request_header(name: str) -> Read:
    wanted = name.lower()

    def read(log: Any, resp: Any, req: Any, environ: Environ, took: timedelta) -> Any:
        values = [value for key, value in req.headers if key.lower() == wanted]
        return ", ".join(values) if values else "-"

    return read


def _response_header(name: str) -> Read:
    wanted = name.lower()

    def read(log: Any, resp: Any, req: Any, environ: Environ, took: timedelta) -> Any:
        values = [value for key, value in resp.headers if key.lower() == wanted]
        return ", ".join(values) if values else "-"

    return read


def _of_environ(name: str, meaning: str, example: str, key: str) -> Atom:
    """The row of an atom that is a variable of the environ."""

    def read(log: Any, resp: Any, req: Any, environ: Environ, took: timedelta) -> Any:
        return variable(environ, key, "-")

    return Atom(name, meaning, example, read, variable=key)


def _environ_variable(name: str) -> Read:
    spellings = tuple(dict.fromkeys((name, name.upper(), name.lower())))

    def read(log: Any, resp: Any, req: Any, environ: Environ, took: timedelta) -> Any:
        for spelling in spellings:
            if spelling in environ:
                return environ[spelling]
        return next((value for key, value in environ.items() if key.lower() == spellings[-1]), "-")

    return read


#: What no other server's atoms have: key of `{key}x` -> read function.
EXTRAS: dict[str, Read] = {"queue": _queued, "route": _route}


ATOMS: dict[str, Atom] = {
    atom.name: atom
    for atom in (
        Atom("h", "address of the peer, `-` for a unix socket", "127.0.0.1", _remote_address),
        Atom("l", "always `-`: the place of the RFC 1413 identity", "-", _identity),
        Atom("u", "user name of HTTP Basic credentials; a space is escaped too", "ada", _user, unquoted=True),
        Atom(
            "t", "time at which the line is written, local time zone", "[23/Nov/2026:10:00:00 +0000]", _date
        ),
        Atom("r", "request line as received", "GET /notes?page=2 HTTP/1.1", _request_line),
        _of_environ("m", "method", "GET", "REQUEST_METHOD"),
        _of_environ("U", "path, percent-decoded, without the query", "/notes", "PATH_INFO"),
        Atom("q", "query string, empty when there is none", "page=2", _query),
        _of_environ("H", "protocol version", "HTTP/1.1", "SERVER_PROTOCOL"),
        Atom("s", "status code", "200", _status),
        Atom("B", "bytes of body sent", "1024", _length_number, number=True),
        Atom("b", "bytes of body sent, `-` when the response does not count them", "1024", _length),
        _of_environ("f", "Referer", "https://example.org/", "HTTP_REFERER"),
        _of_environ("a", "User-Agent", "curl/8.5.0", "HTTP_USER_AGENT"),
        Atom("T", "time taken in whole seconds, days counted in", "0", _seconds, number=True),
        Atom("M", "time taken in milliseconds", "12", _milliseconds, number=True),
        Atom("D", "time taken in microseconds", "12034", _microseconds, number=True),
        Atom("L", "time taken in seconds, as a decimal", "0.012034", _decimal_seconds),
        Atom("p", "process id of the worker", "<4711>", _process),
    )
}

FAMILIES: dict[str, Family] = {
    family.suffix: family
    for family in (
        Family("i", "request header; repeats joined with `, `", "%({x-forwarded-for}i)s", _request_header),
        Family("o", "response header; repeats joined with `, `", "%({content-type}o)s", _response_header),
        Family("e", "variable of the WSGI environ, in any case", "%({wsgi.url_scheme}e)s", _environ_variable),
        Family(
            "x",
            "`queue`: how long the whole request waited for a thread or greenlet, in seconds as a decimal; "
            "`route`: the rule that its path matches, from `environ[\"indrik.route\"]`, which is set for "
            "Flask applications (`<unmatched>` where no rule does) and for files that the server sends "
            "(`static`), `-` where nobody has set it",
            "%({queue}x)s",
            EXTRAS.get,
        ),
    )
}


UNQUOTED = tuple(name for name, atom in ATOMS.items() if atom.unquoted)


def find_atom(key: str) -> Atom | None:
    """The row for the key of one `%(key)s`; rows of a family are made on demand. None when there is no such
    atom."""
    if key in ATOMS:
        return ATOMS[key]
    if len(key) > 3 and key[0] == "{" and key[-2] == "}" and key[-1] in FAMILIES:
        family = FAMILIES[key[-1]]
        read = family.reader(key[1:-2])
        return None if read is None else Atom(key, family.meaning, family.example, read)
    return None


def all_atoms(log: Any, resp: Any, req: Any, environ: Environ, took: timedelta) -> dict[str, Any]:
    """Every atom by name, those of the families under lower-case names: the dictionary that `Logger.atoms`
    returns."""
    values: dict[str, Any] = {name: atom.read(log, resp, req, environ, took) for name, atom in ATOMS.items()}
    for suffix, pairs in (("i", req.headers), ("o", resp.headers)):
        for key, value in pairs:
            name = f"{{{key.lower()}}}{suffix}"
            values[name] = f"{values[name]}, {value}" if name in values else value
    values.update((f"{{{key.lower()}}}e", value) for key, value in environ.items())
    values.update((f"{{{key}}}x", read(log, resp, req, environ, took)) for key, read in EXTRAS.items())
    return values
