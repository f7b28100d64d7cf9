"""Development mode: saves under load, failures to load in the browser, the debugger with several workers."""

from __future__ import annotations

import html
import os
import re
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

from tests.integration.served import BOOTING, DEADLINE, NO_TLS, Server
from tests.integration.test_flask import flask
from tests.integration.wire import connect

APP = """\
import os
from flask import Flask, request
from names import NAME
app = Flask(__name__)

@app.get("/")
def index():
    return NAME

@app.get("/slow")
def slow():
    import time
    open("begun", "w").close()
    while not os.path.exists("go"):
        time.sleep(0.01)
    return NAME

@app.get("/crash")
def crash():
    process = os.getpid()
    raise ValueError(f"crash {process} requested")
"""

#: Saves while requests come in; a busy machine may take longer for one than the promised second.
SAVES = 50 if os.environ.get("SLOW_TESTS") else 5
PATIENCE = 10.0

#: Seconds that the workers with old code have for hearing of it, where so much else runs on the machine.
SLACK = 1.0

REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"

KINDS = [("sync",), ("gthread", "--threads=4"), ("gevent",)]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "app.py").write_text(APP)
    (folder / "names.py").write_text("NAME = 'first'\n")
    return folder


def develop(project: Path, *arguments: str) -> AbstractContextManager[Server]:
    """`flask indrik --debug`, in the project's folder."""
    return flask(["--debug", "--reload-engine=poll", *arguments], project, project.parent)


def client(server: Server) -> httpx.Client:
    return httpx.Client(base_url=server.url, timeout=DEADLINE, trust_env=False, verify=NO_TLS)


def get(server: Server, target: str = "/", **fields: str) -> httpx.Response:
    with client(server) as one:
        return one.get(target, headers=fields)


def save(file: Path, text: str) -> None:
    """As most editors do: a new file takes the place of the old one."""
    fresh = file.with_suffix(".new")
    fresh.write_text(text)
    fresh.replace(file)


class Answer(NamedTuple):
    began: float
    ended: float
    status: int
    text: str


