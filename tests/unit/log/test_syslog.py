from __future__ import annotations

import logging
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from indrik.errors import ConfigError
from indrik.log import syslog
from indrik.log.syslog import Syslog, SyslogAddress, parse_facility, parse_syslog_address

DEADLINE = 10.0
DGRAM, STREAM = socket.SOCK_DGRAM, socket.SOCK_STREAM
LOCAL0 = 16


@pytest.mark.parametrize(
    ("text", "expected", "shown"),
    [
        ("udp://localhost:514", SyslogAddress(DGRAM, host="localhost", port=514), "udp://localhost:514"),
        ("udp://localhost", SyslogAddress(DGRAM, host="localhost", port=514), "udp://localhost:514"),
        ("tcp://10.0.0.1:601", SyslogAddress(STREAM, host="10.0.0.1", port=601), "tcp://10.0.0.1:601"),
        ("tcp://[::1]:601", SyslogAddress(STREAM, host="::1", port=601), "tcp://[::1]:601"),
        ("unix:///dev/log", SyslogAddress(None, path="/dev/log"), "unix:///dev/log"),
        ("unix:///dev/log#dgram", SyslogAddress(DGRAM, path="/dev/log"), "unix:///dev/log"),
        ("unix://log#stream", SyslogAddress(STREAM, path="log"), "unix://log"),
    ],
)
def test_address(text: str, expected: SyslogAddress, shown: str) -> None:
    address = parse_syslog_address(text)
    assert address == expected
    assert str(address) == shown


@pytest.mark.parametrize(
    "text",
    [
        *("", "localhost:514", "/dev/log", "unix://", "unix:///dev/log#seqpacket", "http://localhost:1"),
        *(
            "udp://",
            "udp://:514",
            "udp://h:x",
            "udp://h:70000",
            "udp://h:0",
            "udp://h:1/path",
            "udp://h:1#dgram",
        ),
    ],
)
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_syslog_address(text)
    assert f"{text!r} is no syslog address; write unix:///dev/log" in str(caught.value)


def test_facility() -> None:
    assert parse_facility("LOCAL0") == LOCAL0
    with pytest.raises(ConfigError, match=r"'usr' is unknown; choose from auth, authpriv, .*, user, uucp"):
        parse_facility("usr")


class Receiver:
    """A syslog of the test's own on one socket; `address` is what `syslog_addr` would say."""

    def __init__(self, kind: str, directory: Path) -> None:
        self._stack = ExitStack()
        self.is_stream = kind.endswith("stream") or kind == "tcp"
        self.path = directory / "log"
        self._kind = kind
        self.port = 0
        self.open()

    def open(self) -> None:
        type_ = STREAM if self.is_stream else DGRAM
        if self._kind.startswith("unix"):
            self.socket = socket.socket(socket.AF_UNIX, type_)
            self.path.unlink(missing_ok=True)
            self.socket.bind(str(self.path))
            self.address = f"unix://{self.path}"
        else:
            self.socket = socket.socket(socket.AF_INET, type_)
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.socket.bind(("127.0.0.1", self.port))
            self.port = self.socket.getsockname()[1]
            self.address = f"{self._kind}://127.0.0.1:{self.port}"
        self._stack.enter_context(self.socket)
        self.socket.settimeout(DEADLINE)
        if self.is_stream:
            self.socket.listen()

    def accept(self) -> socket.socket:
        connection = self._stack.enter_context(self.socket.accept()[0])
        connection.settimeout(DEADLINE)
        return connection

    def close(self) -> None:
        self._stack.close()


def receive(where: socket.socket, until: bytes = b"") -> bytes:
    data = where.recv(65536)
    while until and not data.endswith(until):
        data += where.recv(65536)
    return data


@pytest.fixture(params=["udp", "tcp", "unix-dgram", "unix-stream"])
def receiver(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Receiver]:
    made = Receiver(request.param, tmp_path)
    yield made
    made.close()


@pytest.fixture
def handler(receiver: Receiver) -> Iterator[Syslog]:
    made = Syslog(parse_syslog_address(receiver.address), LOCAL0)
    made.setFormatter(logging.Formatter("indrik.app.error: [%(process)d] %(message)s"))
    yield made
    made.close()


def record(text: str, level: int = logging.INFO) -> logging.LogRecord:
    return logging.LogRecord("x", level, "f", 1, text, (), None)


def test_a_message_arrives(receiver: Receiver, handler: Syslog) -> None:
    handler.handle(record("hello \u20ac"))
    where = receiver.accept() if receiver.is_stream else receiver.socket
    end = b"\n" if receiver.is_stream else b""
    expected = f"<{LOCAL0 * 8 + 6}>indrik.app.error: [{os.getpid()}] hello \u20ac".encode() + end
    assert receive(where, end) == expected


