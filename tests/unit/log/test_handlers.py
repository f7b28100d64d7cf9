from __future__ import annotations

import errno
import io
import logging
import logging.handlers
import os
import socket
import stat
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from indrik.errors import ConfigError
from indrik.log.handlers import (
    Console,
    LogFile,
    OwnHandler,
    all_file_handlers,
    all_loggers,
    open_log_file,
    reads_only_messages,
    reopen,
)

FULL = "/dev/full"


@pytest.fixture
def log_file(tmp_path: Path) -> Iterator[LogFile]:
    handler = LogFile(str(tmp_path / "x.log"))
    yield handler
    handler.close()


def record(text: str = "hello") -> logging.LogRecord:
    return logging.LogRecord("x", logging.INFO, "f", 1, text, (), None)


def descriptor(handler: logging.FileHandler) -> int:
    assert handler.stream is not None
    return handler.stream.fileno()


def contents(handler: logging.FileHandler) -> str:
    return Path(handler.baseFilename).read_text(encoding="utf-8")


def test_lines_and_records_are_in_order(log_file: LogFile) -> None:
    log_file.write_line("one")
    log_file.emit(record("two"))
    log_file.write_line("three \u20ac")
    assert contents(log_file) == "one\ntwo\nthree \u20ac\n"


def test_a_lone_surrogate_does_not_lose_the_line(log_file: LogFile) -> None:
    log_file.emit(record("x\udcffy"))
    log_file.write_line("z\udcff")
    assert contents(log_file) == "x\\udcffy\nz\\udcff\n"


def test_a_closed_file_is_opened_again_by_the_next_line(log_file: LogFile) -> None:
    log_file.write_line("one")
    log_file.close()
    log_file.write_line("two")
    assert contents(log_file) == "one\ntwo\n"


