from __future__ import annotations

import platform
from typing import Any

import pytest

from indrik import __version__
from indrik.config import Config
from indrik.config.command_line import environment_arguments, format_version, given
from indrik.config.rows import ROWS
from indrik.errors import ConfigError


def parse(*arguments: str) -> dict[str, Any]:
    return given(Config(prog="indrik").parser().parse_args(arguments))


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str, origin: str = "") -> str:
    """The last line argparse prints before it exits with status 2."""
    parser = Config(prog="indrik").parser()
    parser.origin = origin
    with pytest.raises(SystemExit) as caught:
        parser.parse_args(arguments)
    assert caught.value.code == 2
    return capsys.readouterr().err.splitlines()[-1]


def test_nothing_given_overrides_nothing() -> None:
    assert parse() == {}
    assert parse("app:app") == {}


def test_what_is_given() -> None:
    assert parse("-w", "3", "--bind=a:1", "-b", "b:2", "--preload", "--no-sendfile", "app:app") == {
        "workers": 3,
        "bind": ["a:1", "b:2"],
        "preload_app": True,
        "sendfile": False,
    }


def test_application_and_further_arguments() -> None:
    assert Config(prog="indrik").parser().parse_args(["-w", "3", "app:app", "x"]).args == ["app:app", "x"]


@pytest.mark.parametrize(
    ("flag", "setting"),
    [("--worker-cl", "worker_class"), ("--header", "header_map"), ("--hea", "header_map")],
)
def test_shortened_flags(flag: str, setting: str) -> None:
    # Also those which only a flag of indrik's own would make ambiguous.
    assert list(parse(flag, "drop")) == [setting]


def test_own_flags_can_be_shortened() -> None:
    assert parse("--header-t", "3") == {"header_timeout": 3.0}


def test_ambiguous_flag(capsys: pytest.CaptureFixture[str]) -> None:
    assert "ambiguous option: --limit-request could match" in refusal(capsys, "--limit-request", "3")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--wrokers", "3"], "unrecognized arguments: --wrokers (did you mean --workers?)"),
        (["--wrokers=3"], "unrecognized arguments: --wrokers=3 (did you mean --workers?)"),
        (["--zzzz"], "unrecognized arguments: --zzzz"),
        (["--dirty-app", "x:y"], "(--dirty-app is for Gunicorn's dirty arbiters; indrik has none)"),
        (["--control-socket=/x"], "(--control-socket is for Gunicorn's control socket; indrik has none)"),
        (["-w", "three"], "argument -w/--workers: invalid int value: 'three'"),
        (["-w", "0x3"], "argument -w/--workers: invalid int value: '0x3'"),
        (["--umask", "09"], "invalid file_mode value: '09'"),
        (["--body-timeout", "soon"], "argument --body-timeout: invalid float value: 'soon'"),
    ],
)
def test_refused_by_argparse(arguments: list[str], text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert refusal(capsys, *arguments).endswith(text)


def test_refusal_names_the_environment_variable(capsys: pytest.CaptureFixture[str]) -> None:
    text = refusal(capsys, "--wrokers", "3", origin="INDRIK_CMD_ARGS")
    assert text.endswith("--wrokers (did you mean --workers?) (in INDRIK_CMD_ARGS)")


def test_there_is_no_control_socket_to_turn_off() -> None:
    assert parse("--no-control-socket") == {}


def test_help_has_every_flag(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        Config("%(prog)s [OPTIONS] [APP_MODULE]", prog="indrik").parser().parse_args(["--help"])
    assert caught.value.code == 0
    text = capsys.readouterr().out
    assert text.startswith("usage: indrik [OPTIONS] [APP_MODULE]")
    for row in ROWS:
        for flag in row.flags:
            assert flag in text
    assert "%(h)s %(l)s" in text  # a percent sign survives argparse


@pytest.mark.parametrize("flag", ["-v", "--version"])
def test_version(flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        Config(prog="anything").parser().parse_args([flag])
    assert caught.value.code == 0
    assert capsys.readouterr().out == format_version() + "\n"


def test_version_tells_the_build(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = pytest.importorskip("indrik.engine")
    python = f"{platform.python_implementation()} {platform.python_version()}"
    monkeypatch.setattr(engine, "COMPILED", True)
    assert format_version() == f"indrik {__version__} (compiled, {python})"
    monkeypatch.setattr(engine, "COMPILED", False)
    assert format_version() == f"indrik {__version__} (uncompiled, {python})"


def test_environment_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    assert environment_arguments() == ("", [])
    monkeypatch.setenv("GUNICORN_CMD_ARGS", "--name 'two words'")
    assert environment_arguments() == ("GUNICORN_CMD_ARGS", ["--name", "two words"])
    monkeypatch.setenv("INDRIK_CMD_ARGS", "-w 2")
    assert environment_arguments() == ("INDRIK_CMD_ARGS", ["-w", "2"])
    assert Config().get_cmd_args_from_env() == ["-w", "2"]
    monkeypatch.setenv("INDRIK_CMD_ARGS", "")
    assert environment_arguments() == ("INDRIK_CMD_ARGS", [])
    monkeypatch.setenv("INDRIK_CMD_ARGS", "--name 'open")
    with pytest.raises(ConfigError, match="environment variable INDRIK_CMD_ARGS: No closing quotation"):
        environment_arguments()
