"""The servers that are measured, one row each, with their defaults; what is set, is set to make one process.

indrik is no peer: its column is verified by the test suite.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

WSGI = "conformance.applications:application"
ASGI = "conformance.applications:asgi_application"


@dataclass(frozen=True)
class Peer:
    """`column` is where the page shows it, `variant` tells it from others in the column. `command` is words
    between blanks; {bin}, {host}, {port} and {app} are filled in.
    `keeps`: whether it ever keeps a connection.
    """

    name: str
    column: str
    variant: str
    command: str
    app: str = WSGI
    keeps: bool = True

    def argv(self, places: Mapping[str, str], options: str) -> list[str]:
        """The command with its places filled in and the words of a set of options."""
        words = [word.format_map({**places, "app": self.app}) for word in self.command.split()]
        return [*words[:-1], *(OPTIONS[options][self.column] or "").split(), words[-1]]


# The control socket is no HTTP.
_GUNICORN = "{bin}/gunicorn --no-control-socket --bind {host}:{port} "

PEERS: tuple[Peer, ...] = (
    Peer("gunicorn", "Gunicorn", "sync", _GUNICORN + "--http-parser python {app}", keeps=False),
    Peer(
        "gunicorn gthread",
        "Gunicorn",
        "gthread",
        _GUNICORN + "--http-parser python --worker-class gthread {app}",
    ),
    Peer(
        "gunicorn gthread fast",
        "Gunicorn",
        "gthread, C parser",
        _GUNICORN + "--http-parser fast --worker-class gthread {app}",
    ),
    Peer(
        "uvicorn",
        "uvicorn",
        "",
        "{bin}/uvicorn --http httptools --host {host} --port {port} {app}",
        ASGI,
    ),
    Peer(
        "granian",
        "Granian",
        "",
        "{bin}/granian --interface wsgi --host {host} --port {port} {app}",
    ),
    Peer(
        "waitress",
        "waitress",
        "",
        "{bin}/waitress-serve --host {host} --port {port} {app}",
    ),
)

COLUMNS = tuple(dict.fromkeys(peer.column for peer in PEERS))

INDRIK = "indrik"

#: Sets of options by name: for each column the words, None where the server has no such feature.
OPTIONS: Mapping[str, Mapping[str, str | None]] = {
    "": {INDRIK: "", **dict.fromkeys(COLUMNS, "")},
    "PROXY v1": {
        INDRIK: "--proxy-protocol v1",
        **dict.fromkeys(COLUMNS, None),
        "Gunicorn": "--proxy-protocol v1",
    },
    "PROXY v2": {
        INDRIK: "--proxy-protocol v2",
        **dict.fromkeys(COLUMNS, None),
        "Gunicorn": "--proxy-protocol v2",
    },
    "Forwarded": {
        INDRIK: "--config python:conformance.forwarded_conf",
        **dict.fromkeys(COLUMNS, None),
        "waitress": "--trusted-proxy 127.0.0.1 --trusted-proxy-headers forwarded",
    },
}
