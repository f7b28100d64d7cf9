"""What `Logger.setup`, `reopen_files` and `close_on_exec` do to the outputs."""

from __future__ import annotations

import logging
import os
import re
import socket
from pathlib import Path
from typing import Any

import pytest

from indrik.errors import ConfigError
from indrik.log import CONFIG_DEFAULTS, Logger
from indrik.log.handlers import LogFile
from indrik.log.names import ACCESS, ERROR
from tests.unit.log.support import LINE, Paths, access, config


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(tmp_path)


class TestSetup:
    @pytest.mark.parametrize("setting", ["errorlog", "accesslog"])
    def test_a_missing_directory_is_one_clear_line(self, tmp_path: Path, setting: str) -> None:
        path = tmp_path / "no" / "x.log"
        with pytest.raises(ConfigError, match=rf"^{setting}: cannot open '{path}' for writing: No such file"):
            Logger(config(**{setting: str(path)}))

    def test_settings_that_change_replace_the_outputs(self, paths: Paths, tmp_path: Path) -> None:
        log = paths.logger()
        old = [handler for log_ in (log.error_log, log.access_log) for handler in log_.handlers]
        log.setup(config(errorlog=str(tmp_path / "e2"), accesslog=str(tmp_path / "a2"), loglevel="debug"))
        log.debug("x")
        access(log)
        assert paths.error.read_text() == ""
        assert paths.lines() == []
        assert "[DEBUG] x" in (tmp_path / "e2").read_text()
        assert re.fullmatch(LINE + "\n", (tmp_path / "a2").read_text())
        assert [len(log.error_log.handlers), len(log.access_log.handlers)] == [1, 1]
        assert all(isinstance(handler, LogFile) and handler.stream is None for handler in old)

    def test_a_second_logger_takes_over(self, paths: Paths, capsys: pytest.CaptureFixture[str]) -> None:
        paths.logger()
        log = Logger(config())
        log.info("x")
        access(log)
        assert "[INFO] x" in capsys.readouterr().err
        assert paths.error.read_text() == ""
        assert paths.lines() == []

    @pytest.mark.parametrize(
        "wrong",
        [
            {"errorlog": "no/x.log"},
            {"accesslog": "no/x.log"},
            {"loglevel": "loud"},
            {"access_log_format": "%"},
            {"syslog": True, "syslog_addr": "nowhere"},
            {"syslog": True, "syslog_addr": "unix://no/log"},
            {"syslog": True, "syslog_facility": "none"},
            {"logconfig": "no.ini"},
            {"logconfig_dict": {"version": 1, "root": {"handlers": ["none"]}}},
            {"capture_output": True, "errorlog": "/"},
        ],
    )
    def test_a_wrong_setting_leaves_everything_as_it_was(
        self, paths: Paths, tmp_path: Path, wrong: dict[str, Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        log = paths.logger()
        fresh = {"errorlog": str(tmp_path / "e2"), "accesslog": str(tmp_path / "a2")}
        with pytest.raises(ConfigError):
            log.setup(config(**fresh | wrong))
        log.info("still here")
        access(log)
        assert "still here" in paths.error.read_text()
        assert re.fullmatch(LINE, paths.lines()[0])
        for name in ("e2", "a2"):
            assert not (tmp_path / name).exists() or (tmp_path / name).read_text() == ""

    def test_nothing_is_left_open_when_a_later_output_fails(self, paths: Paths, tmp_path: Path) -> None:
        before = len(os.listdir("/proc/self/fd"))
        with pytest.raises(ConfigError):
            paths.logger(accesslog=str(tmp_path / "no" / "x"))
        assert len(os.listdir("/proc/self/fd")) == before

    def test_an_application_can_borrow_the_handlers(self, paths: Paths) -> None:
        paths.logger()
        app = logging.Logger("app")  # noqa: LOG001 - not registered: nothing to clean up
        app.handlers = logging.getLogger("gunicorn.error").handlers
        app.error("from the application")
        assert "[ERROR] from the application" in paths.error.read_text()

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
    def test_files_are_given_to_the_workers_user(self, paths: Paths) -> None:
        paths.logger(user=12345, group=12346)
        for path in (paths.error, paths.access):
            assert (path.stat().st_uid, path.stat().st_gid) == (12345, 12346)

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
    def test_reopened_files_are_given_to_the_workers_user_too(self, paths: Paths) -> None:
        log = paths.logger(user=12345, group=12346)
        paths.access.rename(f"{paths.access}.1")
        log.reopen_files()
        assert (paths.access.stat().st_uid, paths.access.stat().st_gid) == (12345, 12346)

    def test_an_empty_access_log_is_none(self) -> None:
        assert not Logger(config(accesslog="")).access_enabled


class TestSyslog:
    @pytest.fixture
    def syslog(self, tmp_path: Path) -> Any:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
            receiver.bind(("127.0.0.1", 0))
            receiver.settimeout(10)
            yield receiver

    def test_both_logs(self, syslog: socket.socket) -> None:
        port = syslog.getsockname()[1]
        log = Logger(
            config(
                syslog=True, syslog_addr=f"udp://127.0.0.1:{port}", errorlog=None, syslog_facility="daemon"
            )
        )
        log.error("x")
        assert syslog.recv(1000) == f"<27>indrik.{log.cfg.proc_name}.error: [{os.getpid()}] x".encode()
        assert log.access_enabled
        access(log)
        assert re.fullmatch(rf"<30>indrik\..*\.access: \[{os.getpid()}\] {LINE}", syslog.recv(1000).decode())

    def test_prefix_and_no_access(self, syslog: socket.socket) -> None:
        address = f"udp://127.0.0.1:{syslog.getsockname()[1]}"
        log = Logger(
            config(
                syslog=True,
                syslog_addr=address,
                syslog_prefix="shop",
                disable_redirect_access_to_syslog=True,
                errorlog=None,
            )
        )
        assert not log.access_enabled
        access(log)
        log.error("only this")
        assert syslog.recv(1000).decode().startswith("<11>indrik.shop.error: ")

    def test_a_colon_of_the_application_name_is_no_part_of_the_tag(self, syslog: socket.socket) -> None:
        address = f"udp://127.0.0.1:{syslog.getsockname()[1]}"
        log = Logger(config(syslog=True, syslog_addr=address, proc_name="shop:app", errorlog=None))
        log.error("x")
        assert syslog.recv(1000).decode().startswith("<11>indrik.shop.app.error: ")

    def test_nobody_there_stops_the_start(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError) as caught:
            Logger(config(syslog=True, syslog_addr=f"unix://{tmp_path}/none"))
        assert str(caught.value) == (
            f"syslog_addr: cannot connect to unix://{tmp_path}/none: No such file or directory"
        )


class TestLogconfig:
    def both(self, path: Path, **more: Any) -> dict[str, Any]:
        return {
            "root": {"level": "INFO", "handlers": []},
            "handlers": {"file": {"class": "logging.FileHandler", "filename": str(path)}},
            "loggers": {
                "gunicorn.error": {"level": "INFO", "handlers": ["file"], "propagate": False},
                "gunicorn.access": {"level": "INFO", "handlers": ["file"], "propagate": False},
            },
        } | more

    def test_a_configuration_wins_for_the_loggers_that_it_names(self, paths: Paths, tmp_path: Path) -> None:
        given = self.both(tmp_path / "x.log")
        del given["loggers"]["gunicorn.error"]
        log = paths.logger(logconfig_dict=given, access_log_format="%(m)s")
        log.info("to errorlog")
        access(log)
        assert "to errorlog" in paths.error.read_text()
        assert not paths.access.exists()
        assert (tmp_path / "x.log").read_text() == "GET\n"

    def test_it_turns_the_access_log_on(self, tmp_path: Path) -> None:
        log = Logger(config(logconfig_dict=self.both(tmp_path / "x.log"), access_log_format="%(m)s"))
        assert log.access_enabled
        access(log)
        assert (tmp_path / "x.log").read_text() == "GET\n"

    def test_disabling_existing_loggers_spares_ours(self, paths: Paths, tmp_path: Path) -> None:
        given = self.both(tmp_path / "x.log", disable_existing_loggers=True)
        del given["loggers"]["gunicorn.access"]
        log = paths.logger(logconfig_dict=given)
        log.info("one")
        access(log)
        assert (tmp_path / "x.log").read_text() == "one\n"
        assert len(paths.lines()) == 1

    def test_formatters_of_the_user_see_the_atoms(self, tmp_path: Path) -> None:
        given = self.both(tmp_path / "x.log")
        given["formatters"] = {"own": {"()": PathFormatter}}
        given["handlers"]["file"]["formatter"] = "own"
        access(Logger(config(logconfig_dict=given)))
        assert (tmp_path / "x.log").read_text() == "path=/notes\n"

    def test_a_reload_applies_it_again(self, tmp_path: Path) -> None:
        log = Logger(config(logconfig_dict=self.both(tmp_path / "one.log")))
        log.setup(config(logconfig_dict=self.both(tmp_path / "two.log")))
        log.info("x")
        assert (tmp_path / "one.log").read_text() == ""
        assert (tmp_path / "two.log").read_text() == "x\n"

    def test_a_reload_without_it_brings_our_outputs_back(self, paths: Paths, tmp_path: Path) -> None:
        log = paths.logger(logconfig_dict=self.both(tmp_path / "x.log"))
        foreign = log.error_log.handlers[:]
        log.setup(config(errorlog=str(paths.error)))
        log.info("back")
        assert "back" in paths.error.read_text()
        assert "back" not in (tmp_path / "x.log").read_text()
        assert log.error_log.handlers[0] not in foreign

    def test_defaults_name_both_loggers(self) -> None:
        assert set(CONFIG_DEFAULTS["loggers"]) == {ERROR, ACCESS}


class PathFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return f"path={record.args['U']}" if isinstance(record.args, dict) else "no atoms"


class TestReopen:
    def test_files_follow_a_rename(self, paths: Paths, tmp_path: Path) -> None:
        log = paths.logger()
        log.info("old")
        access(log)
        for path in (paths.error, paths.access):
            path.rename(f"{path}.1")
        log.reopen_files()
        log.info("new")
        access(log)
        assert "old" in Path(f"{paths.error}.1").read_text()
        assert "old" not in paths.error.read_text()
        assert "new" in paths.error.read_text()
        assert len(paths.lines()) == 1

    def test_files_of_a_logging_configuration_and_of_the_application_follow_too(self, tmp_path: Path) -> None:
        app = logging.getLogger("tests.application")
        app.addHandler(handler := logging.FileHandler(tmp_path / "app.log"))
        log = Logger(config())
        (tmp_path / "app.log").rename(tmp_path / "app.log.1")
        log.reopen_files()
        app.error("new")
        handler.close()
        del logging.Logger.manager.loggerDict["tests.application"]
        assert (tmp_path / "app.log").read_text() == "new\n"

    def test_a_file_that_cannot_be_reopened_is_kept_and_told(self, paths: Paths) -> None:
        log = paths.logger()
        moved = paths.access.rename(f"{paths.access}.1")
        paths.access.mkdir()
        log.reopen_files()
        access(log)
        assert re.fullmatch(LINE + "\n", moved.read_text())
        assert f"Cannot reopen {paths.access}: Is a directory; still writing to the old file" in (
            paths.error.read_text()
        )


def test_close_on_exec(paths: Paths, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as syslog:
        syslog.bind(str(tmp_path / "s"))
        log = paths.logger(syslog=True, syslog_addr=f"unix://{tmp_path / 's'}")
        numbers = [
            handler.fileno() if hasattr(handler, "fileno") else handler.stream.fileno()  # type: ignore[attr-defined]
            for log_ in (log.error_log, log.access_log)
            for handler in log_.handlers
        ]
        for number in numbers:
            os.set_inheritable(number, True)
        log.close_on_exec()
        assert len(numbers) == 4
        assert not any(os.get_inheritable(number) for number in numbers)
