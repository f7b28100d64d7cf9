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
from indrik.log import Logger, SafeAtoms
from indrik.log.names import ACCESS
from tests.unit.log.support import LINE, STAMP, TOOK, Paths, Request, Response, access, config, environ


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

    def test_a_disabled_logger_is_honoured(self, paths: Paths) -> None:
        log = paths.logger()
        log.access_log.disabled = True
        access(log)
        assert paths.lines() == []

    def test_access_enabled_may_be_taken_back(self, paths: Paths) -> None:
        log = paths.logger()
        log.access_enabled = False
        access(log)
        assert paths.lines() == []

    @pytest.mark.parametrize("level", [logging.NOTSET, logging.DEBUG])
    def test_a_lower_level_changes_nothing(self, paths: Paths, level: int) -> None:
        log = paths.logger()
        log.access_log.setLevel(level)
        logging.root.setLevel(logging.DEBUG)
        try:
            access(log)
        finally:
            logging.root.setLevel(logging.WARNING)
        assert len(paths.lines()) == 1
        assert re.fullmatch(LINE, paths.lines()[0])

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
