"""What `static` and `static_max_age` are set to, and what a worker costs with them."""

from __future__ import annotations

import email.utils
import subprocess
from pathlib import Path

import pytest

from tests.integration.served import DEADLINE, command, serve
from tests.integration.static_apps import BLOCKED, RELEASED
from tests.integration.static_site import FOLDER, KINDS, TEXT, ask, make_site, write
from tests.integration.wire import connect


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_site(tmp_path_factory.mktemp("files"))


@pytest.mark.parametrize("kind", ["gthread", "gevent"])
def test_the_application_need_not_have_time(files: Path, tmp_path: Path, kind: str) -> None:
    """With its only thread or greenlet inside the application, files are sent all the same."""
    options, application = KINDS[kind]
    arguments = [*options, f"--static=/files={files}", application]
    environment = {"FLASK_TEST_SIGNALS": str(tmp_path)}
    with serve(arguments, FOLDER, tmp_path, environment) as server, connect(server.url) as inside:
        inside.send(b"GET /block HTTP/1.1\r\nHost: x\r\n\r\n")
        server.wait_until((tmp_path / BLOCKED).exists, "the application to be asked")
        with connect(server.url) as wire:
            for _ in range(3):
                wire.send(b"GET /files/text.txt HTTP/1.1\r\nHost: x\r\n\r\n")
                assert wire.answer().body == TEXT
        (tmp_path / RELEASED).touch()
        assert inside.answer().body == b"application: GET /block"


def test_memory_is_bounded(tmp_path: Path) -> None:
    """More than is kept of small files, twice: memory does not grow with their number."""
    for number in range(400):
        write(tmp_path / "many" / str(number), bytes([number % 256]) * (1 << 17))
    arguments = [f"--static=/many={tmp_path / 'many'}", "static_apps:wsgi"]
    with serve(arguments, FOLDER, tmp_path) as server:
        pid = server.process.pid
        with connect(server.url) as wire:

            def fetch(number: int) -> None:
                wire.send(f"GET /many/{number} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
                assert wire.answer().body == bytes([number % 256]) * (1 << 17)

            fetch(0)
            (child,) = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
            status = Path(f"/proc/{child}/status")

            def resident() -> int:
                line = next(line for line in status.read_text().splitlines() if line.startswith("VmRSS"))
                return int(line.split()[1]) << 10

            before = resident()
            for number in range(400):
                fetch(number)
            # 50 MB were sent; 16 MiB may be kept, and a little around them.
            assert resident() - before < 24 << 20


def test_how_long_caches_may_keep_it(files: Path, tmp_path: Path) -> None:
    arguments = [f"--static=/={files}", "--static-max-age=60", "static_apps:wsgi"]
    with serve(arguments, FOLDER, tmp_path) as server:
        answer = ask(server, "/text.txt")
        assert answer.field("cache-control") == "public, max-age=60"
        sent = email.utils.parsedate_to_datetime(answer.field("date") or "")
        expires = email.utils.parsedate_to_datetime(answer.field("expires") or "")
        assert 59 <= (expires - sent).total_seconds() <= 61
        # At the root of the site files and the application live side by side.
        assert ask(server, "/").body == b"<p>top"
        assert ask(server, "/folder").body == b"application: GET /folder"
        assert ask(server, "//text.txt").body.startswith(b"application")


def test_a_configuration_file(files: Path, tmp_path: Path) -> None:
    config = tmp_path / "conf.py"
    config.write_text(f"static = {{'/files/': {str(files)!r}, '/relative': 'suites'}}\n")
    (tmp_path / "suites").mkdir()
    arguments = [f"--config={config}", f"--chdir={tmp_path}", f"--pythonpath={FOLDER}", "static_apps:wsgi"]
    write(tmp_path / "suites" / "x.txt", b"relative")
    with serve(arguments, FOLDER, tmp_path) as server:
        assert ask(server, "/files/text.txt").body == TEXT
        assert ask(server, "/relative/x.txt").body == b"relative"


@pytest.mark.parametrize("kind", ["sync", "asgi"])
def test_auto_without_flask(files: Path, tmp_path: Path, kind: str) -> None:
    options, application = KINDS[kind]
    with serve([*options, "--static=auto", application], FOLDER, tmp_path) as server:
        assert ask(server, "/static/x").body == b"application: GET /static/x"
        assert "name directories instead" in server.error_log


def test_what_is_no_directory(tmp_path: Path) -> None:
    command_line = [*command(), "--bind=127.0.0.1:0", "--static=/x=/nowhere/at/all", "static_apps:wsgi"]
    ended = subprocess.run(
        command_line, cwd=FOLDER, capture_output=True, text=True, timeout=DEADLINE, check=False
    )
    assert ended.returncode != 0
    assert "static: /x is to be served from '/nowhere/at/all', which is no directory" in ended.stderr
