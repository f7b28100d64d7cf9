"""Listening sockets: options, files, failures."""

from __future__ import annotations

import errno
import os
import socket
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from indrik.net.addresses import Address
from indrik.net.listeners import BindError, Listener, adopt, create_sockets, open_sibling
from indrik.net.steering import steer


class Log:
    def __init__(self) -> None:
        self.errors: list[str] = []

    def error(self, msg: str, *args: Any) -> None:
        self.errors.append(msg % args)

    def debug(self, msg: str, *args: Any) -> None:
        """Not looked at."""


def config(*address: Address, **values: Any) -> Any:
    who = {"uid": os.geteuid(), "gid": os.getegid()}
    settings = {"backlog": 5, "reuse_port": False, "umask": 0, "is_ssl": False, **who}
    return SimpleNamespace(address=list(address), **{**settings, **values})


@pytest.fixture
def opened() -> Iterator[list[Listener]]:
    made: list[Listener] = []
    yield made
    for listener in made:
        listener.close(unlink=True)


def create(opened: list[Listener], cfg: Any, **options: Any) -> list[Listener]:
    made = create_sockets(cfg, Log(), sleep=lambda seconds: None, **options)
    opened += made
    return made


def never_sleep(seconds: float) -> None:
    raise AssertionError("nothing to wait for")


def test_tcp_options(opened: list[Listener]) -> None:
    (listener,) = create(opened, config(("127.0.0.1", 0)))
    sock = listener.sock
    assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR)
    assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    assert not sock.getblocking()
    assert not sock.get_inheritable()
    assert str(listener) == f"http://127.0.0.1:{sock.getsockname()[1]}"
    assert listener.is_for(("127.0.0.1", 0))
    assert listener.is_for(listener.address)
    with socket.create_connection(sock.getsockname()):
        accepted, _ = sock.accept()
        with accepted:
            # Handed down by the kernel, so nobody has to set it for each connection.
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_ipv6(opened: list[Listener]) -> None:
    (listener,) = create(opened, config(("::1", 0), is_ssl=True))
    assert str(listener) == f"https://[::1]:{listener.sock.getsockname()[1]}"


def test_both_wildcards_on_one_port(opened: list[Listener]) -> None:
    (first,) = create(opened, config(("0.0.0.0", 0)))
    port = first.sock.getsockname()[1]
    first.close(unlink=True)
    assert len(create(opened, config(("0.0.0.0", port), ("::", port)))) == 2


def test_ipv6_wildcard_takes_ipv4_too(opened: list[Listener]) -> None:
    (listener,) = create(opened, config(("::", 0)))
    with socket.create_connection(("127.0.0.1", listener.sock.getsockname()[1])):
        pass


def test_name(opened: list[Listener]) -> None:
    (listener,) = create(opened, config(("localhost", 0)))
    assert listener.asked == ("localhost", 0)
    assert listener.is_for(("localhost", 0))


def test_name_that_does_not_exist(opened: list[Listener]) -> None:
    with pytest.raises(BindError, match=r"cannot listen on nowhere\.invalid:80"):
        create(opened, config(("nowhere.invalid", 80)))


def test_taken_address_is_tried_five_times(opened: list[Listener]) -> None:
    (taken,) = create(opened, config(("127.0.0.1", 0)))
    address = taken.sock.getsockname()
    log, slept = Log(), list[float]()
    with pytest.raises(
        BindError, match=f"127.0.0.1:{address[1]}: Address already in use; another process listens"
    ):
        create_sockets(config(address), log, sleep=slept.append)
    assert slept == [1.0] * 4
    assert len(log.errors) == 4


def test_nothing_stays_open_after_a_failure(opened: list[Listener], tmp_path: Path) -> None:
    path = tmp_path / "sock"
    with pytest.raises(BindError):
        create(opened, config(str(path), ("nowhere.invalid", 80)))
    assert not path.exists()


