"""The table of uvicorn's options against uvicorn itself, and what the command line makes of them."""

from __future__ import annotations

import glob
import inspect
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click
import pytest
import uvicorn
from uvicorn.main import main as command_of_uvicorn

from indrik.config import Config
from indrik.config.command_line import given
from indrik.config.rows import BY_NAME
from indrik.config.uvicorn_options import BY_KEYWORD, OPTIONS, Option, bind_of, settings_of
from indrik.config.uvicorn_page import UVICORN_VERSION, page
from indrik.errors import ConfigError

PARAMETERS = {
    parameter.name: parameter
    for parameter in command_of_uvicorn.params
    if isinstance(parameter, click.Option) and parameter.name
}


def parsed(*arguments: str) -> dict[str, Any]:
    parser = Config(prog="indrik").parser()
    return given(parser.parse_args([*arguments, "shop:app"]))


def test_the_installed_release_is_that_of_the_page() -> None:
    assert version("uvicorn").startswith(f"{UVICORN_VERSION}.")


def test_every_option_is_in_the_table() -> None:
    theirs = {
        name: (*parameter.opts, *parameter.secondary_opts) for name, parameter in PARAMETERS.items()
    }
    assert {option.name: option.flags for option in OPTIONS} == theirs


def test_every_option_is_on_the_page() -> None:
    rows = re.findall(r"^\| (`--.*?) \| (.*?) \| (.*?) \|$", page("make"), re.MULTILINE)
    assert len(rows) == len(PARAMETERS)
    shown = {flag for flags, *_ in rows for flag in re.findall(r"`(--[\w-]+)`", flags)}
    assert shown == {flag for option in OPTIONS for flag in option.flags}
    assert all(remark or what.startswith("`") for _, what, remark in rows)


def test_settings_in_the_table_exist() -> None:
    for option in OPTIONS:
        for name in option.settings:
            assert name in BY_NAME, option
        for name in re.findall(r"`([a-z_]+_[a-z_]+)`", option.note):
            assert name in BY_NAME, option
        for flag in re.findall(r"`(--[a-z-]+)", option.note):
            known = {flag for row in BY_NAME.values() for flag in row.flags}
            assert flag in known | {flag for other in OPTIONS for flag in other.flags}, option


@pytest.mark.parametrize("option", [option for option in OPTIONS if option.has_own_row and option.settings])
def test_flags_of_settings_are_theirs(option: Option) -> None:
    assert option.flags[0] in BY_NAME[option.settings[0]].flags


@pytest.mark.parametrize("option", [option for option in OPTIONS if option.is_refused])
def test_a_refused_option_says_why(option: Option, capsys: pytest.CaptureFixture[str]) -> None:
    if option.name != "headers":  # there it is a shorter form of one of Gunicorn's
        with pytest.raises(SystemExit) as stop:
            parsed(option.flags[0], "1")
        assert stop.value.code == 2
        assert option.note.replace("`", "") in capsys.readouterr().err
    with pytest.raises(ConfigError, match=option.flags[0]):
        settings_of({option.name: "1"})


