from __future__ import annotations

import json
import logging
import os
import re
import socket
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from indrik.errors import ConfigError
from indrik.log import CONFIG_DEFAULTS, Logger, SafeAtoms
from indrik.log.handlers import LogFile
from indrik.log.names import ACCESS, ERROR
from tests.unit.log.support import TOOK, Request, Response, config, environ

STAMP = r"\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{4}\]"
DATE = r"\[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\]"
LINE = rf'127\.0\.0\.1 - - {DATE} "GET /notes\?page=2 HTTP/1\.1" 200 13 "-" "curl/8\.5\.0"'


def access(log: Logger, **changes: Any) -> None:
    log.access(Response(), Request(), environ(**changes), TOOK)


class Paths:
    def __init__(self, directory: Path) -> None:
        self.error = directory / "error.log"
        self.access = directory / "access.log"

    def logger(self, kind: type[Logger] = Logger, **settings: Any) -> Logger:
        return kind(config(**{"errorlog": str(self.error), "accesslog": str(self.access)} | settings))

    def lines(self) -> list[str]:
        return self.access.read_text().splitlines()


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(tmp_path)


class TestErrorLog:
    def test_form_of_a_line(self, paths: Paths) -> None:
        paths.logger().info("Listening at: %s", "x")
        assert re.fullmatch(rf"{STAMP} \[{os.getpid()}\] \[INFO\] Listening at: x\n", paths.error.read_text())

    @pytest.mark.parametrize("level", Logger.LOG_LEVELS)
    def test_level(self, paths: Paths, level: str) -> None:
        log = paths.logger(loglevel=level.upper())
        for name in Logger.LOG_LEVELS:
            getattr(log, name)("at %s", name)
        log.log(logging.CRITICAL, "by number")
        log.log(level, "by name")
        written = re.findall(r"at (\w+)", paths.error.read_text())
        names = list(Logger.LOG_LEVELS)
        assert written == names[: names.index(level) + 1]
        assert "by number" in paths.error.read_text()
        assert "by name" in paths.error.read_text()
        assert log.loglevel == Logger.LOG_LEVELS[level]

    def test_exception_has_a_traceback(self, paths: Paths) -> None:
        log = paths.logger()
        try:
            raise ValueError("wrong")
        except ValueError:
            log.exception("Failed")
        text = paths.error.read_text()
        assert "[ERROR] Failed\nTraceback (most recent call last):" in text
        assert text.endswith("ValueError: wrong\n")

    def test_standard_error_is_the_default(self, capsys: pytest.CaptureFixture[str]) -> None:
        Logger(config()).warning("careful")
        captured = capsys.readouterr()
        assert captured.err.endswith("[WARNING] careful\n")
        assert captured.out == ""

    def test_the_caller_is_who_logs(self, paths: Paths) -> None:
        class Located(Logger):
            error_fmt = "%(module)s.%(funcName)s %(message)s"

        log = paths.logger(Located)
        log.info("a")
        log.log("info", "b")
        try:
            raise ValueError
        except ValueError:
            log.exception("c", exc_info=False)  # noqa: LOG007 - the line alone is compared
        here = "test_logger.test_the_caller_is_who_logs"
        assert paths.error.read_text() == f"{here} a\n{here} b\n{here} c\n"

    @pytest.mark.parametrize(
        ("name", "hint"),
        [
            ("waring", "did you mean 'warning'?"),
            ("Inf", "did you mean 'info'?"),
            ("loud", "choose from critical, error, warning, info, debug"),
        ],
    )
    def test_an_unknown_level(self, name: str, hint: str) -> None:
        with pytest.raises(ConfigError) as caught:
            Logger(config(loglevel=name))
        assert str(caught.value) == f"loglevel: {name!r} is unknown; {hint}"