def test_lines_of_several_writers_do_not_mix(tmp_path: Path) -> None:
    path = str(tmp_path / "shared.log")
    handlers = [LogFile(path) for _ in range(4)]
    lines = [letter * 9000 for letter in "abcd"]

    def write(handler: LogFile, line: str) -> None:
        for _ in range(50):
            handler.write_line(line)

    threads = [threading.Thread(target=write, args=pair) for pair in zip(handlers, lines, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    for handler in handlers:
        handler.close()
    written = Path(path).read_text().splitlines()
    assert sorted(written) == sorted(lines * 50)


def test_a_full_disk_loses_lines_and_raises_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    handler = LogFile(FULL)
    handler.setFormatter(logging.Formatter("%(message)s"))
    handler.write_line("one")
    handler.handle(record("two"))
    assert handler.losses.count == 2
    assert capsys.readouterr().err == (
        f"indrik: log: {FULL}: [Errno 28] No space left on device; lines lost so far: 1\n"
    )
    handler.close()


def test_lines_that_are_written_again_end_the_loss(
    log_file: LogFile, capsys: pytest.CaptureFixture[str]
) -> None:
    log_file.losses.lost(OSError("gone"))
    log_file.write_line("back")
    assert log_file.losses.count == 0
    assert "written again; lines lost: 1" in capsys.readouterr().err


def test_a_call_with_wrong_arguments_keeps_its_traceback(
    log_file: LogFile, capsys: pytest.CaptureFixture[str]
) -> None:
    log_file.handle(logging.LogRecord("x", logging.INFO, "f", 1, "%d", ("text",), None))
    assert "TypeError" in capsys.readouterr().err
    assert log_file.losses.count == 0


def test_console(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console(sys.stdout)
    console.write_line("one")
    console.emit(record("two"))
    assert capsys.readouterr().out == "one\ntwo\n"


def test_a_console_that_is_gone_loses_lines(capsys: pytest.CaptureFixture[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    stream = os.fdopen(writer, "w", encoding="utf-8")
    console = Console(stream)
    console.write_line("one")
    assert console.losses.count == 1
    assert "Broken pipe" in capsys.readouterr().err
    os.dup2(os.open(os.devnull, os.O_WRONLY), writer)  # closing flushes
    stream.close()


@pytest.mark.parametrize("missing", ["no/such/x.log", "no/x.log"])
def test_a_missing_directory_is_named(tmp_path: Path, missing: str) -> None:
    path = tmp_path / missing
    with pytest.raises(ConfigError) as caught:
        open_log_file("errorlog", str(path))
    assert str(caught.value) == (
        f"errorlog: cannot open {str(path)!r} for writing: No such file or directory; "
        f"create the directory {path.parent} first"
    )


def test_a_directory_is_no_log_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"accesslog: cannot open .*: Is a directory"):
        open_log_file("accesslog", str(tmp_path))


def test_a_fifo_without_reader_is_refused_instead_of_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    with pytest.raises(ConfigError, match="No such device or address"):
        open_log_file("accesslog", str(path))


def test_a_fifo_with_a_reader_takes_lines(tmp_path: Path) -> None:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    handler = LogFile(str(path))
    try:
        assert os.get_blocking(descriptor(handler))
        handler.write_line("one")
        assert os.read(reader, 100) == b"one\n"
    finally:
        handler.close()
        os.close(reader)


@pytest.mark.parametrize(
    ("euid", "owner", "expected"),
    [(0, (33, 34), (33, 34)), (0, (0, 34), (0, 34)), (0, (0, 0), None), (1000, (1000, 1000), None)],
)
def test_root_gives_files_to_the_workers_user(
    log_file: LogFile,
    monkeypatch: pytest.MonkeyPatch,
    euid: int,
    owner: tuple[int, int],
    expected: tuple[int, int] | None,
) -> None:
    given: list[tuple[int, int, int]] = []
    monkeypatch.setattr(os, "fchown", lambda *arguments: given.append(arguments))
    monkeypatch.setattr(os, "geteuid", lambda: euid)
    cfg = SimpleNamespace(uid=owner[0], gid=owner[1])
    log_file.give_to_workers(cfg)
    device = LogFile(os.devnull)
    device.give_to_workers(cfg)
    assert given == ([] if expected is None else [(descriptor(log_file), *expected)])
    device.close()
    device.give_to_workers(cfg)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_the_new_owner_owns_it(log_file: LogFile) -> None:
    log_file.give_to_workers(SimpleNamespace(uid=12345, gid=12346))
    found = os.stat(log_file.baseFilename)
    assert (found.st_uid, found.st_gid) == (12345, 12346)


def test_reopening_after_a_rename(log_file: LogFile) -> None:
    log_file.write_line("before")
    old = log_file.baseFilename + ".1"
    os.rename(log_file.baseFilename, old)
    log_file.write_line("still the old file")
    number = descriptor(log_file)
    reopen(log_file)
    log_file.write_line("new")
    log_file.emit(record("newer"))
    assert descriptor(log_file) == number
    assert Path(old).read_text() == "before\nstill the old file\n"
    assert contents(log_file) == "new\nnewer\n"
    assert not os.get_inheritable(number)


def test_reopening_that_fails_keeps_the_old_file(log_file: LogFile) -> None:
    old = log_file.baseFilename + ".1"
    os.rename(log_file.baseFilename, old)
    os.mkdir(log_file.baseFilename)
    with pytest.raises(IsADirectoryError):
        reopen(log_file)
    log_file.write_line("goes on")
    assert Path(old).read_text() == "goes on\n"


def test_reopening_a_file_that_is_not_open_does_nothing(tmp_path: Path) -> None:
    handler = logging.FileHandler(tmp_path / "x", delay=True)
    reopen(handler)
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    "kind", [logging.FileHandler, logging.handlers.WatchedFileHandler, logging.handlers.RotatingFileHandler]
)
def test_handlers_of_a_logging_configuration_are_reopened(
    tmp_path: Path, kind: type[logging.FileHandler]
) -> None:
    path = tmp_path / "x.log"
    handler = kind(path)
    handler.emit(record("old"))
    path.rename(tmp_path / "x.log.old")
    reopen(handler)
    handler.emit(record("new"))
    handler.close()
    assert (tmp_path / "x.log.old").read_text() == "old\n"
    assert path.read_text() == "new\n"


def test_a_handler_that_opens_in_its_own_way_gets_a_new_stream(tmp_path: Path) -> None:
    class Own(logging.FileHandler):
        def _open(self) -> io.TextIOWrapper:
            return open(self.baseFilename, "a", encoding="utf-16")

    path = tmp_path / "x.log"
    handler = Own(path)
    before = handler.stream
    assert before is not None
    path.rename(tmp_path / "x.log.old")
    reopen(handler)
    assert before.closed
    handler.emit(record("new"))
    handler.close()
    assert path.read_text(encoding="utf-16") == "new\n"


def test_all_file_handlers_are_found_once(log_file: LogFile) -> None:
    names = ("tests.one", "tests.two")
    for name in names:
        logging.getLogger(name).addHandler(log_file)
    logging.getLogger(names[0]).addHandler(other := logging.NullHandler())
    try:
        found = all_file_handlers()
        assert found.count(log_file) == 1
        assert id(other) not in map(id, found)
        loggers = list(all_loggers())
        assert loggers[0] is logging.root
        assert len(loggers) == len(set(loggers))
    finally:
        for name in names:
            del logging.Logger.manager.loggerDict[name]


class TestReadsOnlyMessages:
    @pytest.fixture
    def log(self) -> Iterator[logging.Logger]:
        log = logging.Logger("x")  # noqa: LOG001 - not registered: nothing to clean up
        log.propagate = False
        yield log
        for handler in log.handlers:
            handler.close()

    def test_plain_handlers_do(self, log: logging.Logger, log_file: LogFile) -> None:
        log.addHandler(log_file)
        log.addHandler(logging.StreamHandler())
        log.addHandler(handler := logging.NullHandler())
        handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
        assert reads_only_messages(log)

    def test_a_filter_of_the_logger_sees_more(self, log: logging.Logger) -> None:
        log.addFilter(logging.Filter())
        assert not reads_only_messages(log)

    def test_a_filter_of_a_handler_sees_more(self, log: logging.Logger, log_file: LogFile) -> None:
        log_file.addFilter(logging.Filter())
        log.addHandler(log_file)
        assert not reads_only_messages(log)

    def test_a_formatter_of_another_class_sees_more(self, log: logging.Logger, log_file: LogFile) -> None:
        class Json(logging.Formatter):
            pass

        log_file.setFormatter(Json())
        log.addHandler(log_file)
        assert not reads_only_messages(log)

    @pytest.mark.parametrize("kind", [logging.handlers.MemoryHandler, logging.handlers.BufferingHandler])
    def test_a_handler_of_another_class_sees_more(
        self, log: logging.Logger, kind: type[logging.handlers.BufferingHandler]
    ) -> None:
        log.addHandler(kind(10))
        assert not reads_only_messages(log)

    def test_a_subclass_of_the_user_sees_more(self, log: logging.Logger) -> None:
        class StreamHandler(logging.StreamHandler):  # type: ignore[type-arg]
            pass

        log.addHandler(StreamHandler())
        assert not reads_only_messages(log)

    def test_parents_count_when_the_logger_propagates(self, log: logging.Logger) -> None:
        log.parent = parent = logging.Logger("p")  # noqa: LOG001 - as above
        parent.addHandler(logging.handlers.BufferingHandler(1))
        assert reads_only_messages(log)
        log.propagate = True
        assert not reads_only_messages(log)
        # logging asks the filters of the logger that was called, not those of its parents.
        parent.handlers.clear()
        parent.addFilter(logging.Filter())
        assert reads_only_messages(log)


def test_own_handler_asks_for_a_way_to_write() -> None:
    with pytest.raises(NotImplementedError):
        OwnHandler().write_line("x")


def test_a_socket_is_no_log_file(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        assert stat.S_ISSOCK(os.stat(path).st_mode)
        with pytest.raises(ConfigError, match=os.strerror(errno.ENXIO)):
            open_log_file("errorlog", str(path))
