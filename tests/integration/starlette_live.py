"""Runs Starlette's own tests over a real socket: stands in for their conftest.py (`test_starlette.py` copies
it there). Their `TestClient` calls the application inside of the test; this one forks a server for it, which
the variable LIVE_SERVER names, and speaks HTTP and WebSocket with it. How each test went is written to
LIVE_RESULTS.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import shutil
import signal
import socket
import ssl
import tempfile
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urljoin

import httpx2 as httpx
import pytest
from starlette.testclient import WebSocketDenialResponse
from starlette.websockets import WebSocketDisconnect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import unix_connect

DEADLINE = 20.0

#: By default each client reads all certificates of the world.
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

#: What each server imports late. It is imported before the first fork, so that not every test pays for it.
IMPORTS = {
    "indrik": ("indrik.app.base", "indrik.arbiter.arbiter", "indrik.workers.gasgi", "uvloop",
               "concurrent.futures.thread"),
    "uvicorn": ("uvicorn", "uvicorn.loops.auto", "uvicorn.protocols.http.auto",
                "uvicorn.protocols.websockets.auto", "uvicorn.lifespan.on"),
}  # fmt: skip


def run_indrik(application: Any, path: str, root_path: str) -> None:
    from indrik.app.base import BaseApplication

    class Served(BaseApplication):  # type: ignore[misc, unused-ignore]
        def load_config(self) -> None:
            self.cfg.set("worker_class", "asgi")
            self.cfg.set("bind", [f"unix:{path}"])
            self.cfg.set("root_path", root_path)
            self.cfg.set("graceful_timeout", 1)

        def load(self) -> Any:
            return application

    Served().run()


def run_uvicorn(application: Any, path: str, root_path: str) -> None:
    import uvicorn

    uvicorn.run(
        application, uds=path, root_path=root_path, log_level="critical", timeout_graceful_shutdown=1
    )


for _module in IMPORTS[os.environ["LIVE_SERVER"]]:
    importlib.import_module(_module)
# The collector would write to all objects of the parent, and so have each child copy their memory.
gc.collect()
gc.freeze()
RUN = {"indrik": run_indrik, "uvicorn": run_uvicorn}[os.environ["LIVE_SERVER"]]


class LiveServer:
    """`application` on a unix socket, in a process of its own."""

    def __init__(self, application: Any, root_path: str) -> None:
        self.folder = tempfile.mkdtemp()
        self.path = os.path.join(self.folder, "socket")
        self.pid = os.fork()
        if self.pid == 0:
            try:
                os.setsid()
                nothing = os.open(os.devnull, os.O_RDWR)
                for fd in (0, 1, 2):
                    os.dup2(nothing, fd)
                RUN(application, self.path, root_path)
            finally:
                os._exit(0)
        give_up_at = time.monotonic() + DEADLINE
        while True:
            with socket.socket(socket.AF_UNIX) as sock, contextlib.suppress(OSError):
                sock.connect(self.path)
                return
            assert time.monotonic() < give_up_at, "the server does not listen"
            time.sleep(0.005)

    def stop(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        shutil.rmtree(self.folder)


class Session:
    """What Starlette's `WebSocketTestSession` is to its tests."""

    def __init__(self, path: str, uri: str, subprotocols: Any, headers: Any) -> None:
        self._how = (path, uri, subprotocols, headers)

    def __enter__(self) -> Session:
        path, uri, subprotocols, headers = self._how
        try:
            self._socket = unix_connect(
                path, uri, subprotocols=subprotocols, additional_headers=headers, ping_interval=None,
                compression=None, open_timeout=DEADLINE, close_timeout=DEADLINE,
            )  # fmt: skip
        except InvalidStatus as refused:
            answer = refused.response
            found = [(name.encode(), value.encode()) for name, value in answer.headers.raw_items()]
            raise WebSocketDenialResponse(
                status_code=answer.status_code, headers=found, content=bytes(answer.body or b"")
            ) from None
        self.accepted_subprotocol = self._socket.subprotocol
        assert self._socket.response is not None
        own = ("upgrade", "connection", "date", "server", "sec-websocket-accept", "sec-websocket-protocol")
        self.extra_headers = [
            (name.lower().encode(), value.encode())
            for name, value in self._socket.response.headers.raw_items()
            if name.lower() not in own
        ]
        return self

    def __exit__(self, *_: Any) -> None:
        self._socket.close()

    def send(self, message: dict[str, Any]) -> None:
        if message["type"] == "websocket.disconnect":
            self.close(message.get("code", 1000), message.get("reason"))
        else:
            self._socket.send(message["text"] if message.get("text") is not None else message["bytes"])

    def send_text(self, data: str) -> None:
        self._socket.send(data)

    def send_bytes(self, data: bytes) -> None:
        self._socket.send(data)

    def send_json(self, data: Any, mode: str = "text") -> None:
        text = json.dumps(data, separators=(",", ":"), ensure_ascii=False)
        self._socket.send(text if mode == "text" else text.encode())

    def close(self, code: int = 1000, reason: str | None = None) -> None:
        self._socket.close(code, reason or "")

    def receive(self) -> dict[str, Any]:
        try:
            data = self._socket.recv(timeout=DEADLINE)
        except ConnectionClosed as closed:
            close = closed.rcvd
            code, reason = (close.code, close.reason) if close is not None else (1006, "")
            return {"type": "websocket.close", "code": code, "reason": reason}
        return {"type": "websocket.send", "text" if isinstance(data, str) else "bytes": data}

    def _data(self, key: str) -> Any:
        message = self.receive()
        if message["type"] == "websocket.close":
            raise WebSocketDisconnect(code=message["code"], reason=message["reason"])
        return message[key]

    def receive_text(self) -> str:
        found: str = self._data("text")
        return found

    def receive_bytes(self) -> bytes:
        found: bytes = self._data("bytes")
        return found

    def receive_json(self, mode: str = "text") -> Any:
        return json.loads(self._data("text" if mode == "text" else "bytes"))


class LiveClient(httpx.Client):
    """What Starlette's `TestClient` is to its tests."""

    def __init__(
        self,
        app: Any,
        base_url: str = "http://testserver",
        raise_server_exceptions: bool = True,
        root_path: str = "",
        cookies: Any = None,
        headers: Any = None,
        follow_redirects: bool = True,
        **_: Any,
    ) -> None:
        self.server = LiveServer(app, root_path)
        super().__init__(
            base_url=base_url,
            headers={"user-agent": "testclient", **(headers or {})},
            transport=httpx.HTTPTransport(verify=NO_TLS, uds=self.server.path),
            cookies=cookies,
            follow_redirects=follow_redirects,
            timeout=DEADLINE,
        )

    def websocket_connect(self, url: str, subprotocols: Any = None, **options: Any) -> Session:
        uri = urljoin("ws://testserver", url)
        return Session(self.server.path, uri, subprotocols, options.get("headers"))


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def test_client_factory() -> Iterator[Any]:
    clients: list[LiveClient] = []

    def make(*arguments: Any, **options: Any) -> LiveClient:
        clients.append(LiveClient(*arguments, **options))
        return clients[-1]

    yield make
    for client in clients:
        client.close()
        client.server.stop()


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when == "call" or report.outcome == "skipped" or report.failed:
        with open(os.environ["LIVE_RESULTS"], "a") as results:
            results.write(json.dumps([report.nodeid, report.outcome]) + "\n")