@pytest.mark.parametrize(
    ("arguments", "settings"),
    [
        ("--host 0.0.0.0", {"bind": ["0.0.0.0:8000"]}),
        ("--port 81", {"bind": ["127.0.0.1:81"]}),
        ("--host ::1 --port 81", {"bind": ["[::1]:81"]}),
        ("--uds /run/shop.sock", {"bind": ["unix:/run/shop.sock"]}),
        ("--fd 3", {"bind": ["fd://3"]}),
        ("--timeout-keep-alive 7", {"keepalive": 7}),
        ("--timeout-graceful-shutdown 7", {"graceful_timeout": 7}),
        ("--timeout-worker-healthcheck 7", {"timeout": 7}),
        ("--limit-max-requests 7", {"max_requests": 7}),
        ("--limit-max-requests-jitter 7", {"max_requests_jitter": 7}),
        ("--limit-concurrency 7", {"limit_concurrency": 7}),
        ("--loop asyncio", {"asgi_loop": "asyncio"}),
        ("--lifespan off", {"asgi_lifespan": "off"}),
        ("--ws-max-size 7", {"websocket_max_message_size": 7}),
        ("--ws-per-message-deflate false", {"ws_per_message_deflate": "false"}),
        ("--access-log", {"accesslog": "-"}),
        ("--no-access-log", {"accesslog": None}),
        ("--proxy-headers", {"proxy_headers": True}),
        ("--no-proxy-headers", {"proxy_headers": False, "secure_scheme_headers": {}}),
        ("--app-dir src", {"pythonpath": "src"}),
        ("--interface asgi3", {"worker_class": "asgi"}),
        ("--interface auto --http auto --ws auto", {}),
        ("--no-use-colors --date-header", {}),
        ("--server-header", {"server_header": True}),
        ("--no-server-header", {"server_header": False}),
        ("--ssl-keyfile key --ssl-certfile cert", {"keyfile": "key", "certfile": "cert"}),
        ("--factory", {"factory": True}),
    ],
)
def test_translation(arguments: str, settings: dict[str, Any]) -> None:
    assert parsed(*arguments.split()) == settings


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("--host a --uds b", "each name an address"),
        ("--fd 3 --port 80", "each name an address"),
        ("--bind a:1 --host b", "for the same setting"),
        ("--http h11", "only 'auto'"),
        ("--ws none", "only 'auto'"),
        ("--interface wsgi", "-k gthread"),
        ("--interface asgi2", "ASGI 2"),
        ("--use-colors", "never coloured"),
        ("--no-date-header", "RFC 9110"),
        ("--reload-dir /nowhere/at/all", "no directory"),
    ],
)
def test_what_cannot_be_had(arguments: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        parsed(*arguments.split())


def test_reload_dir(tmp_path: Path) -> None:
    odd = tmp_path / "a[b]"
    odd.mkdir()
    (odd / "deep").mkdir()
    (odd / "deep" / "x.py").touch()
    settings = parsed("--reload-dir", str(odd), "--reload-dir", str(tmp_path), "--reload-extra-file", "x*")
    first, *rest = settings["reload_extra_files"]
    assert first == "x*"
    assert [glob.glob(pattern, recursive=True) for pattern in rest] == [[str(odd / "deep" / "x.py")]] * 2


@pytest.mark.parametrize(
    ("word", "value"),
    [("true", True), ("1", True), ("yes", True), ("ON", True), ("false", False), ("0", False), (True, True)],
)
def test_words_of_a_switch(word: Any, value: bool) -> None:
    cfg = Config(prog="indrik")
    cfg.set("ws_per_message_deflate", word)
    assert cfg.ws_per_message_deflate is value


def test_a_word_that_is_none() -> None:
    with pytest.raises(ConfigError, match="true or false"):
        Config(prog="indrik").set("ws_per_message_deflate", "perhaps")


def test_bind_of_nothing_is_uvicorns_default() -> None:
    assert bind_of(host="localhost") == "localhost:8000"
    assert PARAMETERS["host"].default == "127.0.0.1"
    assert PARAMETERS["port"].default == 8000
    with pytest.raises(ConfigError, match="empty"):
        bind_of(host="")


def test_keywords_are_those_of_uvicorn_run() -> None:
    # What only the function has: objects that no command line can hold.
    only_there = {"app", "ssl_context_factory"}
    theirs = set(inspect.signature(uvicorn.run).parameters) - only_there
    assert theirs <= set(BY_KEYWORD)


def test_check_config_with_options_of_uvicorn(tmp_path: Path) -> None:
    text = "def make():\n    async def app(scope, receive, send): ...\n    return app\n"
    (tmp_path / "shop.py").write_text(text)
    command = [sys.executable, "-m", "indrik", "--check-config", "--factory", "--port", "0", "shop:make"]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "of the kind asgi" in ran.stdout
    ran = subprocess.run(
        [*command[:-1], "-k", "sync", "shop:make"], cwd=tmp_path, capture_output=True, text=True, timeout=60,
        check=False,
    )
    assert ran.returncode == 1
    assert "use -k asgi" in ran.stderr
