from __future__ import annotations

import importlib
import os
import py_compile
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from indrik.config.files import find_default_file, read_module, read_python_file, read_toml, settings_in
from indrik.errors import ConfigError, ConfigFileError


@pytest.fixture(autouse=True)
def in_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    known = set(sys.modules)
    yield
    for name in set(sys.modules) - known:
        del sys.modules[name]


def write(name: str, text: str) -> str:
    Path(name).write_text(text)
    return name


def test_default_file() -> None:
    assert find_default_file() is None
    write("pyproject.toml", "[tool.other]\nx = 1\n")
    assert find_default_file() is None
    write("pyproject.toml", "[ tool . indrik ]\nworkers = 2\n")
    assert find_default_file() == "./pyproject.toml"
    write("gunicorn.conf.py", "")
    assert find_default_file() == "./gunicorn.conf.py"
    write("indrik.conf.py", "")
    assert find_default_file() == "./indrik.conf.py"


def test_python_file() -> None:
    path = write(
        "conf.py", "import os\nworkers = 1 + 1\nseen = (__name__, __file__)\ndef when_ready(server): ...\n"
    )
    names = read_python_file(path)
    assert names["workers"] == 2
    assert names["seen"] == ("__config__", "conf.py")
    assert sys.modules["__config__"].workers == 2
    # A name in the file is found again by its module, as pickle does.
    assert getattr(sys.modules[names["when_ready"].__module__], "when_ready") is names["when_ready"]  # noqa: B009


def test_python_file_is_read_anew_each_time() -> None:
    path = write("conf.py", "workers = 1\n")
    assert read_python_file(path)["workers"] == 1
    stamp = os.stat(path).st_mtime_ns
    write("conf.py", "workers = 2\n")
    os.utime(path, ns=(stamp, stamp))  # same length, same time
    assert read_python_file(path)["workers"] == 2


def test_compiled_python_file() -> None:
    py_compile.compile(write("conf.py", "workers = 3\n"), cfile="conf.pyc")
    assert read_python_file("conf.pyc")["workers"] == 3


def test_features_of_this_package_do_not_leak_into_the_file() -> None:
    # `from __future__ import annotations` here would turn the annotation into text.
    assert read_python_file(write("conf.py", "def f(x: int): ...\nkept = f.__annotations__\n"))["kept"] == {
        "x": int
    }


def test_missing_python_file() -> None:
    with pytest.raises(ConfigError, match=r"configuration file 'no\.py' doesn't exist"):
        read_python_file("no.py")


@pytest.mark.parametrize(
    ("text", "cause", "message"),
    [
        ("1 / 0", ZeroDivisionError, "failed: ZeroDivisionError: division by zero"),
        ("workers = ", SyntaxError, "failed: SyntaxError"),
        ("import gunicorn.glogging", ModuleNotFoundError, "drop-in for it is under 'indrik'"),
    ],
)
def test_python_file_that_fails(
    text: str, cause: type[Exception], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Where Gunicorn is installed, a file that imports it works for both servers.
    monkeypatch.setitem(sys.modules, "gunicorn", None)
    with pytest.raises(ConfigFileError, match=message) as caught:
        read_python_file(write("conf.py", text))
    assert isinstance(caught.value.__cause__, cause)


def test_module() -> None:
    write("conf_module.py", "workers = 4\n")
    assert read_module("conf_module")["workers"] == 4
    Path("conf_module.py").write_text("workers = 50\n")
    importlib.invalidate_caches()
    assert read_module("conf_module")["workers"] == 4
    assert read_module("conf_module", fresh=True)["workers"] == 50
    with pytest.raises(
        ConfigFileError, match="configuration module 'no_such_module' failed: ModuleNotFoundError"
    ):
        read_module("no_such_module")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("pyproject.toml", "[tool.indrik]\nworkers = 2\n"),
        ("other.toml", "[tool.indrik]\nworkers = 2\n"),
        ("other.toml", "workers = 2\n"),
    ],
)
def test_toml(name: str, text: str) -> None:
    assert read_toml(write(name, text)) == {"workers": 2}


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("pyproject.toml", "workers = 2\n", r"has no table \[tool.indrik\]"),
        ("pyproject.toml", "[tool.indrik\n", "is not TOML"),
        ("pyproject.toml", "[tool]\nindrik = 3\n", "tool.indrik must be a table"),
        ("other.toml", "wrokers = 2\n", "unknown setting 'wrokers' in 'other.toml' .did you mean 'workers'"),
        (
            "other.toml",
            "worker-class = 'sync'\n",
            "unknown setting 'worker-class'.*did you mean 'worker_class'",
        ),
        ("other.toml", "dirty_apps = []\n", "unknown setting 'dirty_apps'"),
    ],
)
def test_wrong_toml(name: str, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read_toml(write(name, text))


def test_missing_toml() -> None:
    with pytest.raises(ConfigError, match=r"'no\.toml' doesn't exist"):
        read_toml("no.toml")


def test_settings_in_a_python_file() -> None:
    names: dict[str, Any] = {
        "workers": 2,
        "helper": 3,
        "WORKERS": 4,
        "control_socket": "/x",
        "dirty_workers": 2,
    }
    assert settings_in(names, "conf.py") == ({"workers": 2}, [])


def test_a_slip_is_warned_about() -> None:
    settings, warnings = settings_in({"worker": 2, "prelaod_app": True}, "conf.py")
    assert settings == {}
    assert warnings == [
        "'worker' in conf.py is not a setting and is ignored (did you mean 'workers'?)",
        "'prelaod_app' in conf.py is not a setting and is ignored (did you mean 'preload_app'?)",
    ]


def test_a_flag_in_a_file_is_warned_about() -> None:
    """`--preload` is preload_app in a file, and no slip for reload. Beside the setting it is its variable."""
    settings, warnings = settings_in({"preload": True, "access_logfile": "-"}, "conf.py")
    assert settings == {}
    assert warnings == [
        "'preload' in conf.py is not a setting and is ignored (did you mean 'preload_app'?)",
        "'access_logfile' in conf.py is not a setting and is ignored (did you mean 'accesslog'?)",
    ]
    both = {"log_level": "debug", "loglevel": "debug", "pid": "/run/x", "name": "shop"}
    assert settings_in(both, "conf.py") == ({"loglevel": "debug"}, [])


@pytest.mark.parametrize(
    "names",
    [{"_workers": 2}, {"__workers__": 2}, {"binds": os}, {"worker": lambda: 3}, {"worker": str}, {"work": 3}],
    ids=lambda names: f"{next(iter(names))}-{type(next(iter(names.values()))).__name__}",
)
def test_what_is_no_slip(names: dict[str, Any]) -> None:
    assert settings_in(names, "conf.py") == ({}, [])


def test_a_file_cannot_name_the_file() -> None:
    settings, warnings = settings_in({"config": "other.py"}, "conf.py")
    assert settings == {}
    assert warnings == ["'config' in conf.py is ignored: only the command line can name the file"]
