"""indrik inside of programs: `run` from a script, `serve` and `Server` in a running event loop."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import indrik
from indrik.errors import AppImportError, ConfigError
from indrik.net.listeners import BindError
from tests.process.conftest import ServerFactory
from tests.process.server import is_alive, wait_for

DEADLINE = 20.0


# --- run


def script(folder: Path, text: str) -> tuple[str, ...]:
    (folder / "script.py").write_text(text)
    return (sys.executable, "script.py")


AROUND = """\
import atexit, os, sys
{app}
if __name__ == "__main__":
    import indrik
    atexit.register(lambda: print("atexit", os.getpid(), flush=True))
    before = __import__("signal").getsignal(15)
    try:
        indrik.run({what}, host="127.0.0.1", port=0, log_level="debug", **dict({settings}))
    finally:
        print("came back in", os.getpid(), flush=True)
    assert __import__("signal").getsignal(15) is before
    print("returned", flush=True)
"""
ASGI = """\
async def application(scope, receive, send):
    assert scope["type"] == "http"
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(os.getpid()).encode()})
"""
WSGI = """\
def application(environ, start_response):
    start_response("200 OK", [])
    return [str(os.getpid()).encode()]
"""


@pytest.mark.parametrize("app", [ASGI, WSGI], ids=["asgi", "wsgi"])
@pytest.mark.parametrize("what", ["application", "'script:application'"])
@pytest.mark.parametrize("settings", ["", "workers=2", "preload_app=True"])
def test_run(serve: ServerFactory, folder: Path, app: str, what: str, settings: str) -> None:
    command = script(folder, AROUND.format(app=app, what=what, settings=settings))
    server = serve(command=command, bind="", app=None)
    server.wait_ready(2 if "2" in settings else 1)
    assert server.get_pid() in server.workers()
    # A signal means what it means to the command.
    worker = server.get_pid()
    server.send(signal.SIGHUP)
    wait_for(lambda: not is_alive(worker), "the end of the worker before the reload")
    server.wait_for_log("Worker is ready", 3 if "2" in settings else 2)
    assert server.get()
    assert server.stop() == 0
    log = server.log()
    # What follows in the script is run once, by the process that has called.
    assert log.count("came back in") == log.count("returned") == 1
    assert f"came back in {server.pid}" in log
    # Whereas each process has an end.
    assert log.count("atexit") >= 2
    assert "Traceback" not in log


def test_a_server_that_cannot_start(serve: ServerFactory, folder: Path) -> None:
    text = AROUND.format(app="", what="'nowhere:app'", settings="")
    server = serve(command=script(folder, text), bind="", app=None)
    assert server.wait_exit() == 3
    assert "returned" not in server.log()


@pytest.mark.parametrize(
    ("settings", "error", "says"),
    [
        ({"wrokers": 2}, TypeError, "did you mean 'workers'"),
        ({"workers": -1}, ConfigError, "invalid value for workers"),
        ({"ws_max_queue": 2}, ConfigError, "--ws-max-queue of uvicorn"),
        ({"bind": "a:1", "port": 2}, ConfigError, "choose one"),
        ({"reload": True}, ConfigError, "as text"),
        ({"factory": True}, ConfigError, "as text"),
        ({"wsgi_app": "a:b"}, ConfigError, "first argument"),
    ],
)
def test_wrong_settings_are_raised(settings: dict[str, Any], error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        indrik.run(answer, **settings)


def test_the_package_loads_nothing_until_it_is_asked(folder: Path) -> None:
    text = "import sys, indrik\nsys.exit(any(name.startswith('indrik.') for name in sys.modules))\n"
    server = script(folder, text)
    assert os.spawnv(os.P_WAIT, server[0], [server[0], str(folder / "script.py")]) == 0
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = indrik.nothing


# --- Server and serve


async def answer(scope: Any, receive: Any, send: Any) -> None:
    """Answers with the path; /until waits for `release`."""
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            scope["state"].setdefault("seen", []).append(message["type"])
            LIFE.append(message["type"])
            STARTED.set()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    assert scope["type"] == "http"
    if scope["path"] == "/until":
        ARRIVED.set()
        await RELEASE.wait()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": scope["path"].encode()})


LIFE: list[str] = []
STARTED: asyncio.Event
ARRIVED: asyncio.Event
RELEASE: asyncio.Event


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    global STARTED, ARRIVED, RELEASE
    LIFE.clear()
    STARTED, ARRIVED, RELEASE = asyncio.Event(), asyncio.Event(), asyncio.Event()
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
    threads = threading.active_count()
    yield
    for number, handler in handlers.items():
        assert signal.getsignal(number) is handler
    assert threading.active_count() == threads


async def get(address: Any, path: str = "/") -> str:
    host, port = address

    def ask() -> str:
        connection = http.client.HTTPConnection(host, port, timeout=DEADLINE)
        with contextlib.closing(connection):
            connection.request("GET", path)
            return connection.getresponse().read().decode()

    future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    loop = asyncio.get_running_loop()

    def work() -> None:
        try:
            text = ask()
        except Exception as error:
            loop.call_soon_threadsafe(future.set_exception, error)
        else:
            loop.call_soon_threadsafe(future.set_result, text)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        return await asyncio.wait_for(future, DEADLINE)
    finally:
        thread.join(DEADLINE)


def where(server: indrik.Server) -> tuple[str, int]:
    [address] = server.addresses
    assert isinstance(address, tuple)
    return address


def is_listening(address: Any) -> bool:
    with contextlib.closing(socket.socket()) as sock:
        return sock.connect_ex(address) == 0


def test_a_context_manager_twice_in_one_loop() -> None:
    async def main() -> None:
        for _ in range(2):
            async with indrik.Server(answer, bind=["127.0.0.1:0", "127.0.0.1:0"]) as server:
                assert len(set(server.addresses)) == 2
                for address in server.addresses:
                    assert await get(address, "/here") == "/here"
            assert not any(is_listening(address) for address in server.addresses)
        assert LIFE == ["lifespan.startup", "lifespan.shutdown"] * 2
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main(), debug=True)


def test_two_at_once_beside_other_work() -> None:
    async def main() -> None:
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                await asyncio.sleep(0.001)
                ticks += 1

        other = asyncio.create_task(tick())
        async with (
            indrik.Server(answer, host="127.0.0.1", port=0) as one,
            indrik.Server(answer, bind="127.0.0.1:0") as two,
        ):
            before = ticks
            assert await get(one.addresses[0], "/one") == "/one"
            assert await get(two.addresses[0], "/two") == "/two"
            assert ticks > before
        other.cancel()

    asyncio.run(main())


def test_the_loop_goes_on_after_an_exception() -> None:
    async def main() -> None:
        with pytest.raises(ZeroDivisionError):
            async with indrik.Server(answer, bind="127.0.0.1:0") as server:
                raise ZeroDivisionError
        assert not is_listening(server.addresses[0])

    asyncio.run(main())


def test_cancelling_finishes_requests() -> None:
    async def main() -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
        serving = asyncio.create_task(indrik.serve(answer, host="127.0.0.1", port=port))
        address = ("127.0.0.1", port)
        await asyncio.wait_for(STARTED.wait(), DEADLINE)
        asked = asyncio.create_task(get(address, "/until"))
        await asyncio.wait_for(ARRIVED.wait(), DEADLINE)
        serving.cancel()
        done, _ = await asyncio.wait([serving], timeout=0.2)
        assert not done, "a request is in progress"
        RELEASE.set()
        assert await asked == "/until"
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(serving, DEADLINE)
        assert LIFE == ["lifespan.startup", "lifespan.shutdown"]
        assert not is_listening(address)

    asyncio.run(main(), debug=True)


def test_stop_cuts_after_graceful_timeout() -> None:
    async def main() -> None:
        server = indrik.Server(answer, bind="127.0.0.1:0", graceful_timeout=1)
        await server.start()
        asked = asyncio.create_task(get(server.addresses[0], "/until"))
        await asyncio.wait_for(ARRIVED.wait(), DEADLINE)
        await asyncio.wait_for(server.stop(), DEADLINE)
        await server.stop()
        await server.wait()
        # The application's task was cancelled, and its client is told that it has failed.
        assert "failed" in await asked
        assert LIFE[-1] == "lifespan.shutdown"

    asyncio.run(main())


def test_idle_connections_are_closed() -> None:
    async def main() -> None:
        async with indrik.Server(answer, bind="127.0.0.1:0", keepalive=60) as server:
            host, port = where(server)
            reader, writer = await asyncio.open_connection(host, port)
            writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            await writer.drain()
            assert (await reader.readline()).startswith(b"HTTP/1.1 200 ")
        await asyncio.wait_for(reader.read(), DEADLINE)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    asyncio.run(main())


def test_unix_socket(tmp_path: Path) -> None:
    path = str(tmp_path / "s")

    async def main() -> None:
        async with indrik.Server(answer, uds=path) as server:
            assert server.addresses == [path]
            reader, writer = await asyncio.open_unix_connection(path)
            writer.write(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            assert (await reader.read()).startswith(b"HTTP/1.1 200 ")
            writer.close()
            await writer.wait_closed()

    asyncio.run(main())
    assert not os.path.exists(path)


def test_failures_to_start() -> None:
    async def refuses(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no database"})

    async def main() -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            address = f"127.0.0.1:{taken.getsockname()[1]}"
            with pytest.raises(BindError, match="another process"):
                await indrik.Server(answer, bind=address).start()
        server = indrik.Server(refuses, bind="127.0.0.1:0")
        with pytest.raises(Exception, match="no database"):
            await server.start()
        assert not is_listening(server.addresses[0])
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())


def test_a_start_up_that_hangs_can_be_cancelled() -> None:
    async def hangs(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.Event().wait()

    async def main() -> None:
        server = indrik.Server(hangs, bind="127.0.0.1:0")
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(server.start(), 0.2)
        assert not is_listening(server.addresses[0])
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())


def test_a_program_that_ends_without_stopping() -> None:
    async def main() -> indrik.Server:
        server = indrik.Server(answer, bind="127.0.0.1:0")
        await server.start()
        return server

    assert not is_listening(asyncio.run(main()).addresses[0])


def test_a_server_is_started_once() -> None:
    async def main() -> None:
        async with indrik.Server(answer, bind="127.0.0.1:0") as server:
            with pytest.raises(RuntimeError, match="started once"):
                await server.start()

    asyncio.run(main())


@pytest.mark.parametrize(
    "settings",
    [{"workers": 2}, {"reload": True}, {"max_requests": 5}, {"post_fork": print}, {"loop": "uvloop"}],
    ids=str,
)
def test_what_concerns_processes_is_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="concerns master and worker processes"):
        indrik.Server(answer, **settings)


def test_limits_of_routes_are_refused() -> None:
    with pytest.raises(ConfigError, match="cannot limit routes"):
        indrik.Server(answer, routes={"/": {"concurrency": 1}})


def test_keywords_of_uvicorn() -> None:
    server = indrik.Server(
        answer,
        workers=None,
        limit_concurrency=None,
        forwarded_allow_ips=["127.0.0.1", "10.0.0.0/8"],
        timeout_keep_alive=7,
        ws_max_size=8,
        ws_per_message_deflate=False,
        log_level="warning",
        access_log=False,
        log_config={"version": 1, "disable_existing_loggers": False},
    )
    cfg = server.cfg
    assert (cfg.workers, cfg.limit_concurrency, cfg.keepalive, cfg.loglevel) == (1, 0, 7, "warning")
    assert (cfg.websocket_max_message_size, cfg.ws_per_message_deflate, cfg.accesslog) == (8, False, None)
    assert cfg.logconfig_dict["version"] == 1
    assert cfg.forwarded_allow_ips == ["127.0.0.1", "10.0.0.0/8"]


def test_a_wsgi_application_is_refused() -> None:
    def application(environ: Any, start_response: Any) -> list[bytes]:
        return []

    with pytest.raises(AppImportError, match=r"indrik\.run"):
        indrik.Server(application)


def test_text_names_the_application() -> None:
    async def main() -> None:
        async with indrik.Server(f"{__name__}:answer", bind="127.0.0.1:0") as server:
            assert await get(server.addresses[0], "/x") == "/x"

    asyncio.run(main())


def test_on_uvloop() -> None:
    uvloop = pytest.importorskip("uvloop")

    async def main() -> None:
        async with indrik.Server(answer, bind="127.0.0.1:0") as server:
            assert await get(server.addresses[0], "/x") == "/x"

    uvloop.run(main())
