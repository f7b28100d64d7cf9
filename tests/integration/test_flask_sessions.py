"""Sessions on the server under every kind of worker that calls WSGI applications: parallel requests lose
nothing, and no order of requests brings back what a logout has ended.
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.integration.served import BOOTING, Server
from tests.integration.wire import Answer, connect
from tests.integration.wsgi_ways import WAYS, Way, every_concurrent_way, every_way, serve_way
from tests.workers.kinds import name_of

WORKERS = 4
PARALLEL = 50
RACES = 100
ME = {"user": {"name": "me"}, "theme": "dark"}


def start(way: Way, folder: Path, *arguments: str, workers: int = WORKERS) -> AbstractContextManager[Server]:
    environment = {"SESSION_FOLDER": str(folder)}
    options = [f"--workers={workers}", "--queue-timeout=2", *arguments]
    return serve_way(way, "flask_sessions:app", folder, *options, environment=environment)


@pytest.fixture(scope="module", params=WAYS, ids=name_of)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with start(request.param, tmp_path_factory.mktemp("sessions")) as running:
        running.wait_until(lambda: len(BOOTING.findall(running.error_log)) == WORKERS, "all workers")
        yield running


def folder_of(server: Server) -> Path:
    return server.stderr.parent


def get(server: Server, path: str, cookie: str | None = None) -> Answer:
    """The answer; asks again where the worker that took the client had no thread for it."""
    field = f"Cookie: session={cookie}\r\n" if cookie else ""
    for _ in range(8):
        with connect(server.url) as wire:
            wire.send(f"GET {path} HTTP/1.1\r\nHost: x\r\n{field}Connection: close\r\n\r\n".encode())
            answer = wire.answer()
        if answer.status != 503 or answer.field("retry-after") is None:
            break
    return answer


def cookie_of(answer: Answer) -> str | None:
    """The session's id that an answer sets, "" if it deletes it, None if it says nothing."""
    field = answer.field("set-cookie")
    return None if field is None else field.partition("session=")[2].partition(";")[0]


def cookie_from(server: Server, path: str, cookie: str | None = None) -> str:
    answer = get(server, path, cookie)
    assert answer.status == 200
    found = cookie_of(answer)
    assert found
    return found


def session_of(server: Server, cookie: str) -> dict[str, object]:
    answer = get(server, "/all", cookie)
    assert answer.status == 200
    return json.loads(answer.body)  # type: ignore[no-any-return]


def database_of(server: Server) -> sqlite3.Connection:
    return sqlite3.connect(folder_of(server) / "sessions.sqlite3", isolation_level=None)


def test_parallel_writes_lose_none(server: Server) -> None:
    cookie = cookie_from(server, "/set/first/1")

    def write(number: int) -> Answer:
        return get(server, f"/set/key{number}/{number}", cookie)

    with ThreadPoolExecutor(PARALLEL) as pool:
        answers = list(pool.map(write, range(PARALLEL)))
    assert [answer.status for answer in answers] == [200] * PARALLEL
    assert {cookie_of(answer) for answer in answers} == {cookie}
    expected = {f"key{number}": str(number) for number in range(PARALLEL)}
    assert session_of(server, cookie) == {"first": "1", **expected}


