"""Mailboxes: how one worker passes a client's connection on to another.

One for each slot of the scoreboard, made before any fork, so every process of the server holds both ends of
all. The worker that has the slot reads its own. Whoever has posted may read as well, to take back what is not
read: a worker that is stuck or has died loses no connection that was passed on to it, for what it has not
taken stays in the kernel, and its successor finds it.

A message is one descriptor and some bytes, over unix(7) with SCM_RIGHTS; SOCK_SEQPACKET keeps messages apart.
The pair has no name, so nobody outside of the server can post.
"""

from __future__ import annotations

import array
import errno
import fcntl
import os
import socket
import termios

#: Bytes of the longest message: a request head at its limit and one read behind it are well below. Linux
#: refuses what is longer than a send buffer, 208 KiB unless the administrator has changed it.
LONGEST = 180 * 1024

#: What sendmsg(2) may fail with because there is no room: in the mailbox, for so long a message, or for one
#: more descriptor under way (unix(7), ETOOMANYREFS).
_FULL = frozenset({errno.EAGAIN, errno.ENOBUFS, errno.EMSGSIZE, errno.ETOOMANYREFS, errno.ENOMEM})

# One buffer serves every message of a process: a worker has one engine, and whoever takes a message holds its
# ownership. Made when the first one comes.
_buffer = bytearray()


class Mailbox:
    """One slot's. Any process; `take` by one thread at a time. Nothing here waits."""

    __slots__ = ("_inbox", "_outbox")

    def __init__(self) -> None:
        """Raises OSError when the process has no descriptors left."""
        self._inbox, self._outbox = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._inbox.setblocking(False)
        self._outbox.setblocking(False)

    def fileno(self) -> int:
        """Readable when there is a message."""
        return self._inbox.fileno()

    def waiting_bytes(self) -> int:
        """Bytes of all messages that nobody has taken."""
        count = array.array("i", [0])
        fcntl.ioctl(self._inbox.fileno(), termios.FIONREAD, count)
        return count[0]

    def post(self, message: bytes, fd: int) -> bool:
        """Put `message` in with a duplicate of `fd`; False if there is no room."""
        if len(message) > LONGEST:
            return False
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))]
        try:
            self._outbox.sendmsg([message], rights)
        except OSError as error:
            if error.errno not in _FULL:
                raise
            return False
        return True

    def take(self) -> tuple[bytes, int] | None:
        """The oldest message with its descriptor, which is the caller's to close; None if there is none.

        Raises OSError (EMFILE) when the process has no descriptors left; the message stays.
        """
        if not _buffer:
            _buffer.extend(bytes(LONGEST))
        # The kernel drops a descriptor for which there is no number, and the client with it.
        os.close(os.dup(self._inbox.fileno()))
        try:
            count, ancillary, _, _ = self._inbox.recvmsg_into(
                [_buffer], socket.CMSG_SPACE(4), socket.MSG_CMSG_CLOEXEC
            )
        except BlockingIOError:
            return None
        for level, kind, data in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS and len(data) >= 4:
                return bytes(memoryview(_buffer)[:count]), array.array("i", data[:4])[0]
        # Another thread of the application has taken the last number in between.
        raise OSError(errno.EMFILE, "a connection that was passed on is lost: no descriptor is left for it")

    def close(self) -> None:
        """Close this process's ends."""
        self._inbox.close()
        self._outbox.close()