@pytest.mark.parametrize(
    ("level", "severity"),
    [
        (logging.CRITICAL, 2),
        (logging.ERROR, 3),
        (logging.WARNING, 4),
        (logging.INFO, 6),
        (logging.DEBUG, 7),
        (logging.INFO + 1, 6),
    ],
)
def test_severity(tmp_path: Path, level: int, severity: int) -> None:
    receiver = Receiver("unix-dgram", tmp_path)
    handler = Syslog(parse_syslog_address(receiver.address), 1)
    handler.handle(record("x", level))
    assert receive(receiver.socket) == f"<{8 + severity}>x".encode()
    handler.close()
    receiver.close()


def test_a_traceback_is_one_message_on_a_stream(receiver: Receiver, handler: Syslog) -> None:
    handler.setFormatter(None)
    handler.handle(record("one\ntwo"))
    if receiver.is_stream:
        assert receive(receiver.accept(), b"\n") == f"<{LOCAL0 * 8 + 6}>one\\ntwo\n".encode()
    else:
        assert receive(receiver.socket) == f"<{LOCAL0 * 8 + 6}>one\ntwo".encode()


def test_a_syslog_that_was_restarted_gets_the_next_message(tmp_path: Path) -> None:
    receiver = Receiver("unix-dgram", tmp_path)
    handler = Syslog(parse_syslog_address(receiver.address), 1)
    receiver.close()
    receiver.open()
    handler.handle(record("again"))
    assert receive(receiver.socket) == b"<14>again"
    assert handler.losses.count == 0
    handler.close()
    receiver.close()


def test_a_syslog_that_is_away_loses_messages_and_says_how_many(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(syslog, "RETRY_AFTER", 0.0)
    receiver = Receiver("unix-dgram", tmp_path)
    handler = Syslog(parse_syslog_address(receiver.address), 1)
    receiver.close()
    for _ in range(3):
        handler.handle(record("lost"))
    assert handler.losses.count == 3
    assert f"syslog unix://{receiver.path}: [Errno 111] Connection refused" in capsys.readouterr().err
    receiver.open()
    handler.handle(record("back"))
    assert receive(receiver.socket) == b"<14>back"
    assert "written again; lines lost: 3" in capsys.readouterr().err
    handler.close()
    receiver.close()


def test_a_stream_that_nobody_reads_does_not_hold_the_worker(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(syslog, "SEND_TIMEOUT", 0.05)
    receiver = Receiver("unix-stream", tmp_path)
    handler = Syslog(parse_syslog_address(receiver.address), 1)
    for _ in range(100):
        handler.handle(record("x" * 60000))
        if handler.losses.count:
            break
    assert handler.losses.count == 1
    assert "timed out" in capsys.readouterr().err
    handler.handle(record("not tried before the wait is over"))
    assert handler.losses.count == 2
    handler.close()
    receiver.close()


FORKED = """
import logging, os, sys
from indrik.log.syslog import Syslog, parse_syslog_address
handler = Syslog(parse_syslog_address(sys.argv[1]), 1)
def say(text):
    handler.handle(logging.LogRecord("x", logging.INFO, "f", 1, text, (), None))
say("before")
if os.fork() == 0:
    say("child")
    os._exit(handler.losses.count)
assert os.wait()[1] == 0
say("parent")
"""


@pytest.mark.parametrize("kind", ["tcp", "unix-stream"])
def test_a_forked_child_has_a_stream_of_its_own(tmp_path: Path, kind: str) -> None:
    receiver = Receiver(kind, tmp_path)
    subprocess.run(
        [sys.executable, "-c", FORKED, receiver.address],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        timeout=DEADLINE,
        check=True,
    )
    streams = [b"".join(iter(partial(receiver.accept().recv, 100), b"")) for _ in range(2)]
    assert streams == [b"<14>before\n<14>parent\n", b"<14>child\n"]
    receiver.close()


@pytest.mark.parametrize("suffix", ["", "#dgram", "#stream"])
def test_nobody_listening_is_an_error_at_once(tmp_path: Path, suffix: str) -> None:
    with pytest.raises(FileNotFoundError):
        Syslog(parse_syslog_address(f"unix://{tmp_path / 'none'}{suffix}"), 1)


def test_a_closed_tcp_port_is_an_error_at_once() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        with pytest.raises(ConnectionRefusedError):
            Syslog(parse_syslog_address(f"tcp://127.0.0.1:{bound.getsockname()[1]}"), 1)


def test_wrong_arguments_of_a_call_keep_their_traceback(
    receiver: Receiver, handler: Syslog, capsys: pytest.CaptureFixture[str]
) -> None:
    handler.handle(logging.LogRecord("x", logging.INFO, "f", 1, "%d", ("text",), None))
    assert "TypeError" in capsys.readouterr().err


def test_close_gives_the_socket_back(receiver: Receiver, handler: Syslog) -> None:
    assert handler.fileno() > 2
    handler.close()
    assert handler.fileno() == -1
