"""The command itself, when it ends by itself: what it prints, where, and its exit status."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from indrik import __version__

DEADLINE = 30
PRIVATE = ("INDRIK_", "GUNICORN_", "WEB_CONCURRENCY", "PORT", "FORWARDED_", "SENDFILE")

pytestmark = pytest.mark.usefixtures("folder")


@dataclass(frozen=True)
class Ended:
    status: int
    out: str
    err: str


def run(
    folder: Path, *arguments: str, command: tuple[str, ...] = (sys.executable, "-m", "indrik"), **env: str
) -> Ended:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(PRIVATE)}
    done = subprocess.run(
        [*command, *arguments],
        cwd=folder,
        env={**inherited, **env},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize("flag", ["-v", "--version"])
def test_version(folder: Path, flag: str) -> None:
    ended = run(folder, flag)
    assert ended.status == 0
    assert ended.out.startswith(f"indrik {__version__} (")
    assert "compiled, CPython 3." in ended.out


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help(folder: Path, flag: str) -> None:
    ended = run(folder, flag)
    assert ended.status == 0
    assert ended.out.startswith("usage: indrik [OPTIONS] [APP_MODULE]")
    assert "--worker-class" in ended.out


def test_the_installed_script(folder: Path) -> None:
    script = shutil.which("indrik", path=os.path.dirname(sys.executable))
    if script is None:
        pytest.skip("indrik is not installed beside this Python, as `make test` does it")
    assert run(folder, "--check-config", "app", command=(script,)) == Ended(0, "", "")


@pytest.mark.parametrize("module", ["indrik", "indrik.app.wsgiapp"])
def test_as_a_module(folder: Path, module: str) -> None:
    ended = run(folder, "--wrong", command=(sys.executable, "-m", module))
    assert ended.err.splitlines()[-1].startswith("indrik: error: unrecognized arguments: --wrong")


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["--wrokers", "2", "app"], "unrecognized arguments: --wrokers (did you mean --workers?)"),
        (["--workers", "two", "app"], "argument -w/--workers: invalid int value: 'two'"),
        (["--workers"], "argument -w/--workers: expected one argument"),
        (["--dirty-app", "a:b", "app"], "(--dirty-app is for Gunicorn's dirty arbiters; indrik has none)"),
    ],
)
def test_refused_by_argparse(folder: Path, arguments: list[str], error: str) -> None:
    ended = run(folder, *arguments)
    assert ended.status == 2
    assert ended.out == ""
    assert ended.err.startswith("usage: indrik ")
    assert ended.err.splitlines()[-1].endswith(error)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ([], "no application was named: give one on the command line"),
        (
            ["--workers", "-1", "app"],
            "invalid value for workers: -1 (command line): must be a whole number from 0 to 1000",
        ),
        (["--header-map", "dorp", "app"], "(did you mean 'drop'?)"),
        (["--chdir", "no/such/place", "app"], "there is no such directory"),
        (["--user", "no-such-user", "app"], "there is no such user"),
        (["--bind", "127.0.0.1:http", "app"], "127.0.0.1:http"),
        (["--forwarded-allow-ips", "10.0.0.1/8", "app"], "has host bits set"),
        (["--worker-class", "synk", "app"], "(did you mean 'sync'?)"),
        (["-b", "127.0.0.1:0", "--worker-class", "no.such.Worker", "app"], "there is no module 'no'"),
        (["--certfile", "x.pem", "app"], "not supported yet: TLS comes in a later version"),
        (["--log-level", "deug", "app"], "'deug'"),
        (["-c", "nowhere.py", "app"], "configuration file 'nowhere.py' doesn't exist"),
        (["-c", "nowhere.toml", "app"], "configuration file 'nowhere.toml' doesn't exist"),
    ],
)
def test_one_clear_line(folder: Path, arguments: list[str], error: str) -> None:
    ended = run(folder, *arguments)
    assert ended.status == 1
    assert ended.out == ""
    assert error in ended.err
    assert "Traceback" not in ended.err
    # What is found out when the log is open already has lines before it.
    assert len([line for line in ended.err.splitlines() if error in line]) == 1
    assert error in ended.err.splitlines()[-1]


def test_broken_file(folder: Path) -> None:
    (folder / "gunicorn.conf.py").write_text("import os\nworkers = os.no_such_thing\n")
    ended = run(folder, "app")
    assert ended.status == 1
    lines = ended.err.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[1].strip() == 'File "./gunicorn.conf.py", line 2, in <module>'
    assert lines[-1].startswith("Error: configuration file './gunicorn.conf.py' failed: AttributeError")


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (
            "[tool.indrik]\nwrokers = 2\n",
            "unknown setting 'wrokers' in './pyproject.toml' (did you mean 'workers'?)",
        ),
        ("[tool.indrik]\nworkers = 'two'\n", "invalid value for workers: 'two' (./pyproject.toml)"),
        ("[tool.indrik\n", "configuration file './pyproject.toml' is not TOML"),
    ],
)
def test_wrong_pyproject(folder: Path, text: str, error: str) -> None:
    (folder / "pyproject.toml").write_text(text)
    ended = run(folder, "--check-config", "app")
    assert (ended.status, ended.out) == (1, "")
    assert ended.err.startswith(f"Error: {error}")


def test_pyproject_without_anything_for_indrik(folder: Path) -> None:
    (folder / "pyproject.toml").write_text("[this is not TOML\n")
    assert run(folder, "--check-config", "app") == Ended(0, "", "")


def test_every_source_in_one_run(folder: Path) -> None:
    (folder / "indrik.conf.py").write_text("workers = 2\ntimeout = 31\nkeepalive = 3\nworker = 1\n")
    (folder / "gunicorn.conf.py").write_text("workers = 1 / 0\n")
    ended = run(
        folder,
        "--print-config",
        "--keep-alive",
        "5",
        "app",
        PORT="8123",
        INDRIK_CMD_ARGS="-t 32 --keep-alive 4",
    )
    assert ended.status == 0
    warning = "'worker' in ./indrik.conf.py is not a setting and is ignored (did you mean 'workers'?)"
    assert ended.err == f"Warning: {warning}\n"
    lines = [" ".join(line.split()) for line in ended.out.splitlines()]
    assert "workers = 2 # ./indrik.conf.py" in lines
    assert "timeout = 32 # INDRIK_CMD_ARGS" in lines
    assert "keepalive = 5 # command line" in lines
    assert "bind = ['0.0.0.0:8123'] # environment variable PORT" in lines
    assert "config = ./indrik.conf.py # found in the directory" in lines
    assert "backlog = 2048 # default" in lines


def test_print_config_for_a_reader_that_has_seen_enough(folder: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "indrik", "--print-config", "app"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0


def test_wrong_flag_in_the_environment(folder: Path) -> None:
    ended = run(folder, "app", GUNICORN_CMD_ARGS="--wrokers 2")
    assert ended.status == 2
    assert ended.err.splitlines()[-1].endswith("(did you mean --workers?) (in GUNICORN_CMD_ARGS)")


def test_wrong_number_in_the_environment(folder: Path) -> None:
    ended = run(folder, "app", WEB_CONCURRENCY="many")
    assert ended.status == 1
    assert ended.err.startswith(
        "Error: invalid value for workers: 'many' (environment variable WEB_CONCURRENCY)"
    )


@pytest.mark.parametrize(
    "application", ["app", "app:application", "factory:make(3, name='x')", "factory:Site.app"]
)
def test_check_config(folder: Path, application: str) -> None:
    text = (
        "def make(count, *, name): return Site.app\nclass Site:\n    def app(environ, start_response): ...\n"
    )
    (folder / "factory.py").write_text(text)
    assert run(folder, "--check-config", application) == Ended(0, "", "")


@pytest.mark.parametrize(
    ("application", "error"),
    [
        ("app:aplication", "there is no 'aplication' in module 'app' (did you mean 'app:application'?)"),
        ("ap:application", "there is no module 'ap' (did you mean 'app'?)"),
        ("app.py", "there is no module 'app.py' (did you mean 'app'?)"),
        ("app:VERSION", "'app:VERSION' is of type str, which cannot be called"),
        (
            "app:application(x)",
            "the arguments in 'app:application(x)' must be literals, such as 1, 'text' or [True]",
        ),
    ],
)
def test_check_config_without_an_application(folder: Path, application: str, error: str) -> None:
    ended = run(folder, "--check-config", application)
    assert ended == Ended(1, "", f"Error while loading the application:\nError: {error}\n")


def test_check_config_with_an_application_that_raises(folder: Path) -> None:
    (folder / "faulty.py").write_text("raise LookupError('no such luck')\n")
    ended = run(folder, "--check-config", "faulty")
    assert ended.status == 1
    assert "Traceback" in ended.err
    assert ended.err.splitlines()[-1] == "LookupError: no such luck"
