"""What a worker writes when the engine has sent a client away: a warning, few enough, and the access log's
line.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field
from typing import Any

from indrik.log import RefusalLog

_NO_TIME = datetime.timedelta(0)


@dataclass(frozen=True)
class RefusedResponse:
    """The access log's view of an answer that no application gave."""

    status: str
    headers: list[tuple[str, str]] = field(default_factory=list)
    sent: int = 0

    @property
    def status_code(self) -> int:
        """The status as a number."""
        return int(self.status[:3])


@dataclass(frozen=True)
class RefusedRequest:
    """The access log's view of a request that could not be read."""

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

    def __call__(self, kind: str, peer: tuple[str, int] | None, detail: str, status: str) -> None:
        self._lines.refused(kind, peer, f"{detail}: {status}" if status else detail)
        if status and self._log.access_enabled:
            environ = {"REMOTE_ADDR": peer[0], "REMOTE_PORT": str(peer[1])} if peer else {}
            self._log.access(RefusedResponse(status), RefusedRequest(), environ, _NO_TIME)

    def flush(self, final: bool = False) -> None:
        """Writes how many lines were left out."""
        self._lines.flush(final)