@pytest.mark.parametrize("how", ["/logout", "/logout?pop=1"])
@pytest.mark.parametrize("order", ["logout first", "at once"])
def test_a_slow_request_does_not_undo_a_logout(server: Server, how: str, order: str) -> None:
    resurrected = []
    for number in range(RACES // 4):
        name = f"{number}{order[0]}{len(how)}"
        cookie = cookie_from(server, f"/login/user{number}")
        with ThreadPoolExecutor(2) as pool:
            slow = pool.submit(get, server, f"/slow/{name}", cookie)
            server.wait_until((folder_of(server) / f"{name}.begun").exists, "the slow request")
            if order == "logout first":
                # pop() leaves a value, so that session goes on, without a user.
                assert cookie_of(get(server, how, cookie)) == (cookie if "pop" in how else "")
                (folder_of(server) / f"{name}.release").touch()
            else:
                (folder_of(server) / f"{name}.release").touch()
                assert get(server, how, cookie).status == 200
            answer = slow.result()
        assert (answer.status, answer.body) == (200, f"user{number}".encode())
        left = session_of(server, cookie)
        if "user" in left or ("pop" not in how and left):
            resurrected.append((number, left))
        if order == "logout first":
            # After clear() not even the cookie comes back; beside pop() other values are merged.
            assert cookie_of(answer) == (cookie if "pop" in how else None)
            assert left == ({"theme": "dark", "late": name} if "pop" in how else {})
    assert not resurrected


def test_login_gives_a_new_id(server: Server) -> None:
    before = cookie_from(server, "/set/cart/1")
    after = cookie_from(server, "/login/me", before)
    assert after != before
    assert session_of(server, before) == {}
    assert session_of(server, after) == ME


def test_nested_values(server: Server) -> None:
    cookie = cookie_from(server, "/append/cart/a")
    for item in "bc":
        get(server, f"/append/cart/{item}", cookie)
    assert session_of(server, cookie) == {"cart": ["a", "b", "c"]}


def test_a_stream_finds_what_was_saved_before_it_began(server: Server) -> None:
    with connect(server.url) as wire:
        wire.send(b"GET /stream HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        head = b""
        while b"1\r\n1\r\n" not in head:
            head += wire.socket.recv(1000)
        cookie = head.partition(b"session=")[2].partition(b";")[0].decode()
        # In the middle of the response; by another worker, where this one is busy.
        assert session_of(server, cookie) == {"before": "1"}
        (folder_of(server) / "stream.release").touch()
        assert wire.rest() == b"1\r\n1\r\n0\r\n\r\n"


def test_vary_and_cookie(server: Server) -> None:
    assert get(server, "/plain").field("vary") is None
    answer = get(server, "/set/a/1")
    assert answer.field("vary") == "Cookie"
    assert (answer.field("set-cookie") or "").endswith("; HttpOnly; Path=/")
    assert get(server, "/all", cookie_of(answer)).field("vary") == "Cookie"


def test_new_workers_know_the_sessions(server: Server) -> None:
    """After one was killed in the middle of a request, and after a reload."""
    cookie = cookie_from(server, "/login/me")
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(get, server, "/slow/killed", cookie)
        server.wait_until((folder_of(server) / "killed.begun").exists, "the slow request")
        before = len(BOOTING.findall(server.error_log))
        for pid in BOOTING.findall(server.error_log)[-WORKERS:]:
            os.kill(int(pid), signal.SIGKILL)
        assert isinstance(slow.exception(), (EOFError, ConnectionResetError))
    server.wait_until(lambda: len(BOOTING.findall(server.error_log)) >= before + WORKERS, "new workers")
    assert session_of(server, cookie) == ME
    server.process.send_signal(signal.SIGHUP)
    server.wait_until(
        lambda: len(BOOTING.findall(server.error_log)) >= before + 2 * WORKERS, "workers after the reload"
    )
    assert session_of(server, cookie) == ME


def test_nothing_failed(server: Server) -> None:
    assert "Traceback" not in server.error_log
    assert (folder_of(server) / "sessions.sqlite3").stat().st_mode & 0o777 == 0o600


@every_concurrent_way
def test_a_locked_database_holds_up_only_who_writes(way: Way, tmp_path: Path) -> None:
    with start(way, tmp_path, workers=1) as server:
        cookie = cookie_from(server, "/set/a/1")
        database = database_of(server)
        database.execute("BEGIN IMMEDIATE")
        with ThreadPoolExecutor(2) as pool:
            writes = [pool.submit(get, server, f"/set/{key}/2", cookie) for key in "bc"]
            for _ in range(20):
                assert get(server, "/plain").body == b"plain"
                assert session_of(server, cookie) == {"a": "1"}
            assert not any(write.done() for write in writes)
            database.execute("ROLLBACK")
            database.close()
            assert [write.result().status for write in writes] == [200, 200]
        assert session_of(server, cookie) == {"a": "1", "b": "2", "c": "2"}


@every_way
def test_a_request_that_is_timed_out_leaves_no_lock(way: Way, tmp_path: Path) -> None:
    with start(way, tmp_path, "--request-timeout=1", workers=1) as server:
        cookie = cookie_from(server, "/set/a/1")
        database = database_of(server)
        database.execute("BEGIN IMMEDIATE")
        assert get(server, "/set/b/2", cookie).status == 504
        database.execute("ROLLBACK")
        database.close()
        for _ in range(3):
            assert get(server, "/set/c/3", cookie).status == 200
        # It may have come through between its answer and its end.
        assert {**session_of(server, cookie), "b": "2"} == {"a": "1", "b": "2", "c": "3"}


@every_way
def test_an_application_that_was_loaded_before_the_fork(way: Way, tmp_path: Path) -> None:
    """Each worker opens the file itself, and wrong permissions are an answer, not an end."""
    with start(way, tmp_path, "--preload", workers=2) as server:
        cookie = cookie_from(server, "/set/a/1")
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda number: get(server, f"/set/{number}/1", cookie), range(16)))
        assert len(session_of(server, cookie)) == 17
        (tmp_path / "sessions.sqlite3").chmod(0o604)
        assert get(server, "/plain").status == 200
        answer = get(server, "/all", cookie)
        assert answer.status == 500
        assert b"sqlite" not in answer.body
        server.wait_until(lambda: "chmod 600" in server.error_log, "the reason in the log")
