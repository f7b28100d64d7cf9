"""Lines to syslog: UDP, TCP, and unix sockets of both kinds.

Messages are `<priority>tag: text` as syslog(3) writes them to the local socket (RFC 3164 4.1: priority; no
time stamp and host, which the receiver adds). On a stream each message ends in a line feed (RFC 6587 3.4.2).
"""

from __future__ import annotations

import logging
import os
import socket
import time
from dataclasses import dataclass
from urllib.parse import urlsplit

from indrik.errors import ConfigError
from indrik.log.handlers import OwnHandler
from indrik.log.losses import LossReport

DEFAULT_PORT = 514
#: Seconds a send or a connection may hold the worker; a syslog that is slower than that loses lines instead.
SEND_TIMEOUT = 1.0
#: Seconds after a failure in which lines are counted as lost without another attempt.
RETRY_AFTER = 1.0


@dataclass(frozen=True)
class SyslogAddress:
    """`kind` is SOCK_DGRAM, SOCK_STREAM, or None for a unix socket of either kind; `path` is set for unix
    sockets."""

    kind: socket.SocketKind | None
    path: str = ""
    host: str = ""
    port: int = 0

    def __str__(self) -> str:
        if self.path:
            return f"unix://{self.path}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'udp' if self.kind is socket.SOCK_DGRAM else 'tcp'}://{host}:{self.port}"

    def connect(self) -> tuple[socket.socket, bool]:
        """A connected socket and whether it is a stream. Raises OSError."""
        if not self.path:
            return self._connect_inet()
        kinds = (socket.SOCK_DGRAM, socket.SOCK_STREAM) if self.kind is None else (self.kind,)
        failure: OSError | None = None
        for kind in kinds:
            connection = socket.socket(socket.AF_UNIX, kind)
            connection.settimeout(SEND_TIMEOUT)
            try:
                connection.connect(self.path)
            except OSError as error:
                connection.close()
                failure = error
            else:
                return connection, kind is socket.SOCK_STREAM
        assert failure is not None
        raise failure

    def _connect_inet(self) -> tuple[socket.socket, bool]:
        assert self.kind is not None
        failure: OSError | None = None
        for family, kind, protocol, _, where in socket.getaddrinfo(self.host, self.port, type=self.kind):
            connection = socket.socket(family, kind, protocol)
            connection.settimeout(SEND_TIMEOUT)
            try:
                connection.connect(where)
            except OSError as error:
                connection.close()
                failure = error
            else:
                return connection, self.kind is socket.SOCK_STREAM
        raise failure or OSError(f"{self.host} has no address")


def parse_syslog_address(text: str) -> SyslogAddress:
    """`unix://PATH`, `unix://PATH#dgram`, `unix://PATH#stream`, `udp://HOST[:PORT]`, `tcp://HOST[:PORT]`.

    Raises ConfigError.
    """
    scheme, separator, rest = text.partition("://")
    if scheme == "unix" and separator:
        path, _, kind = rest.partition("#")
        kinds = {"": None, "dgram": socket.SOCK_DGRAM, "stream": socket.SOCK_STREAM}
        if path and kind in kinds:
            return SyslogAddress(kinds[kind], path=path)
    elif scheme in ("udp", "tcp") and separator:
        kind_ = socket.SOCK_DGRAM if scheme == "udp" else socket.SOCK_STREAM
        try:
            parts = urlsplit(text)
            port = parts.port
            extra = parts.path or parts.query or parts.fragment or parts.username
            if parts.hostname and port != 0 and not extra:
                return SyslogAddress(kind_, host=parts.hostname, port=port or DEFAULT_PORT)
        except ValueError:
            pass
    raise ConfigError(
        f"syslog_addr: {text!r} is no syslog address; "
        "write unix:///dev/log, unix://PATH#dgram, unix://PATH#stream, udp://HOST:PORT or tcp://HOST:PORT"
    )


def parse_facility(name: str) -> int:
    """The number of a facility (syslog(3) names, any case). Raises ConfigError that lists them."""
    from logging.handlers import SysLogHandler  # late: most servers write to no syslog

    try:
        return SysLogHandler.facility_names[name.lower()]
    except KeyError:
        names = ", ".join(sorted(SysLogHandler.facility_names))
        raise ConfigError(f"syslog_facility: {name!r} is unknown; choose from {names}") from None


class Syslog(OwnHandler):
    """One connection of one process to syslog. Raises OSError at once when nothing listens there (not for
    UDP)."""

    def __init__(self, address: SyslogAddress, facility: int) -> None:
        super().__init__()
        self.address = address
        self.facility = facility
        self.losses = LossReport(f"syslog {address}")
        self._retry_at = 0.0
        self._socket: socket.socket | None = None
        self._connect()

    def _connect(self) -> None:
        self._socket, self._is_stream = self.address.connect()
        self._pid = os.getpid()

    def _disconnect(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def emit(self, record: logging.LogRecord) -> None:
        try:
            priority = self.facility << 3 | _severity(record.levelno)
            # One record is one message; a line feed inside (a traceback) would end it on a stream.
            text = self.format(record).replace("\n", "\\n") if self._is_stream else self.format(record)
            data = f"<{priority}>{text}".encode("utf-8", "backslashreplace")
        except Exception:
            self.handleError(record)
        else:
            self._send(data)

    def _send(self, data: bytes) -> None:
        if time.monotonic() < self._retry_at:
            self.losses.lost(OSError("waiting to connect again"))
            return
        if self._is_stream and self._pid != os.getpid():
            # The parent's connection: two processes that write to one stream can mix their messages.
            self._disconnect()
        fresh = self._socket is None
        try:
            self._send_once(data)
        except OSError as error:
            self._disconnect()
            if not fresh and not isinstance(error, TimeoutError):
                # syslogd was restarted since the last line; the line itself is still good.
                try:
                    self._send_once(data)
                except OSError as second_error:
                    error = second_error
                else:
                    return
            self._disconnect()
            self._retry_at = time.monotonic() + RETRY_AFTER
            self.losses.lost(error)

    def _send_once(self, data: bytes) -> None:
        if self._socket is None:
            self._connect()
        assert self._socket is not None
        if self._is_stream:
            self._socket.sendall(data + b"\n")
        else:
            self._socket.send(data)
        if self.losses.count:
            self.losses.recovered()

    def close(self) -> None:
        self._disconnect()
        super().close()

    def fileno(self) -> int:
        """The descriptor of the connection, -1 without one."""
        return -1 if self._socket is None else self._socket.fileno()


def _severity(level: int) -> int:
    """The number of a severity (RFC 5424 section 6.2.1)."""
    for bound, severity in (
        (logging.CRITICAL, 2),
        (logging.ERROR, 3),
        (logging.WARNING, 4),
        (logging.INFO, 6),
    ):
        if level >= bound:
            return severity
    return 7