class TestAccessLog:
    def test_off_by_default(self, capsys: pytest.CaptureFixture[str]) -> None:
        log = Logger(config())
        assert not log.access_enabled
        access(log)
        assert capsys.readouterr() == ("", "")

    def test_a_line_in_a_file(self, paths: Paths) -> None:
        log = paths.logger()
        assert log.access_enabled
        access(log)
        access(log)
        assert all(re.fullmatch(LINE, line) for line in paths.lines())
        assert len(paths.lines()) == 2

    def test_standard_output(self, capsys: pytest.CaptureFixture[str]) -> None:
        access(Logger(config(accesslog="-")))
        captured = capsys.readouterr()
        assert re.fullmatch(LINE + "\n", captured.out)
        assert captured.err == ""

    def test_format(self, paths: Paths) -> None:
        access(paths.logger(access_log_format="%(m)s %(U)s %(D)d"))
        assert paths.lines() == ["GET /notes 12034"]

    def test_json(self, paths: Paths) -> None:
        access(paths.logger(access_log_format="json"))
        assert json.loads(paths.lines()[0])["path"] == "/notes"

    def test_a_wrong_format_stops_the_start(self, paths: Paths) -> None:
        with pytest.raises(ConfigError, match="access_log_format"):
            paths.logger(access_log_format="%(h")

    def test_a_wrong_format_does_not_matter_without_an_access_log(self) -> None:
        Logger(config(access_log_format="%(h"))

    def test_an_unknown_atom_prints_a_dash_and_is_told(self, paths: Paths) -> None:
        access(paths.logger(access_log_format="%(m)s %(hh)s %(xyz)s"))
        assert paths.lines() == ["GET - -"]
        warnings = re.findall(r"\[WARNING\] (.*)", paths.error.read_text())
        assert warnings == [
            "access_log_format: there is no atom %(hh)s, it prints as '-'; did you mean %(h)s?",
            "access_log_format: there is no atom %(xyz)s, it prints as '-'",
        ]

    def test_the_short_way_and_the_long_way_write_the_same(self, paths: Paths) -> None:
        text = '%(h)s %(u)s "%(r)s" %(s)s %(b)s %(B)d "%(a)s" "%({host}i)s" "%({x}o)s" %({wsgi.url_scheme}e)s'
        changes = {"HTTP_USER_AGENT": 'x"\n\\\xe9', "HTTP_AUTHORIZATION": "Basic YSBiOmM="}
        log = paths.logger(access_log_format=text)
        access(log, **changes)
        handler = log.access_log.handlers[0]
        handler.addFilter(lambda record: True)
        access(log, **changes)
        short, long = paths.lines()
        assert short == long

    def test_a_line_that_fails_is_told_and_does_not_raise(self, paths: Paths) -> None:
        class Broken(Response):
            @property
            def headers(self) -> Any:
                raise RuntimeError("no headers")

            @headers.setter
            def headers(self, value: Any) -> None: ...

        log = paths.logger(access_log_format="%({x}o)s")
        log.access(Broken(), Request(), environ(), TOOK)
        assert paths.lines() == []
        assert "RuntimeError: no headers" in paths.error.read_text()

    def test_level_of_the_logger_is_honoured(self, paths: Paths) -> None:
        log = paths.logger()
        log.access_log.setLevel(logging.WARNING)
        access(log)
        assert paths.lines() == []

    def test_disabling_logging_is_honoured(self, paths: Paths) -> None:
        log = paths.logger()
        logging.disable(logging.CRITICAL)
        try:
            access(log)
        finally:
            logging.disable(logging.NOTSET)
        assert paths.lines() == []

    def test_time_is_made_once_a_second_and_in_english(
        self, paths: Paths, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        log = paths.logger()
        now = 1_795_428_000.25
        monkeypatch.setattr(time, "time", lambda: now)
        local = time.localtime(now)
        first = log.now()
        months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        assert first == (
            f"[{local.tm_mday:02}/{months[local.tm_mon - 1]}/{local.tm_year}:"
            f"{local.tm_hour:02}:{local.tm_min:02}:{local.tm_sec:02} {time.strftime('%z', local)}]"
        )
        now += 0.5
        assert log.now() is first
        now += 0.5
        assert log.now() != first


class TestRecords:
    """What handlers, filters and formatters of the user see of the access log."""

    @pytest.fixture
    def records(self) -> list[logging.LogRecord]:
        return []

    @pytest.mark.parametrize("where", ["logger", "handler", "other handler", "root"])
    def test_everything_but_plain_outputs_gets_a_record_with_atoms(
        self, paths: Paths, records: list[logging.LogRecord], where: str
    ) -> None:
        log = paths.logger(access_log_format="%(m)s %(U)s")
        own = logging.getLogger("gunicorn.access")

        def keep(record: logging.LogRecord) -> bool:
            records.append(record)
            return True

        class Keeper(logging.Handler):
            def emit(self, record: logging.LogRecord) -> None:
                records.append(record)

        if where == "logger":
            own.addFilter(keep)
        elif where == "handler":
            own.handlers[0].addFilter(keep)
        elif where == "other handler":
            own.addHandler(Keeper())
        else:
            own.propagate = True
            logging.root.addHandler(Keeper())
        access(log)
        (record,) = records
        assert record.name == ACCESS
        assert record.levelno == logging.INFO
        assert record.msg == "%(m)s %(U)s"
        assert record.getMessage() == "GET /notes"
        assert isinstance(record.args, dict)
        assert record.args["U"] == "/notes"
        assert record.args["{host}i"] == "example.org"
        assert paths.lines() == ["GET /notes"]

    def test_a_filter_can_drop_a_line(self, paths: Paths) -> None:
        log = paths.logger()
        logging.getLogger("gunicorn.access").addFilter(lambda record: "/health" not in record.getMessage())
        access(log, RAW_URI="/health")
        access(log)
        assert len(paths.lines()) == 1

    def test_a_plain_handler_more_gets_the_finished_line(self, paths: Paths, tmp_path: Path) -> None:
        log = paths.logger()
        log.access_log.addHandler(more := logging.FileHandler(tmp_path / "more.log"))
        more.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
        access(log)
        assert re.fullmatch(LINE, paths.lines()[0])
        assert (tmp_path / "more.log").read_text() == f"INFO {paths.lines()[0]}\n"

    def test_json_in_a_record(self, paths: Paths, records: list[logging.LogRecord]) -> None:
        log = paths.logger(access_log_format="json")

        def keep(record: logging.LogRecord) -> bool:
            records.append(record)
            return True

        log.access_log.addFilter(keep)
        access(log)
        assert json.loads(records[0].getMessage())["path"] == "/notes"
        assert isinstance(records[0].args, dict)
        assert records[0].args["U"] == "/notes"

    def test_another_formatter_on_our_handler_is_used(self, paths: Paths) -> None:
        log = paths.logger(access_log_format="%(m)s")
        log.access_log.handlers[0].setFormatter(logging.Formatter("<%(message)s>"))
        access(log)
        assert paths.lines() == ["<GET>"]


class TestSubclass:
    def test_class_attributes(self, paths: Paths, tmp_path: Path) -> None:
        class Own(Logger):
            error_fmt = "%(asctime)s|%(message)s"
            datefmt = "then"
            access_fmt = "<%(message)s>"
            syslog_fmt = "sys %(message)s"

        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as syslog:
            syslog.bind(str(tmp_path / "s"))
            log = paths.logger(Own, syslog=True, syslog_addr=f"unix://{tmp_path / 's'}", proc_name="app")
            log.error("x")
            assert syslog.recv(1000) == b"<11>indrik.app.error: sys x"
            access(log)
        assert paths.error.read_text() == "then|x\n"
        assert re.fullmatch(f"<{LINE}>", paths.lines()[0])

    def test_atoms(self, paths: Paths) -> None:
        class WithId(Logger):
            def atoms(self, resp: Any, req: Any, environ: Any, request_time: timedelta) -> dict[str, Any]:
                return super().atoms(resp, req, environ, request_time) | {"id": '4"2', "a": "hidden"}

        log = paths.logger(WithId, access_log_format='%(id)s %(a)s %(m)s "%({host}i)s" %(none)s')
        access(log)
        assert paths.lines() == [r'4\x222 hidden GET "example.org" -']
        assert "no atom" not in paths.error.read_text()

    def test_atoms_wrapper_class(self, paths: Paths) -> None:
        class Loud(SafeAtoms):
            def __getitem__(self, key: str) -> Any:
                return str(super().__getitem__(key)).upper()

        class WithWrapper(Logger):
            atoms_wrapper_class = Loud

        access(paths.logger(WithWrapper, access_log_format="%(a)s %(z)s"))
        assert paths.lines() == ["CURL/8.5.0 -"]

    def test_now(self, paths: Paths) -> None:
        class Elsewhen(Logger):
            def now(self) -> str:
                return "elsewhen"

        access(paths.logger(Elsewhen, access_log_format="%(t)s"))
        assert paths.lines() == ["elsewhen"]

    def test_access_is_called_even_without_an_access_log(self) -> None:
        seen: list[str] = []

        class Own(Logger):
            def access(self, resp: Any, req: Any, environ: Any, request_time: timedelta) -> None:
                seen.append(environ["PATH_INFO"])

        log = Own(config(access_log_format="%(whatever"))
        assert log.access_enabled
        access(log)
        assert seen == ["/notes"]

    def test_access_may_call_ours(self, paths: Paths) -> None:
        class Quiet(Logger):
            def access(self, resp: Any, req: Any, environ: Any, request_time: timedelta) -> None:
                if environ["PATH_INFO"] != "/health":
                    super().access(resp, req, environ, request_time)

        log = paths.logger(Quiet)
        access(log, PATH_INFO="/health")
        access(log)
        assert len(paths.lines()) == 1
        assert re.fullmatch(LINE, paths.lines()[0])

    def test_access_may_call_ours_without_an_access_log(self, capsys: pytest.CaptureFixture[str]) -> None:
        class Own(Logger):
            def access(self, resp: Any, req: Any, environ: Any, request_time: timedelta) -> None:
                super().access(resp, req, environ, request_time)

        access(Own(config()))
        assert capsys.readouterr() == ("", "")

    def test_setup_may_add_a_filter(self, paths: Paths) -> None:
        class Filtered(Logger):
            def setup(self, cfg: Any) -> None:
                super().setup(cfg)
                logging.getLogger("gunicorn.error").addFilter(lambda record: record.getMessage() != "noise")

        log = paths.logger(Filtered)
        log.info("noise")
        log.info("news")
        assert paths.error.read_text().count("[INFO]") == 1


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