class Load:
    """Twenty requests a second, half of them on kept connections: what was answered, and when."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._ends = threading.Event()
        self._kept = client(server)
        self._news: list[tuple[int, float]] = []
        self.answers: list[Answer] = []
        self.failures: list[str] = []

    def note_new(self, number: int, since: float) -> None:
        """The code of save `number` has answered."""
        self._news.append((number, since))

    def find_old(self) -> list[Answer]:
        """Answers to requests that have come well after newer code had answered somebody."""
        numbered = [(int(one.text.split()[1]), one) for one in self.answers if one.text != "first"]
        return [
            one
            for number, one in numbered
            if any(newer > number and one.began > since + SLACK for newer, since in self._news)
        ]

    def _send(self, kept: bool) -> None:
        began = time.monotonic()
        try:
            answer = self._kept.get("/") if kept else get(self._server)
        except httpx.HTTPError as error:
            self.failures.append(repr(error))
            return
        self.answers.append(Answer(began, time.monotonic(), answer.status_code, answer.text))

    def _run(self, pool: ThreadPoolExecutor) -> None:
        number = 0
        while not self._ends.wait(0.05):
            pool.submit(self._send, number % 2 == 0)
            number += 1

    def __enter__(self) -> Load:
        self._pool = ThreadPoolExecutor(50)
        self._thread = threading.Thread(target=self._run, args=(self._pool,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        self._thread.join()
        self._pool.shutdown()
        self._kept.close()


class TestReload:
    @pytest.mark.timeout(600)
    @pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind[0])
    @pytest.mark.parametrize("workers", [1, 4])
    def test_saves_under_load(self, project: Path, kind: tuple[str, ...], workers: int) -> None:
        if kind[0] == "gevent":
            pytest.importorskip("gevent")
        if workers == 4 and kind[0] != "gthread" and SAVES < 50:
            pytest.skip("one kind is enough for the short form: SLOW_TESTS=1 runs the others")
        delays: list[float] = []
        # A client may always meet the end of keep-alive with its next request; not here.
        arguments = ("--keep-alive=60", f"--workers={workers}", "-k", *kind)
        with develop(project, *arguments) as server, Load(server) as load:
            server.wait_until(lambda: load.answers, "the first answer")
            for number in range(SAVES):
                saved_at = time.monotonic()
                name = f"name {number}"
                save(project / "names.py", f"NAME = {name!r}\n")
                server.wait_until(lambda: load.answers[-1].text == name, name)  # noqa: B023
                new_at = next(one.ended for one in load.answers if one.text == name)
                delays.append(new_at - saved_at)
                load.note_new(number, new_at)
                # A second of requests, until whose end nobody saves again.
                server.wait_until(lambda: {one.text for one in load.answers[-20:]} == {name}, name)  # noqa: B023
        assert load.failures == []
        assert {one.status for one in load.answers} == {200}
        print(
            f"\n{kind[0]}, {workers} workers: {len(load.answers)} requests, {SAVES} saves; new answer after "
            f"{sorted(delays)[len(delays) // 2]:.2f} s (median), {max(delays):.2f} s (longest); longest "
            f"request {max(one.ended - one.began for one in load.answers):.2f} s"
        )
        assert max(delays) < PATIENCE
        assert load.find_old() == []

    def test_a_request_in_progress_ends(self, project: Path) -> None:
        """It is answered by the code that has begun it, while the new code serves others already."""
        with develop(project) as server, ThreadPoolExecutor(1) as pool:
            slow = pool.submit(get, server, "/slow")
            server.wait_until(lambda: (project / "begun").exists(), "the slow request")
            save(project / "names.py", "NAME = 'second'\n")
            server.wait_until(lambda: "Worker reloading" in server.error_log, "the reload")
            assert get(server).text == "second"
            (project / "go").touch()
            assert slow.result(DEADLINE).text == "first"

    @pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind[0])
    def test_idle_connections_are_kept(self, project: Path, kind: tuple[str, ...]) -> None:
        """A client that never hears of the end of a connection cannot lose a request by it."""
        if kind[0] == "gevent":
            pytest.importorskip("gevent")
        with develop(project, "--keep-alive=60", "-k", *kind) as server, ExitStack() as stack:
            used, new = (stack.enter_context(connect(server.url)) for _ in range(2))
            used.send(REQUEST)
            assert used.answer().body == b"first"
            for number, name in enumerate(("second", "third"), 1):
                save(project / "names.py", f"NAME = {name!r}\n")
                server.wait_until(
                    lambda: server.error_log.count("Worker exiting") >= number,  # noqa: B023
                    "the end of the old worker",
                )
                used.send(REQUEST)
                assert used.answer().body == name.encode()
            new.send(REQUEST)
            assert new.answer().body == b"third"

    def test_saved_again_while_it_is_loaded(self, project: Path) -> None:
        """As by an editor that formats what it has just saved."""
        (project / "names.py").write_text(
            "import os, time\nNAME = 'second'\nopen('begun', 'w').close()\n"
            "while not os.path.exists('go'):\n    time.sleep(0.01)\n"
        )
        with develop(project) as server:
            server.wait_until(lambda: (project / "begun").exists(), "the first load")
            save(project / "names.py", "NAME = 'third'\n")
            (project / "go").touch()
            # The worker that has loaded the second may answer until it has told the master.
            server.wait_until(lambda: get(server).text == "third", "the last version")

    def test_an_application_that_writes_its_own_files(self, project: Path) -> None:
        """It is not loaded for ever."""
        (project / "names.py").write_text(
            "import pathlib, time\nNAME = str(time.time())\n"
            "pathlib.Path('written.py').write_text(f'# {NAME}')\nimport written\n"
        )
        with develop(project) as server:
            server.wait_until(lambda: BOOTING.findall(server.error_log)[3:], "the last try")
            name = get(server).text
            # Longer than the reloader takes to look again.
            waited_until = time.monotonic() + 1.0
            server.wait_until(lambda: time.monotonic() > waited_until, "a look at the files")
            assert get(server).text == name
            assert len(BOOTING.findall(server.error_log)) == 4


BROKEN = [
    ("names.py", "NAME = ", "SyntaxError"),
    ("names.py", "NAME = 1 / 0", "ZeroDivisionError"),
    ("names.py", "from nowhere import NAME", "No module named"),
    ("app.py", "application_of_another_name = 1", "Failed to find Flask application"),
]


class TestFailureToLoad:
    @pytest.mark.parametrize(("name", "text", "shown"), BROKEN, ids=lambda value: value)
    @pytest.mark.parametrize("at_start", [True, False], ids=["at the start", "later"])
    def test_is_shown_until_it_is_mended(
        self, project: Path, name: str, text: str, shown: str, at_start: bool
    ) -> None:
        good = (project / name).read_text()
        if at_start:
            (project / name).write_text(text)
        with develop(project, "--workers=2") as server:
            if not at_start:
                assert get(server).text == "first"
                save(project / name, text)
                server.wait_until(lambda: get(server).status_code == 500, "the mistake")
            answer = get(server, "/any")
            assert answer.status_code == 500
            assert answer.headers["content-type"].startswith("text/html")
            assert shown in answer.text
            assert "Werkzeug powered traceback interpreter" in answer.text
            # The innermost frame is the application's, with its line.
            if name == "names.py":
                assert "names.py" in answer.text
                assert text.strip() in html.unescape(re.sub("<[^>]+>", "", answer.text))
            save(project / name, good)
            server.wait_until(lambda: get(server).text == "first", "the cure")
            # One page has shown the PIN of the application that is there now.
            assert server.error_log.count("Debugger PIN: ") == 1

    def test_a_missing_file_is_found_when_it_comes(self, project: Path) -> None:
        (project / "names.py").write_text("from later import NAME\n")
        with develop(project) as server:
            assert "No module named" in get(server).text
            (project / "later.py").write_text("NAME = 'at last'\n")
            server.wait_until(lambda: get(server).text == "at last", "the cure")

    @pytest.mark.parametrize(
        "arguments", [("--no-debug", "--reload"), ("--debug", "--bind=0.0.0.0:0")], ids=" ".join
    )
    def test_is_not_for_strangers(self, project: Path, arguments: tuple[str, ...]) -> None:
        (project / "names.py").write_text("NAME = 1 / 0 # secret\n")
        with flask(arguments, project, project.parent) as server:
            answer = get(server)
            assert answer.status_code == 500
            assert answer.headers["content-type"] == "text/plain"
            assert "Zero" not in answer.text
            assert "secret" not in answer.text

    def test_production_does_not_start(self, project: Path) -> None:
        (project / "names.py").write_text("NAME = 1 / 0\n")
        with (
            pytest.raises(AssertionError, match="ended with status 3"),
            flask([], project, project.parent) as server,
        ):
            server.wait_until(lambda: False, "its end")


class Page(NamedTuple):
    """A traceback in a browser, and the cookies of the browser."""

    server: Server
    worker: int
    secret: str
    frame: str
    browser: httpx.Client

    def ask(self, **query: str) -> httpx.Response:
        # A new connection, which any worker may accept.
        with client(self.server) as fresh:
            fresh.cookies = self.browser.cookies
            answer = fresh.get("/crash", params={"__debugger__": "yes", "s": self.secret, **query})
            self.browser.cookies.update(fresh.cookies)
            return answer

    def enter(self, pin: str) -> dict[str, bool]:
        found: dict[str, bool] = self.ask(cmd="pinauth", pin=pin).json()
        return found

    def evaluate(self, code: str) -> str:
        return html.unescape(re.sub("<[^>]+>", "", self.ask(cmd=code, frm=self.frame).text)).strip()


def open_page(server: Server, browser: httpx.Client) -> Page:
    with client(server) as fresh:
        fresh.cookies = browser.cookies
        answer = fresh.get("/crash")
    assert answer.status_code == 500
    text = answer.text
    worker = re.search(r"crash (\d+) requested", text)
    secret = re.search(r'SECRET = "([^"]+)"', text)
    frames = re.findall(r'id="frame-(\d+)"', text)
    assert worker
    assert secret
    return Page(server, int(worker[1]), secret[1], frames[-1], browser)


def open_pages(server: Server, browser: httpx.Client, workers: int) -> dict[int, Page]:
    """One of each worker. Requests that run at the same time reach all of them."""
    pages: dict[int, Page] = {}
    with ThreadPoolExecutor(4 * workers) as pool:

        def more() -> bool:
            some = pool.map(lambda _: open_page(server, browser), range(4 * workers))
            pages.update({page.worker: page for page in some})
            return len(pages) == workers

        server.wait_until(more, f"pages of {workers} workers")
    return pages


def pin_of(server: Server) -> str:
    found = server.wait_until(lambda: re.search(r"Debugger PIN: (\S+)", server.error_log), "the PIN")
    return found[1]


@contextmanager
def debugging(project: Path, *arguments: str) -> Iterator[tuple[Server, dict[int, Page]]]:
    """A server with four workers, and a page of each in one browser."""
    with develop(project, "--workers=4", *arguments) as server, client(server) as browser:
        server.wait_until(lambda: len(BOOTING.findall(server.error_log)) == 4, "all workers")
        yield server, open_pages(server, browser, 4)


class TestDebugger:
    @pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind[0])
    def test_the_worker_that_has_the_frames_is_asked(self, project: Path, kind: tuple[str, ...]) -> None:
        if kind[0] == "gevent":
            pytest.importorskip("gevent")
        with debugging(project, "-k", *kind) as (server, pages):
            first, *others = pages.values()
            # Without the PIN nothing is run, wherever.
            assert "crash" in first.evaluate("process")
            # Given to one worker it is good for all.
            assert first.enter(pin_of(server)) == {"auth": True, "exhausted": False}
            for page in others:
                assert page.enter("") == {"auth": True, "exhausted": False}
            for number in range(50):
                page = list(pages.values())[number % 4]
                assert page.evaluate("process").split() == [">>>", "process", str(page.worker)]
            # What is done in a frame stays there.
            assert first.evaluate("kept = 6 * 7") == ">>> kept = 6 * 7"
            assert first.evaluate("kept").endswith("42")
            assert "NameError" in others[0].evaluate("kept")
            style = first.ask(cmd="resource", f="style.css")
            assert style.headers["content-type"].startswith("text/css")
            shown = server.error_log.count("Debugger PIN: ")
            others[0].ask(cmd="printpin")
            assert server.error_log.count("Debugger PIN: ") == shown + 1

    def test_wrong_pins_lock_all_workers(self, project: Path) -> None:
        with debugging(project, "-k", "gthread", "--threads=4") as (server, pages):
            right, wrong = pin_of(server), "000-000-001"
            assert right != wrong
            # Werkzeug has each wrong one wait for up to 5 s: all at once.
            with ThreadPoolExecutor(10) as pool:
                entered = pool.map(lambda number: list(pages.values())[number % 4].enter(wrong), range(10))
                assert [one["auth"] for one in entered] == [False] * 10
            for page in pages.values():
                assert page.enter(right) == {"auth": False, "exhausted": True}
            # Nor is a new worker open.
            page = pages.popitem()[1]
            os.kill(page.worker, signal.SIGTERM)
            server.wait_until(lambda: len(BOOTING.findall(server.error_log)) == 5, "another worker")
            with client(server) as browser:
                pages = open_pages(server, browser, 4)
                for page in pages.values():
                    assert page.enter(right) == {"auth": False, "exhausted": True}

    def test_after_a_reload(self, project: Path) -> None:
        """The PIN stays; a page of code that is gone says so, and does not reach the application."""
        with debugging(project) as (server, pages):
            page = pages.popitem()[1]
            page.enter(pin_of(server))
            save(project / "names.py", "NAME = 'second'\n")
            server.wait_until(lambda: get(server).text == "second", "the reload")
            server.wait_until(
                lambda: len(re.findall("Worker exiting", server.error_log)) >= 4, "the end of the old ones"
            )
            answer = page.ask(cmd="process", frm=page.frame)
            assert answer.status_code == 404
            assert "Load the page again" in answer.text
            new = open_page(server, page.browser)
            assert new.evaluate("process").split()[-1] == str(new.worker)


def test_debugger_of_preloaded_workers(project: Path) -> None:
    """The application is loaded once, and each worker has a secret of its own all the same."""
    (project / "indrik.conf.py").write_text("reload = False\npreload_app = True\n")
    with debugging(project) as (server, pages):
        assert len({page.secret for page in pages.values()}) == 4
        for page in pages.values():
            assert page.enter(pin_of(server))["auth"]
            assert page.evaluate("process").split()[-1] == str(page.worker)


def test_debugger_and_sticky(project: Path) -> None:
    """The cookie that ties a client to a worker is the application's; the debugger minds only its frames."""
    with debugging(project, "-k", "gthread", "--sticky=cookie:io") as (server, pages):
        tied = get(server).cookies["io"]
        for page in pages.values():
            page.browser.cookies = httpx.Cookies({"io": tied})
            assert page.enter(pin_of(server))["auth"]
            assert page.evaluate("process").split()[-1] == str(page.worker)
            assert page.browser.cookies["io"] == tied


def test_hosts_that_are_not_trusted(project: Path) -> None:
    """A page of another site that has its name resolved to 127.0.0.1 gets no console."""
    with develop(project) as server:
        page = get(server, "/crash", Host="attacker.example").text
        assert "EVALEX = false" in page
