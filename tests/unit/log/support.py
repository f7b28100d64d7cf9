"""What the tests of the logs share: a finished exchange, a configuration, and a clean set of loggers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from indrik.config import Config
from indrik.log import Logger

TOOK = timedelta(microseconds=12034)


@dataclass
class Response:
    status: str = "200 OK"
    headers: list[tuple[str, str]] = field(default_factory=lambda: [("Content-Type", "text/plain")])
    sent: int = 13

    @property
    def status_code(self) -> int:
        return int(self.status[:3])


@dataclass
class Request:
    headers: Iterable[tuple[str, str]] = (("HOST", "example.org"), ("USER-AGENT", "curl/8.5.0"))


def environ(**changes: Any) -> dict[str, Any]:
    """The environ of a plain GET, with `changes`."""
    plain = {
        "REQUEST_METHOD": "GET",
        "RAW_URI": "/notes?page=2",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "PATH_INFO": "/notes",
        "QUERY_STRING": "page=2",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_USER_AGENT": "curl/8.5.0",
        "wsgi.url_scheme": "http",
    }
    return plain | changes


def config(**values: Any) -> Config:
    """A configuration as the command line would leave it, with `values` set."""
    cfg = Config()
    for name, value in values.items():
        cfg.set(name, value)
    return cfg


STAMP = r"\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{4}\]"
DATE = r"\[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\]"
LINE = rf'127\.0\.0\.1 - - {DATE} "GET /notes\?page=2 HTTP/1\.1" 200 13 "-" "curl/8\.5\.0"'


def access(log: Logger, **changes: Any) -> None:
    log.access(Response(), Request(), environ(**changes), TOOK)


class Paths:
    def __init__(self, directory: Path) -> None:
        self.error = directory / "error.log"
        self.access = directory / "access.log"

    def logger(self, kind: type[Logger] = Logger, **settings: Any) -> Logger:
        return kind(config(**{"errorlog": str(self.error), "accesslog": str(self.access)} | settings))

    def lines(self) -> list[str]:
        return self.access.read_text().splitlines()
