"""What a worker writes when the engine has sent a client away: a warning, few enough, and the access log's
line.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote_to_bytes

from indrik.engine.context import RefusalRecord
from indrik.log import RefusalLog
from indrik.protocol.request import Request


@dataclass(frozen=True, eq=False)
class RefusedResponse:
    """The access log's view of an answer that no application gave."""

    status: str
    headers: list[tuple[str, str]] = field(default_factory=list)
    sent: int = 0
    #: Seconds that the request waited for the application, in vain.
    queued: float = 0.0

    @property
    def status_code(self) -> int:
        """The status as a number."""
        return int(self.status[:3])


@dataclass(frozen=True, eq=False)
class RefusedRequest:
    """The access log's view of a request of which not even the line could be read."""

    method: str = "-"
    uri: str = "-"
    path: str = "-"
    query: str = ""
    version: tuple[int, int] = (1, 1)
    headers: list[tuple[str, str]] = field(default_factory=list)


class RefusalReporter:
    """The engine's sink of refusals in one worker."""

    def __init__(self, log: Any) -> None:
        self._log = log
        self._lines = RefusalLog(log)

    def __call__(self, record: RefusalRecord) -> None:
        kind, peer, detail, status, request, took = record
        self._lines.refused(kind, peer, f"{detail}: {status}" if status else detail)
        if status and self._log.access_enabled:
            environ = {"REMOTE_ADDR": peer[0], "REMOTE_PORT": str(peer[1])} if peer else {}
            if request is not None:
                environ.update(_environ_of(request))
            # Where a head was read, atoms and filters find in the line what they find in any other.
            self._log.access(
                RefusedResponse(status),
                request or RefusedRequest(),
                environ,
                datetime.timedelta(seconds=took),
            )

    def flush(self, final: bool = False) -> None:
        """Writes how many lines were left out."""
        self._lines.flush(final)


def _environ_of(request: Request) -> dict[str, str]:
    """What the access log's atoms read of an environ, of a request that never became one."""
    environ = {
        "REQUEST_METHOD": request.method,
        "RAW_URI": request.uri,
        "PATH_INFO": unquote_to_bytes(request.path).decode("latin-1"),
        "QUERY_STRING": request.query,
        "SERVER_PROTOCOL": f"HTTP/1.{request.minor_version}",
    }
    # The parser sets none.
    route = getattr(request, "route", None)
    if route is not None:
        environ["indrik.route"] = route
    for (_, variable, *_), value in zip(request.names, request.values, strict=True):
        environ[variable] = f"{environ[variable]},{value}" if variable in environ else value
    return environ
