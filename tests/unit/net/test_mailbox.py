"""Mailboxes carry descriptors and bytes between processes, and lose neither."""

from __future__ import annotations

import errno
import os
import resource
import socket
from collections.abc import Iterator

import pytest

from indrik.net.mailbox import LONGEST, Mailbox


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    one = Mailbox()
    yield one
    while (mail := one.take()) is not None:
        os.close(mail[1])
    one.close()


@pytest.fixture
def client() -> Iterator[tuple[socket.socket, socket.socket]]:
    """A client's end and the server's."""
    one, other = socket.socketpair()
    with one, other:
        yield one, other


def test_a_connection_arrives_with_its_bytes(
    mailbox: Mailbox, client: tuple[socket.socket, socket.socket]
) -> None:
    ours, theirs = client
    assert mailbox.post(b"a message", theirs.fileno())
    theirs.close()
    ours.sendall(b"ping")
    mail = mailbox.take()
    assert mail is not None
    message, fd = mail
    assert message == b"a message"
    assert not os.get_inheritable(fd)
    with socket.socket(fileno=fd) as taken:
        assert taken.recv(10) == b"ping"


def test_messages_stay_apart_and_in_order(
    mailbox: Mailbox, client: tuple[socket.socket, socket.socket]
) -> None:
    for text in (b"one", b"", b"three" * 1000):
        assert mailbox.post(text + b".", client[0].fileno())
    assert mailbox.waiting_bytes() == 4 + 1 + 5001
    for text in (b"one", b"", b"three" * 1000):
        mail = mailbox.take()
        assert mail is not None
        assert mail[0] == text + b"."
        os.close(mail[1])
    assert mailbox.take() is None
    assert mailbox.waiting_bytes() == 0


def test_a_full_mailbox_says_so_and_goes_on(
    mailbox: Mailbox, client: tuple[socket.socket, socket.socket]
) -> None:
    count = 0
    while mailbox.post(b"x" * 1000, client[0].fileno()):
        count += 1
        assert count < 10_000
    assert count >= 16
    mail = mailbox.take()
    assert mail is not None
    os.close(mail[1])
    assert mailbox.post(b"x" * 1000, client[0].fileno())


def test_the_longest_message_passes_and_a_longer_one_does_not(
    mailbox: Mailbox, client: tuple[socket.socket, socket.socket]
) -> None:
    assert not mailbox.post(bytes(LONGEST + 1), client[0].fileno())
    assert mailbox.post(bytes(LONGEST), client[0].fileno())
    mail = mailbox.take()
    assert mail is not None
    assert mail[0] == bytes(LONGEST)
    os.close(mail[1])


def test_whoever_posts_can_take_back(mailbox: Mailbox, client: tuple[socket.socket, socket.socket]) -> None:
    """Of two processes that read, each message goes to one."""
    for number in range(20):
        assert mailbox.post(b"%d" % number, client[0].fileno())
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        found: list[bytes] = []
        while len(found) < 10 and (mail := mailbox.take()) is not None:
            found.append(mail[0])
        os.write(writer, b" ".join(found))
        os._exit(0)
    os.waitpid(pid, 0)
    theirs = os.read(reader, 1000).split()
    os.close(reader)
    os.close(writer)
    ours = []
    while (mail := mailbox.take()) is not None:
        ours.append(mail[0])
        os.close(mail[1])
    assert theirs + ours == [b"%d" % number for number in range(20)]


def test_a_message_stays_when_no_descriptor_is_left(
    mailbox: Mailbox, client: tuple[socket.socket, socket.socket]
) -> None:
    assert mailbox.post(b"patience", client[0].fileno())
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.dup(0)
    os.close(lowest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, hard))
    try:
        with pytest.raises(OSError, match=os.strerror(errno.EMFILE)):
            mailbox.take()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    mail = mailbox.take()
    assert mail is not None
    assert mail[0] == b"patience"
    os.close(mail[1])
