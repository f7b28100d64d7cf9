"""Socket.IO by long polling with several workers: each session lives in one worker's memory, and `sticky`
brings its requests there.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import socketio

from tests.integration.served import Server, serve

SESSIONS = 100
AT_ONCE = 25
DEADLINE = 30

APP = """\
import os
from flask import Flask, request
from flask_socketio import SocketIO
app = Flask(__name__)
sockets = SocketIO(app, async_mode="threading", ping_interval=2)
seen = {}

@sockets.on("add")
def add(number):
    seen[request.sid] = seen.get(request.sid, 0) + number
    return os.environ["INDRIK_WORKER_ID"], seen[request.sid]
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    (tmp_path / "app.py").write_text(APP)
    arguments = (
        *("--workers", "4", "--worker-class", "gthread", "--threads", "32"),
        *("--sticky", "cookie:indrik", "app:app"),
    )
    with serve(arguments, tmp_path, tmp_path) as running:
        running.wait_until(lambda: running.error_log.count("Booting worker") == 4, "four workers")
        yield running


def talk(url: str) -> str:
    """One session with several calls, each a POST and an answer by the long poll; the worker's slot."""
    # Of its own accord it waits 5 s for an answer, which may be too short for a machine that is busy.
    client = socketio.Client(reconnection=False, request_timeout=DEADLINE)
    left = threading.Event()
    client.on("disconnect", lambda *_: left.set())
    client.connect(url, transports=["polling"], wait_timeout=DEADLINE)
    try:
        assert client.transport() == "polling"
        answers = [client.call("add", number, timeout=DEADLINE) for number in (1, 2, 3, 4)]
    finally:
        client.disconnect()
    assert left.wait(DEADLINE)
    assert [answer[1] for answer in answers] == [1, 3, 6, 10]
    (worker,) = {answer[0] for answer in answers}
    return str(worker)


def test_every_session_stays_with_its_worker(server: Server) -> None:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        workers = list(pool.map(talk, [server.url] * SESSIONS))
    assert len(workers) == SESSIONS
    assert set(workers) == {"0", "1", "2", "3"}
