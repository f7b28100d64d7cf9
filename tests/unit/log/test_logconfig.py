from __future__ import annotations

import json
import logging
import sys
from pathlib import Path
from typing import Any

import pytest

from indrik.errors import ConfigError
from indrik.log.handlers import Console
from indrik.log.logconfig import apply_logconfig, drop_old_handlers, is_configured, restored_on_error
from indrik.log.names import ACCESS, ERROR, share_gunicorn_names
from tests.unit.log.support import config


def to_file(path: Path) -> dict[str, Any]:
    return {
        "root": {"level": "INFO", "handlers": []},
        "handlers": {"file": {"class": "logging.FileHandler", "filename": str(path), "formatter": "short"}},
        "formatters": {"short": {"format": "%(name)s %(message)s"}},
        "loggers": {"gunicorn.error": {"level": "DEBUG", "handlers": ["file"], "propagate": False}},
    }


INI = """
[loggers]
keys = root, gunicorn.error
[handlers]
keys = file
[formatters]
keys = short
[logger_root]
level = INFO
handlers =
[logger_gunicorn.error]
level = DEBUG
handlers = file
propagate = 0
qualname = gunicorn.error
[handler_file]
class = FileHandler
formatter = short
args = (r"%(here)s/x.log",)
[formatter_short]
format = %(name)s %(message)s
"""


@pytest.fixture(params=["dict", "json", "ini"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
    """The same logging configuration in each of the three forms; it writes to x.log."""
    as_dict = to_file(tmp_path / "x.log")
    if request.param == "dict":
        return {"logconfig_dict": as_dict}
    path = tmp_path / f"log.{request.param}"
    if request.param == "json":
        path.write_text(json.dumps(as_dict))
        return {"logconfig_json": str(path)}
    path.write_text(INI)
    return {"logconfig": str(path)}


def test_gunicorn_names_configure_our_loggers(settings: dict[str, Any], tmp_path: Path) -> None:
    cfg = config(**settings)
    share_gunicorn_names()
    assert is_configured(cfg)
    apply_logconfig(cfg, ())
    logging.getLogger(ERROR).debug("one")
    logging.getLogger("gunicorn.error").debug("two")
    assert (tmp_path / "x.log").read_text() == "indrik.error one\nindrik.error two\n"


def test_the_loggers_that_are_named_are_returned(settings: dict[str, Any]) -> None:
    share_gunicorn_names()
    error, access = logging.getLogger(ERROR), logging.getLogger(ACCESS)
    access.addHandler(kept := logging.NullHandler())
    error.addHandler(logging.NullHandler())
    assert apply_logconfig(config(**settings), [error, access]) == {error}
    assert [type(handler) for handler in error.handlers] == [logging.FileHandler]
    assert access.handlers == [kept]


def is_open(handler: logging.Handler) -> bool:
    return isinstance(handler, logging.FileHandler) and handler.stream is not None


def test_old_handlers_are_dropped_and_those_of_the_application_stay(tmp_path: Path) -> None:
    share_gunicorn_names()
    log, other = logging.getLogger(ERROR), logging.getLogger(ACCESS)
    apply_logconfig(config(logconfig_dict=to_file(tmp_path / "x.log")), [log])
    (configured,) = log.handlers
    log.addHandler(own := Console(sys.stdout))
    log.addHandler(attached := logging.NullHandler())
    other.addHandler(configured)
    drop_old_handlers(log)
    assert log.handlers == [attached]
    assert is_open(configured), "another logger still writes to it"
    log.addHandler(configured)
    other.handlers.clear()
    drop_old_handlers(log)
    assert not is_open(configured)
    assert own not in log.handlers


def test_without_a_configuration_nothing_happens() -> None:
    cfg = config()
    before = logging.root.handlers[:]
    assert not is_configured(cfg)
    assert apply_logconfig(cfg, [logging.getLogger(ERROR)]) == set()
    assert logging.root.handlers == before
    assert logging.getLogger(ERROR).handlers == []


def test_a_dictionary_starts_from_defaults(capsys: pytest.CaptureFixture[str]) -> None:
    apply_logconfig(config(logconfig_dict={"formatters": {"generic": {"format": "generic %(message)s"}}}), ())
    logging.getLogger(ERROR).propagate = logging.getLogger(ACCESS).propagate = False
    logging.getLogger(ERROR).info("to stderr")
    logging.getLogger(ACCESS).info("to stdout")
    captured = capsys.readouterr()
    assert captured.err == "generic to stderr\n"
    assert captured.out == "generic to stdout\n"


def test_the_dictionary_goes_before_the_json_file_and_that_before_the_ini_file(tmp_path: Path) -> None:
    (tmp_path / "log.json").write_text(json.dumps(to_file(tmp_path / "json.log")))
    (tmp_path / "log.ini").write_text(INI)
    given: dict[str, Any] = {
        "logconfig_dict": to_file(tmp_path / "dict.log"),
        "logconfig_json": str(tmp_path / "log.json"),
        "logconfig": str(tmp_path / "log.ini"),
    }
    for log_file in ("dict.log", "json.log", "x.log"):
        apply_logconfig(config(**given), ())
        assert (tmp_path / log_file).exists()
        given.pop(next(iter(given)))
        assert not any((tmp_path / other).exists() for other in ("json.log", "x.log") if other > log_file)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"logconfig": "none.ini"}, "logconfig: 'none.ini' does not exist"),
        (
            {"logconfig_json": "none.json"},
            "logconfig_json: cannot read 'none.json': No such file or directory",
        ),
    ],
)
def test_a_missing_file(
    settings: dict[str, Any], message: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError) as caught:
        apply_logconfig(config(**settings), ())
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("text", "part"),
    [("{", "not JSON: Expecting property name"), ("[]", "the top of the file must be an object")],
)
def test_what_is_not_a_json_object(tmp_path: Path, text: str, part: str) -> None:
    path = tmp_path / "log.json"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        apply_logconfig(config(logconfig_json=str(path)), ())
    assert str(caught.value).startswith(f"logconfig_json: {path}: {part}")


