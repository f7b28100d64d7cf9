"""A worker kind that calls ASGI applications, one event loop a request: slow and plain, so that the suite's
ASGI application can be tried by itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable, Iterator
from typing import Any

from indrik.workers.gthread import ThreadWorker


class PlainASGIWorker(ThreadWorker):
    """Calls the ASGI application from the threads of gthread."""

    # Nothing of RequestTimeout would reach the loop.
    enforces_request_timeout = False

    def load_wsgi(self) -> None:
        super().load_wsgi()
        application = self.wsgi
        self.wsgi = lambda *arguments: Response(application, *arguments)


class Response:
    """One request: the application runs in a thread, its messages come through a queue."""

    def __init__(
        self, application: Any, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> None:
        self._application = application
        self._environ = environ
        self._start_response = start_response
        self._messages: queue.Queue[dict[str, Any] | None] = queue.Queue(1)
        self._gone = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            asyncio.run(self._application(scope_of(self._environ), self._receive, self._send))
        except BaseException as error:
            self._error = error
        while not self._gone.is_set():
            with contextlib.suppress(queue.Full):
                self._messages.put(None, timeout=0.05)
                return

    async def _receive(self) -> dict[str, Any]:
        body = self._environ.pop("wsgi.input", None)
        if body is not None:
            return {"type": "http.request", "body": body.read(), "more_body": False}
        while not self._gone.is_set():  # noqa: ASYNC110  # it is set by another thread
            await asyncio.sleep(0.01)
        return {"type": "http.disconnect"}

    async def _send(self, message: dict[str, Any]) -> None:
        while not self._gone.is_set():
            try:
                self._messages.put_nowait(message)
                return
            except queue.Full:
                await asyncio.sleep(0.001)
        raise OSError("the client left")

    def __iter__(self) -> Iterator[bytes]:
        while True:
            try:
                message = self._messages.get(timeout=0.02)
            except queue.Empty:
                if self._environ["indrik.disconnected"].is_set():
                    return
                continue
            if message is None:
                self._raise()
                return
            if message["type"] == "http.response.start":
                fields = [(name.decode(), value.decode()) for name, value in message["headers"]]
                self._start_response(f"{message['status']} OK", fields)
                continue
            yield message["body"]
            if not message["more_body"]:
                # The response is whole, whatever the application does now.
                return

    def close(self) -> None:
        self._gone.set()
        self._thread.join()
        self._raise()

    def _raise(self) -> None:
        error, self._error = self._error, None
        if error is not None:
            raise error


def scope_of(environ: dict[str, Any]) -> dict[str, Any]:
    """The scope of a request (ASGI specification, HTTP connection scope)."""
    names = {"CONTENT_TYPE": "content-type", "CONTENT_LENGTH": "content-length"}
    headers = [
        ((names.get(key) or key[5:].lower().replace("_", "-")).encode(), value.encode("latin-1"))
        for key, value in environ.items()
        if key in names or key.startswith("HTTP_")
    ]
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": environ["SERVER_PROTOCOL"].partition("/")[2],
        "method": environ["REQUEST_METHOD"],
        "scheme": environ["wsgi.url_scheme"],
        "path": environ["PATH_INFO"].encode("latin-1").decode(),
        "raw_path": environ["RAW_URI"].partition("?")[0].encode("latin-1"),
        "query_string": environ["QUERY_STRING"].encode("latin-1"),
        "headers": headers,
        "client": (environ["REMOTE_ADDR"], int(environ["REMOTE_PORT"])),
    }
