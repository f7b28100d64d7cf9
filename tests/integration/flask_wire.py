"""A pytest plugin for Flask's own test suite: each request of Flask's test client goes over a socket to
indrik.

The suite's applications live in the process of the tests, so the worker does, too, in threads:
FLASK_WIRE_KIND names its kind. What HTTP cannot carry (the test client's own variables of the environ, an
exception that the application lets through) goes by the side, under a number that the request carries in a
header field.
"""

from __future__ import annotations

import http.client
import itertools
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from urllib.parse import quote

import werkzeug.test
from werkzeug.datastructures import Headers

from indrik.config import Config
from indrik.net.listeners import create_sockets

DEADLINE = 30.0
NUMBER = "X-Wire-Number"

#: Variables of the environ that go over the wire, or are the server's.
CARRIED = {
    "REQUEST_METHOD",
    "SCRIPT_NAME",
    "PATH_INFO",
    "QUERY_STRING",
    "CONTENT_TYPE",
    "CONTENT_LENGTH",
    "SERVER_PROTOCOL",
    "RAW_URI",
    "REQUEST_URI",
    "wsgi.input",
    "wsgi.version",
    "wsgi.multithread",
    "wsgi.multiprocess",
    "wsgi.run_once",
    "wsgi.input_terminated",
}
#: What the server adds to each response.
SERVERS_OWN = {"date", "server", "connection", "transfer-encoding"}

run_directly = werkzeug.test.run_wsgi_app