@pytest.mark.parametrize(
    ("wrong", "parts"),
    [
        (
            {"handlers": {"h": {"class": "logging.NoSuchHandler"}}, "root": {"handlers": ["h"]}},
            ["Unable to configure handler 'h'", "NoSuchHandler"],
        ),
        ({"handlers": {}, "root": {"handlers": ["console"]}}, ["Unable to configure", "console"]),
        ({"version": 7}, ["Unsupported version: 7"]),
    ],
)
def test_a_wrong_dictionary_says_where_and_why(wrong: dict[str, Any], parts: list[str]) -> None:
    with pytest.raises(ConfigError, match=r"^logconfig_dict: ") as caught:
        apply_logconfig(config(logconfig_dict=wrong), ())
    for part in parts:
        assert part in str(caught.value)


def test_a_wrong_ini_file_says_where_and_why(tmp_path: Path) -> None:
    path = tmp_path / "log.ini"
    path.write_text(INI.replace("keys = file", "keys = other"))
    with pytest.raises(ConfigError, match=rf"^logconfig: {path}: .*handler_other"):
        apply_logconfig(config(logconfig=str(path)), ())


def test_loggers_are_given_back_what_they_had() -> None:
    log = logging.getLogger(ERROR)
    log.addHandler(handler := logging.NullHandler())
    log.addFilter(filter_ := logging.Filter())
    log.setLevel(logging.ERROR)

    def spoil() -> None:
        log.handlers.clear()
        log.filters.clear()
        log.setLevel(logging.DEBUG)
        log.propagate = False
        log.disabled = True
        raise RuntimeError

    with pytest.raises(RuntimeError), restored_on_error():
        spoil()
    assert (log.handlers, log.filters, log.level) == ([handler], [filter_], logging.ERROR)
    assert (log.propagate, log.disabled) == (True, False)
    with restored_on_error():
        log.setLevel(logging.DEBUG)
    assert log.level == logging.DEBUG