class TestUnix:
    @pytest.mark.parametrize(("umask", "mode"), [(0, 0o777), (0o022, 0o755), (0o177, 0o600)])
    def test_mode(self, opened: list[Listener], tmp_path: Path, umask: int, mode: int) -> None:
        before = os.umask(0o077)
        try:
            (listener,) = create(opened, config(str(tmp_path / "sock"), umask=umask))
            assert os.umask(0o077) == 0o077
        finally:
            os.umask(before)
        assert stat.S_IMODE((tmp_path / "sock").stat().st_mode) == mode
        assert str(listener) == f"unix:{tmp_path}/sock"
        assert listener.owns_file

    def test_closing_removes_the_file_only_if_told_to(self, opened: list[Listener], tmp_path: Path) -> None:
        path = tmp_path / "sock"
        (listener,) = create(opened, config(str(path)))
        listener.close(unlink=False)
        assert path.exists()
        (listener,) = create(opened, config(str(path)))
        listener.close(unlink=True)
        assert not path.exists()

    def test_file_of_a_sibling_is_left_alone(self, opened: list[Listener], tmp_path: Path) -> None:
        path = tmp_path / "sock"
        (first,) = create(opened, config(str(path)))
        path.unlink()
        create(opened, config(str(path)))
        first.close(unlink=True)
        assert path.exists()

    def test_living_socket_is_not_taken_away(self, opened: list[Listener], tmp_path: Path) -> None:
        create(opened, config(str(tmp_path / "sock")))
        with pytest.raises(BindError, match="Address already in use"):
            create(opened, config(str(tmp_path / "sock")))

    def test_file_that_is_no_socket_is_not_removed(self, opened: list[Listener], tmp_path: Path) -> None:
        (tmp_path / "sock").write_text("precious")
        with pytest.raises(BindError, match="a file is there that is not a socket"):
            create(opened, config(str(tmp_path / "sock")))
        assert (tmp_path / "sock").read_text() == "precious"

    @pytest.mark.skipif(sys.platform != "linux", reason="abstract names are Linux's")
    def test_abstract(self, opened: list[Listener], tmp_path: Path) -> None:
        (listener,) = create(opened, config(f"\0{tmp_path}"))
        assert str(listener) == f"unix:\\0{tmp_path}"
        assert not listener.owns_file
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(f"\0{tmp_path}")


class TestAdopt:
    def test_listening_socket(self, opened: list[Listener]) -> None:
        made = socket.create_server(("127.0.0.1", 0))
        made.set_inheritable(True)
        (listener,) = create(opened, config(made.detach()))
        assert not listener.sock.get_inheritable()
        assert listener.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert not listener.sock.getblocking()

    def test_no_descriptor(self) -> None:
        with pytest.raises(BindError, match="cannot listen on fd://999: Bad file descriptor"):
            adopt(999)

    def test_no_listener(self) -> None:
        with socket.socket() as sock:
            with pytest.raises(BindError, match="it is not a listening stream socket"):
                adopt(sock.fileno())
            # It stays its owner's.
            assert sock.getsockname() == ("0.0.0.0", 0)

    def test_no_socket(self) -> None:
        reader, writer = os.pipe()
        with pytest.raises(BindError, match=r"not a socket|non-socket"):
            adopt(reader)
        os.close(reader)
        os.close(writer)


class TestReusePort:
    def group(self, opened: list[Listener], count: int) -> list[Listener]:
        (first,) = create(opened, config(("127.0.0.1", 0), reuse_port=True))
        siblings = [open_sibling(first, 5, seat) for seat in range(1, count)]
        opened += siblings
        return [first, *siblings]

    def test_siblings_share_the_address(self, opened: list[Listener]) -> None:
        group = self.group(opened, 3)
        assert len({one.address for one in group}) == 1
        assert [one.seat for one in group] == [0, 1, 2]

    def test_without_the_option_there_are_none(self, opened: list[Listener]) -> None:
        (first,) = create(opened, config(("127.0.0.1", 0)))
        with pytest.raises(OSError, match=os.strerror(errno.EADDRINUSE)):
            open_sibling(first, 5, 1)

    @pytest.mark.skipif(sys.platform != "linux", reason="only Linux can steer")
    @pytest.mark.parametrize("count", [1, 2, 3])
    def test_steering(self, opened: list[Listener], count: int) -> None:
        group = self.group(opened, 3)
        assert steer(group[0].sock, count)
        clients = []
        for _ in range(60):
            clients.append(socket.create_connection(group[0].sock.getsockname()))
            got = [one for one in group if _accepts(one)]
            assert len(got) == 1
            assert group.index(got[0]) < count
        for client in clients:
            client.close()


def _accepts(listener: Listener) -> bool:
    try:
        listener.sock.accept()[0].close()
    except BlockingIOError:
        return False
    return True
