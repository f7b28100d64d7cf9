"""Listening sockets: opened once by the arbiter, inherited by everybody else.

A `Listener` owns one descriptor and, for a unix socket, the file it made. Processes share the open file
description behind the descriptor, so a socket listens until the last of them has closed it: closing one here
never refuses a connection that another process still serves.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

from indrik.errors import ConfigError
from indrik.net.addresses import Address, format_address, is_abstract

#: Somebody else (a server that is just stopping) may still hold the address: how often and how long to try.
BIND_TRIES = 5
BIND_DELAY = 1.0

_PASSING = (errno.EADDRINUSE, errno.EADDRNOTAVAIL)


class BindError(ConfigError):
    """An address cannot be listened on. The message names the address and the reason."""


class _Log(Protocol):
    def error(self, msg: str, *args: Any) -> None: ...
    def debug(self, msg: str, *args: Any) -> None: ...


class _BindSettings(Protocol):
    @property
    def address(self) -> list[Address]: ...

    backlog: int
    reuse_port: bool
    umask: int
    is_ssl: bool
    uid: int
    gid: int


class Listener:
    """One listening socket. `owns_file` says whether this process's server made the unix socket's file and
    may remove it.
    """

    __slots__ = ("_file", "address", "asked", "scheme", "seat", "sock")

    def __init__(
        self, sock: socket.socket, scheme: str = "http", owns_file: bool = False, asked: Address | None = None
    ) -> None:
        self.sock = sock
        self.scheme = scheme
        self.address: tuple[str, int] | str = _bound_name(sock)
        #: The address as configured: a host name, port 0 or fd://N where `address` has what came of it.
        self.asked: Address = self.address if asked is None else asked
        #: With reuse_port: the worker's seat that this one belongs to.
        self.seat = 0
        self._file: tuple[int, int] | None = None
        if owns_file and isinstance(self.address, str) and not is_abstract(self.address):
            self._file = _file_identity(self.address)

    def __str__(self) -> str:
        if isinstance(self.address, str):
            return format_address(self.address)
        return f"{self.scheme}://{format_address(self.address)}"

    def __repr__(self) -> str:
        return f"<Listener {self} fd={self.sock.fileno()}>"

    def fileno(self) -> int:
        """The descriptor, -1 once closed."""
        return self.sock.fileno()

    def getsockname(self) -> Any:
        """What the kernel says the socket is bound to. Hooks written for Gunicorn call it."""
        return self.sock.getsockname()

    @property
    def owns_file(self) -> bool:
        """Whether `close(unlink=True)` would remove a file."""
        return self._file is not None

    @property
    def is_unix(self) -> bool:
        """Whether it listens on a unix socket."""
        return self.sock.family == socket.AF_UNIX

    def is_for(self, address: Address) -> bool:
        """Whether this listener is what `address` asks for. A name is compared as text, never resolved."""
        return address in (self.asked, self.address)

    def relisten(self, backlog: int) -> None:
        """Apply a changed backlog; listen(2) may be called again on a listening socket."""
        self.sock.listen(backlog)

    def close(self, unlink: bool) -> None:
        """Close the descriptor. With `unlink`, remove the unix socket's file too, unless a sibling has put
        its own there.
        """
        if unlink and self._file is not None and isinstance(self.address, str):
            if _file_identity(self.address) == self._file:
                # One that cannot be removed is no reason to leave a stop or a reload half done: nobody
                # listens there, which the next start sees (`_remove_stale`).
                with contextlib.suppress(OSError):
                    os.unlink(self.address)
            self._file = None
        self.sock.close()


def create_sockets(
    cfg: _BindSettings,
    log: _Log,
    *,
    addresses: Sequence[Address] | None = None,
    tries: int = BIND_TRIES,
    sleep: Callable[[float], None] = time.sleep,
) -> list[Listener]:
    """The listeners that `cfg` asks for, of them only `addresses` if these are given.

    An address that is taken is tried `tries` times, a second apart. Raises BindError; nothing stays open
    then.
    """
    scheme = "https" if cfg.is_ssl else "http"
    with contextlib.ExitStack() as undo:
        made: list[Listener] = []
        for address in cfg.address if addresses is None else addresses:
            listener = _open_patiently(address, cfg, log, scheme, tries, sleep)
            undo.callback(listener.close, True)
            made.append(listener)
        undo.pop_all()
    return made


def adopt(fd: int, scheme: str = "http", owns_file: bool = False) -> Listener:
    """Take over a listening descriptor that was made elsewhere. Raises BindError if `fd` is not one."""
    try:
        # socket() finds out family and type by itself, and owns the descriptor from here.
        sock = socket.socket(fileno=fd)
    except OSError as error:
        raise BindError(f"cannot listen on fd://{fd}: {error.strerror or error}") from error
    try:
        accepting = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    except (OSError, AttributeError):
        accepting = 1
    if sock.type != socket.SOCK_STREAM or not accepting:
        sock.detach()
        raise BindError(f"cannot listen on fd://{fd}: it is not a listening stream socket")
    sock.setblocking(False)
    sock.set_inheritable(False)
    _set_nodelay(sock)
    return Listener(sock, scheme, owns_file)


def open_listener(address: Address, cfg: _BindSettings, scheme: str) -> Listener:
    """Bind and listen, one try. Raises OSError as bind(2) does, BindError for a path that is no socket."""
    if isinstance(address, int):
        listener = adopt(address, scheme)
        listener.asked = address
        return listener
    if isinstance(address, str):
        return _open_unix(address, cfg, scheme)
    host, port = address
    try:
        # Text would load the tables of internationalized names, for which an ASCII name has no use.
        name = host.encode("ascii") if host.isascii() else host
        found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (socket.gaierror, UnicodeError) as error:
        reason = error.strerror if isinstance(error, socket.gaierror) else str(error)
        raise BindError(f"cannot listen on {format_address(address)}: {reason}") from error
    # A name may have several addresses; as in Gunicorn an IPv4 one is preferred and only one is bound.
    family, kind, proto, _, where = min(found, key=lambda entry: entry[0] != socket.AF_INET)
    sock = socket.socket(family, kind, proto)
    with _closing_on_error(sock):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if cfg.reuse_port:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            # [::] takes IPv4 too (ipv6(7)), unless 0.0.0.0 with the same port is asked for beside it.
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(("0.0.0.0", port) in cfg.address))
        _set_nodelay(sock)
        sock.setblocking(False)
        sock.bind(where)
        sock.listen(cfg.backlog)
    return Listener(sock, scheme, asked=address)


def open_sibling(listener: Listener, backlog: int, seat: int) -> Listener:
    """Another socket that listens on the same TCP address, for `seat` (SO_REUSEPORT must be set on both).
    Raises OSError.
    """
    sock = socket.socket(listener.sock.family, socket.SOCK_STREAM)
    with _closing_on_error(sock):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if sock.family == socket.AF_INET6:
            only = listener.sock.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, only)
        _set_nodelay(sock)
        sock.setblocking(False)
        sock.bind(listener.sock.getsockname())
        sock.listen(backlog)
    sibling = Listener(sock, listener.scheme, asked=listener.asked)
    sibling.seat = seat
    return sibling


def _open_patiently(
    address: Address, cfg: _BindSettings, log: _Log, scheme: str, tries: int, sleep: Callable[[float], None]
) -> Listener:
    shown = format_address(address)
    for attempt in range(1, tries + 1):
        try:
            return open_listener(address, cfg, scheme)
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno else str(error)
            if error.errno not in _PASSING or attempt == tries:
                hint = _hint(error.errno, address)
                raise BindError(f"cannot listen on {shown}: {reason}{hint}") from error
            log.error(
                "Cannot listen on %s: %s; trying again in %g s (%d of %d)",
                shown,
                reason,
                BIND_DELAY,
                attempt,
                tries,
            )
            sleep(BIND_DELAY)
    raise AssertionError("unreachable: the last attempt returns or raises")


def _hint(number: int | None, address: Address) -> str:
    if number == errno.EADDRINUSE:
        return "; another process listens there"
    if number in (errno.EACCES, errno.EPERM) and not isinstance(address, (str, int)) and address[1] < 1024:
        return f"; port {address[1]} needs root or CAP_NET_BIND_SERVICE"
    return ""


def _open_unix(path: str, cfg: _BindSettings, scheme: str) -> Listener:
    if not is_abstract(path):
        _remove_stale(path)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with _closing_on_error(sock):
        sock.setblocking(False)
        # The file's mode is 0777 less the umask: bind(2) is what creates it.
        before = os.umask(cfg.umask)
        try:
            sock.bind(path)
        finally:
            os.umask(before)
        if not is_abstract(path) and os.geteuid() == 0 and (cfg.uid, cfg.gid) != (0, 0):
            # Workers that gave up root must still be able to replace the file's owner after them.
            os.chown(path, cfg.uid, cfg.gid)
        sock.listen(cfg.backlog)
    return Listener(sock, scheme, owns_file=True)


def _remove_stale(path: str) -> None:
    """Remove a socket file that nobody listens on. A living one is EADDRINUSE, anything but a socket is
    refused.
    """
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise BindError(
            f"cannot listen on unix:{path}: a file is there that is not a socket; remove it first"
        )
    probe = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        probe.setblocking(False)
        probe.connect(path)
    except (ConnectionRefusedError, FileNotFoundError):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        return
    except BlockingIOError:
        pass  # its backlog is full: somebody listens
    finally:
        probe.close()
    raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))


def _set_nodelay(sock: socket.socket) -> None:
    if sock.family in (socket.AF_INET, socket.AF_INET6):
        # Set once here: on Linux and the BSDs accept(2) hands it down to every connection, which saves a call
        # for each.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _bound_name(sock: socket.socket) -> tuple[str, int] | str:
    name = sock.getsockname()
    if sock.family == socket.AF_UNIX:
        return name.decode("utf-8", "surrogateescape") if isinstance(name, bytes) else str(name)
    return str(name[0]), int(name[1])


def _file_identity(path: str) -> tuple[int, int] | None:
    try:
        found = os.lstat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


@contextlib.contextmanager
def _closing_on_error(sock: socket.socket) -> Iterator[None]:
    try:
        yield
    except BaseException:
        sock.close()
        raise
