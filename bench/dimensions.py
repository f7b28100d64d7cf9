"""What `growth` varies: one row for each dimension of work, the request of each of its values, and what a
server is told so that it takes it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from bench.cases import Case
from bench.serverrow import Server

APP = "count"
KB, MB = 1_000, 1_000_000

WSGI = ("indrik", "bjoern", "fastpysgi", "granian", "gunicorn-gthread")
ASGI = ("indrik-asgi-uvloop", "uvicorn")
THREADED = ("indrik-gthread",)
# bjoern has neither workers nor an access log, fastpysgi has no access log.
WORKERS = ("indrik", "fastpysgi", "granian", "gunicorn-gthread", *ASGI)
LOGGING = ("indrik", "indrik-gthread", "granian", "gunicorn-gthread", *ASGI)

MORE_FIELDS = "--limit-request-fields 250"
ACCESS_LOG = "--access-logfile access.log"
# granian and uvicorn log to standard output, which is a file here.
LOG_TO_OUTPUT = "--access-log --log-level info"

# (dimension, server) -> the words of its command that make it take the values, {value} among them.
OPTIONS: dict[tuple[str, str], str] = {
    **{("headers", name): MORE_FIELDS for name in ("indrik", "indrik-asgi-uvloop", "gunicorn-gthread")},
    ("bodies", "fastpysgi"): "max_content_length=200000000",
    ("workers", "fastpysgi"): "num_workers={value}",
    **{("workers", name): "--workers {value}" for name in WORKERS if name != "fastpysgi"},
    **{("log", name): ACCESS_LOG for name in LOGGING if name not in ("granian", "uvicorn")},
    **{("log", name): LOG_TO_OUTPUT for name in ("granian", "uvicorn")},
}


def plain(value: int) -> Case:
    """The answer is the number of bytes in the request's body, none here."""
    return Case("plain", "13 bytes", APP, b"0")


def fields(value: int) -> Case:
    """So many fields in all; Host is the first."""
    more = tuple((f"X-Field-{place:03d}", f"value {place:03d} of a field") for place in range(1, value))
    return Case(f"fields-{value}", "", APP, b"0", headers=more)


def body(value: int) -> Case:
    """A POST of so many bytes; of none without them, but with their number."""
    typed = (("Content-Type", "application/octet-stream"),)
    empty = () if value else (("Content-Length", "0"),)
    return Case(
        f"body-{value}", "", APP, b"%d" % value, method="POST", headers=typed + empty, body=b"x" * value
    )


def path(value: int) -> Case:
    """A path of so many bytes, in segments of ten."""
    return Case(f"path-{value}", "", APP, b"0", path=("/segment12" * (value // 10 + 1))[:value])


@dataclass(frozen=True)
class Dimension:
    """One curve for each of `servers`. `quick` are the values of a quick run; `connections` ask, unless their
    number is what is varied. `restarts` says that each value is a setting, so that it needs a process of its
    own. Growth is counted from `base`, the least value if that is None.
    """

    name: str
    title: str
    unit: str
    values: tuple[int, ...]
    quick: tuple[int, ...]
    servers: tuple[str, ...]
    request: Callable[[int], Case]
    connections: int = 64
    restarts: bool = False
    base: int | None = None

    def crowd(self, value: int) -> int:
        """How many connections ask."""
        return value if self.name == "connections" else self.connections

    def options(self, server: str, value: int) -> str:
        """The words for a value: a switch that is off has none."""
        words = OPTIONS.get((self.name, server), "")
        return "" if self.name == "log" and not value else words.format(value=value)

    def settings(self, server: Server, values: tuple[int, ...]) -> list[tuple[Server, tuple[int, ...]]]:
        """The server as it is started, with the values that one process of it takes."""
        if self.restarts:
            return [(told(server, self.options(server.name, value)), (value,)) for value in values]
        return [(told(server, self.options(server.name, values[-1])), values)]


def told(server: Server, words: str) -> Server:
    """The row with more words in its command, beside those for a crowd."""
    command = server.command if "{crowd}" in server.command else f"{server.command} {{crowd}}"
    return replace(server, command=command, crowd=f"{server.crowd or ''} {words}".strip())


DIMENSIONS: tuple[Dimension, ...] = (
    Dimension(
        "connections",
        "Connections that ask",
        "",
        (1, 64, 1_000, 10_000),
        (1, 64, 1_000),
        (*WSGI, *THREADED, *ASGI),
        plain,
        base=64,
    ),
    Dimension("headers", "Request headers", "", (1, 10, 50, 200), (1, 200), (*WSGI, *ASGI), fields),
    Dimension(
        "bodies",
        "Bytes of a request body",
        "B",
        (0, KB, 10 * KB, 100 * KB, MB, 10 * MB, 100 * MB),
        (0, MB),
        (*WSGI, *THREADED, *ASGI),
        body,
        connections=1,
    ),
    Dimension("paths", "Bytes of a path", "B", (10, 100, 1_000, 4_000), (10, 4_000), (*WSGI, *ASGI), path),
    Dimension("workers", "Workers, on one CPU", "", (1, 2, 4, 8), (1, 4), WORKERS, plain, restarts=True),
    Dimension("log", "Access log", "log", (0, 1), (0, 1), LOGGING, plain, restarts=True),
)
BY_NAME = {dimension.name: dimension for dimension in DIMENSIONS}


def select(names: str | None) -> list[Dimension]:
    """The rows named in a comma-separated list, in the table's order; all for None. ValueError for a name
    that no row has.
    """
    wanted = [name.strip() for name in (names or "").split(",") if name.strip()] or list(BY_NAME)
    for name in wanted:
        if name not in BY_NAME:
            raise ValueError(f"no dimension named {name!r}; there are: {', '.join(BY_NAME)}")
    return [dimension for dimension in DIMENSIONS if dimension.name in wanted]


def value_text(unit: str, value: int) -> str:
    """A value as a reader says it: `64`, `10 kB`, `on`."""
    if unit == "log":
        return "on" if value else "off"
    for size, prefix in ((MB, "M"), (KB, "k")):
        if unit and value >= size:
            return f"{value // size} {prefix}{unit}"
    return f"{value:,}" + (f" {unit}" if unit else "")
