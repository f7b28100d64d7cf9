"""The ways to serve a WSGI application of this folder: every kind of worker that calls such applications."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.integration.served import Server, serve
from tests.workers.kinds import KINDS, interface_of, name_of

Way = tuple[str, tuple[str, ...]]

FOLDER = Path(__file__).parent

WAYS: list[Way] = [way for way in KINDS if interface_of(way[0]) == "wsgi"]
#: Those in which one worker has several requests in progress.
CONCURRENT = [(kind, options) for kind, options in WAYS if kind == "gevent" or options]

every_way = pytest.mark.parametrize("way", WAYS, ids=name_of)
every_concurrent_way = pytest.mark.parametrize("way", CONCURRENT, ids=name_of)


def serve_way(
    way: Way, app: str, logs: Path, *arguments: str, environment: Mapping[str, str] | None = None
) -> AbstractContextManager[Server]:
    """The application `app` of this folder on the command."""
    kind, options = way
    return serve(["-k", kind, *options, *arguments, app], FOLDER, logs, environment)