class Call:
    """One request under way: what the wire does not carry, in both directions."""

    def __init__(self, application: Any, environ: dict[str, Any]) -> None:
        self.application = application
        self.script_name: str = environ.get("SCRIPT_NAME", "")
        self.variables = {
            name: value
            for name, value in environ.items()
            if name not in CARRIED and not name.startswith("HTTP_")
        }
        self.error: BaseException | None = None
        self.is_done = threading.Event()

    def answer(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """The application's answer, as the server sees it."""
        environ.update(self.variables)
        environ["SCRIPT_NAME"] = self.script_name
        environ["PATH_INFO"] = environ["PATH_INFO"].removeprefix(self.script_name)
        try:
            return Body(self, self.application(environ, start_response))
        except BaseException as error:
            raise self.failed(error) from error

    def failed(self, error: BaseException) -> RuntimeError:
        """Notes what the client is to be told. What the server gets is an error that ends no worker."""
        self.error = error
        self.is_done.set()
        return RuntimeError("the application raised; the client gets what")


    def wait_done(self) -> None:
        """Until the application has nothing more to do for the request."""
        assert self.is_done.wait(DEADLINE), "the server never closed what the application returned"


class Body:
    """What the application returned, watched."""

    def __init__(self, call: Call, result: Any) -> None:
        self.call = call
        self.result = result
        self.iterator = iter(result)

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            return next(self.iterator)  # type: ignore[no-any-return]
        except StopIteration:
            raise
        except BaseException as error:
            self.call.error = error
            raise RuntimeError("the application raised while it was iterated") from error

    def close(self) -> None:
        try:
            if hasattr(self.result, "close"):
                self.result.close()
        except BaseException as error:
            raise self.call.failed(error) from error
        finally:
            self.call.is_done.set()


class LiveServer:
    """One worker of indrik in threads of this process."""

    def __init__(self, kind: str) -> None:
        cfg: Any = Config()
        cfg.set("bind", "127.0.0.1:0")
        cfg.set("worker_class", kind)
        cfg.set("errorlog", os.devnull)
        if kind == "gthread":
            cfg.set("threads", 4)
        log = cfg.logger_class(cfg)
        [listener] = create_sockets(cfg, log)
        self.address: Any = listener.address
        self.calls: dict[str, Call] = {}
        self.numbers = itertools.count()
        self.worker = cfg.worker_class(0, os.getppid(), [listener], None, 0, cfg, log)
        self.worker.wsgi = self.dispatch
        self.worker._open_wakeup()
        self.others = set(threading.enumerate())
        self.thread = threading.Thread(target=self.worker.run, name="indrik", daemon=True)
        self.thread.start()
        self.requests = 0

    def dispatch(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        return self.calls[environ.pop("HTTP_X_WIRE_NUMBER")].answer(environ, start_response)

    def is_own_thread(self) -> bool:
        """Whether the caller is a request in progress: the sync kind has one thread, which waits for it."""
        return threading.current_thread().name.startswith("indrik")

    def request(
        self, application: Any, environ: Any, buffered: bool = False
    ) -> tuple[Iterable[bytes], str, Headers]:
        """In place of werkzeug.test.run_wsgi_app."""
        environ = getattr(environ, "environ", environ)
        if self.is_own_thread():
            return run_directly(application, environ, buffered)
        call = Call(application, environ)
        number = str(next(self.numbers))
        self.calls[number] = call
        self.requests += 1
        connection = http.client.HTTPConnection(self.address[0], self.address[1], timeout=DEADLINE)
        self._send(connection, environ, number)
        try:
            response = connection.getresponse()
        except (http.client.HTTPException, ConnectionError):
            connection.close()
            if call.error is not None:
                raise call.error from None
            raise
        received = Received(connection, response, call)
        if call.error is not None and response.status == 500 and call.is_done.is_set():
            received.close()
            raise call.error
        headers = Headers(
            [(name, value) for name, value in response.getheaders() if name.lower() not in SERVERS_OWN]
        )
        status = f"{response.status} {response.reason}"
        return (list(received) if buffered else received), status, headers

    def _send(self, connection: http.client.HTTPConnection, environ: dict[str, Any], number: str) -> None:
        path = (environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")).encode("latin-1")
        target = quote(path, safe="/:;=@,!$&'()*+~") or "/"
        if environ.get("QUERY_STRING"):
            target += "?" + environ["QUERY_STRING"]
        connection.putrequest(environ["REQUEST_METHOD"], target, skip_host=True, skip_accept_encoding=True)
        for name, value in environ.items():
            if name.startswith("HTTP_"):
                connection.putheader(name[5:].replace("_", "-").title(), value)
        connection.putheader(NUMBER, number)
        if environ.get("CONTENT_TYPE"):
            connection.putheader("Content-Type", environ["CONTENT_TYPE"])
        length = int(environ.get("CONTENT_LENGTH") or 0)
        stream = environ["wsgi.input"]
        body = stream.read(length) if length else b""
        if length and stream.seekable():
            # The test client may send it once more, to where it is redirected.
            stream.seek(-length, os.SEEK_CUR)
        if environ.get("CONTENT_LENGTH"):
            connection.putheader("Content-Length", str(length))
        connection.putheader("Connection", "close")
        connection.endheaders(body)


class Received:
    """The body of a response, read as it is asked for. At its end the application is done, too."""

    def __init__(
        self, connection: http.client.HTTPConnection, response: http.client.HTTPResponse, call: Call
    ) -> None:
        self.connection = connection
        self.response = response
        self.call = call
        # A body of known length is here at once: a test that never reads it leaves no socket behind.
        # And where the test client enters the request's context, nobody else may be inside of it.
        is_shared = "werkzeug.debug.preserve_context" in call.variables
        self.whole = self._read(-1) if is_shared or response.length is not None else None
        if is_shared:
            call.wait_done()

    def _read(self, most: int) -> bytes:
        try:
            return self.response.read() if most < 0 else self.response.read1(most)
        except (http.client.HTTPException, ConnectionError):
            return b""

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if self.whole is None:
            data = self._read(65536)
        else:
            data, self.whole = self.whole, b""
        if data:
            return data
        self.close()
        raise StopIteration

    def close(self) -> None:
        """Ends the request; raises what the application has raised meanwhile."""
        self.response.close()
        self.connection.close()
        self.call.wait_done()
        error, self.call.error = self.call.error, None
        if error is not None:
            raise error


server = LiveServer(os.environ.get("FLASK_WIRE_KIND", "sync"))
werkzeug.test.run_wsgi_app = server.request  # type: ignore[assignment]


def pytest_sessionfinish() -> None:
    """The worker ends as one does at TERM."""
    server.worker.alive = False
    os.write(server.worker.PIPE[1], b"\0")
    server.thread.join(DEADLINE)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    terminalreporter.write_line(f"requests over the wire: {server.requests}")
