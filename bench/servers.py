"""The servers that are compared, one row each. To add one, add a row to `wsgi_servers`, `asgi_servers` or
`file_servers` (and its package to requirements.txt).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bench.asgi_servers import ASGI_SERVERS
from bench.file_servers import FILE_SERVERS
from bench.serverrow import ANY, FILES, FLOOR, Server
from bench.wsgi_servers import WSGI_SERVERS

# The module of the applications for each interface.
APPLICATIONS: Mapping[str, str] = {
    "wsgi": "bench.apps",
    "asgi": "bench.asgi_apps",
    FILES: "bench.apps",
    ANY: "bench.apps",
}

# What stands for all rows of an interface in a list of names.
INTERFACES = ("wsgi", "asgi", FILES)

SERVERS: tuple[Server, ...] = (
    Server(
        name=FLOOR,
        command="{peers}/floor {host} {port} {body} {answer}",
        settings="a bare epoll loop in C that parses nothing and calls nothing: what is left for any server"
        " to save",
        package="",
        interface=ANY,
        crowd=None,
    ),
    *WSGI_SERVERS,
    *ASGI_SERVERS,
    *FILE_SERVERS,
)


def target(server: Server, app: str) -> str:
    """MODULE:VAR of an application; `app` is a name in the interface's module, or that already."""
    return app if ":" in app else f"{APPLICATIONS[server.interface]}:{app}"


def select(names: Sequence[str] | None) -> list[Server]:
    """The rows of these names, in the table's order; all for None. An interface's name stands for all of its
    rows. ValueError for an unknown name.
    """
    if names is None:
        return list(SERVERS)
    known = [server.name for server in SERVERS]
    for name in names:
        if name not in known and name not in INTERFACES:
            raise ValueError(f"no server named {name!r}; there are: {', '.join([*INTERFACES, *known])}")
    return [
        server
        for server in SERVERS
        if server.name in names
        or server.interface in names
        or (server.interface == ANY and set(names) & set(INTERFACES))
    ]
