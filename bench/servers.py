"""The servers that are compared, one row each. To add one, add a row (and its package to requirements.txt).

Every row is one worker, with the fast settings that the server's own documentation recommends, said in words
for the reader of the table. Nothing that a server switches on for safety is switched off. None of them writes
an access log.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

INDRIK = "indrik"
UNCOMPILED = "indrik (uncompiled)"

# The module of the applications for each interface.
APPLICATIONS: Mapping[str, str] = {"wsgi": "bench.apps"}


@dataclass(frozen=True)
class Server:
    """One row.

    `command` is words between blanks; {indrik} and {peers} are the folders of the programs of the two virtual
    environments, {root} is the repository, {app} MODULE:VAR, and {crowd} what `crowd` says if many
    connections are to be held for longer than it takes to count them, else nothing. A `crowd` of None says
    that the server cannot keep a connection. `reports_build` is a word that the command's --version must say.
    """

    name: str
    command: str
    settings: str
    package: str
    interface: str = "wsgi"
    env: Mapping[str, str] = field(default_factory=dict)
    crowd: str | None = ""
    reports_build: str = ""

    def argv(self, places: Mapping[str, str], crowded: bool = False) -> list[str]:
        """The command with its places filled in."""
        words = self.command.replace("{crowd}", (self.crowd or "") if crowded else "")
        return [word.format_map(dict(places)) for word in words.split()]

    def environment(self, places: Mapping[str, str]) -> dict[str, str]:
        """What the command's environment has beyond what every server's has."""
        return {name: value.format_map(dict(places)) for name, value in self.env.items()}


SERVERS: tuple[Server, ...] = (
    Server(
        name=INDRIK,
        command="{indrik}/indrik {crowd} --bind {host}:{port} {app}",
        settings="defaults (sync worker), compiled",
        package="indrik",
        crowd="--keep-alive 120 --worker-connections 11000",
        reports_build="compiled",
    ),
    Server(
        name=UNCOMPILED,
        command="{peers}/python -m indrik {crowd} --bind {host}:{port} {app}",
        settings="defaults (sync worker), plain Python from the source tree",
        package="indrik",
        env={"PYTHONPATH": "{root}/src:{root}"},
        crowd="--keep-alive 120 --worker-connections 11000",
        reports_build="uncompiled",
    ),
    Server(
        name="bjoern",
        command="{peers}/python -m bench.launch bjoern {app} {host} {port}",
        settings="defaults; built from its source distribution against libev",
        package="bjoern",
    ),
    Server(
        name="fastpysgi",
        command="{peers}/python -m bench.launch fastpysgi {app} {host} {port}",
        settings="TCP_NODELAY on, log level error",
        package="fastpysgi",
    ),
    Server(
        name="granian",
        command="{peers}/granian --interface wsgi --http 1 --no-ws --log-level warning --workers 1"
        " --blocking-threads 1 {crowd} --host {host} --port {port} {app}",
        settings="HTTP/1 only, no WebSocket, one blocking thread (faster here than its default)",
        package="granian",
        crowd="--backlog 16384 --backpressure 11000",
    ),
    Server(
        name="waitress",
        command="{peers}/waitress-serve --asyncore-use-poll {crowd} --host {host} --port {port} {app}",
        settings="poll instead of select, four threads (its default)",
        package="waitress",
        crowd="--connection-limit 11000",
    ),
    Server(
        name="gunicorn-gthread",
        command="{peers}/gunicorn --no-control-socket --http-parser fast --worker-class gthread --threads 4"
        " {crowd} --bind {host}:{port} {app}",
        settings="gthread worker with four threads, which keeps connections, C parser, no control socket",
        package="gunicorn",
        crowd="--keep-alive 120 --worker-connections 11000",
    ),
    Server(
        name="gunicorn",
        command="{peers}/gunicorn --no-control-socket --http-parser fast --bind {host}:{port} {app}",
        settings="sync worker, which closes after every answer, C parser, no control socket",
        package="gunicorn",
        crowd=None,
    ),
)


def select(names: str | None) -> list[Server]:
    """The rows that a comma-separated list names, in the table's order; all for None. ValueError for an
    unknown name.
    """
    if names is None:
        return list(SERVERS)
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    known = [server.name for server in SERVERS]
    for name in wanted:
        if name not in known:
            raise ValueError(f"no server named {name!r}; there are: {', '.join(known)}")
    return [server for server in SERVERS if server.name in wanted]
