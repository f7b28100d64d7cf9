"""What goes out on one connection: to the kernel at once, and what it does not take to a queue that is sent
as the client reads.
"""

from __future__ import annotations

import errno
import os
import socket

# The plain class below `socket.socket`, which gevent replaces.
from _socket import socket as _Socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import cython
else:
    from indrik import uncompiled as cython

from indrik.engine.context import Context, RefusalRecord
from indrik.engine.exchange import Channel
from indrik.engine.output import FileSegment, OutputQueue
from indrik.engine.timers import TimerQueue, disarm
from indrik.engine.transport import monotonic, reset_when_closed, transmit, transmit_two

if TYPE_CHECKING:
    from indrik.net.listeners import Listener

#: What a broken connection raises; anything else is an error of ours or of the file system.
_DISCONNECTS = frozenset(
    {errno.ECONNRESET, errno.EPIPE, errno.ENOTCONN, errno.ETIMEDOUT, errno.ECONNABORTED, errno.EHOSTUNREACH}
)


class Sender(Channel):
    """The sending half of a connection. Owns the descriptor. For whoever holds the engine's ownership.

    is_watched: whether the poller knows the descriptor; the loop's to change.
    """

    def __init__(
        self, context: Context, fd: int, peer: tuple[str, int] | None, listener: Listener
    ) -> None:
        Channel.__init__(self, peer, listener, context.ownership)
        self.fd = fd
        self.is_watched = False
        self._context = context
        self._output: OutputQueue | None = None
        self._is_spooling = False
        self._is_framed_by_close = False
        # Bytes of the output taken, or of a body received, when the present deadline was set; while
        # lingering, the time after which no other is.
        self._marked = 0.0

    def _output_sent(self) -> None:
        """The kernel has taken everything that was queued."""
        raise NotImplementedError

    def _run_again(self) -> None:
        """There is more to do in the next turn of the loop."""
        raise NotImplementedError

    def may_keep_alive(self) -> cython.bint:
        return self._context.keeps_alive

    def is_congested(self) -> cython.bint:
        return self._output is not None and self._output.spooled > self._context.settings.output_spool

    def response_tail(self) -> str:
        """The end of a response head that is sent now: the Date and Server fields and the empty line."""
        return self._context.response_tail()

    def pending_output(self) -> cython.longlong:
        """Bytes that the kernel has not taken yet."""
        output = self._output
        return 0 if output is None else output.pending

    # --- called by the exchange ---

    def send(self, data: bytes) -> None:
        """Sends or queues `data`; drops it when the connection is gone."""
        count: cython.Py_ssize_t
        if self.is_closed or not data:
            return
        if self._output:
            self._queue(data, 0)
            return
        try:
            count = transmit(self.fd, data, 0)
        except OSError:
            self.close()
            return
        if count != len(data):
            self._queue(data, max(count, 0))

    def send_two(self, head: bytes, data: bytes) -> None:
        """`send` for two pieces in one call to the kernel."""
        count: cython.Py_ssize_t
        if self.is_closed:
            return
        if self._output:
            self._queue(head, 0)
            self._queue(data, 0)
            return
        try:
            count = transmit_two(self.fd, head, data)
        except OSError:
            self.close()
            return
        if count == len(head) + len(data):
            return
        count = max(count, 0)
        if count < len(head):
            self._queue(head, count)
            self._queue(data, 0)
        else:
            self._queue(data, count - len(head))

    def send_file(self, segment: FileSegment) -> None:
        """Sends or queues a piece of a file; owns `segment` from now on."""
        if self.is_closed:
            segment.close()
            return
        output = self._output
        if output is None:
            self._output = output = self._new_output()
        was_empty = not output
        output.push_file(segment)
        if was_empty and output:
            self._watch_writable()
            self._flush()

    def frame_by_close(self) -> None:
        """A response begins whose end is that of the connection."""
        if self.is_closed:
            return
        self._is_framed_by_close = True
        try:
            reset_when_closed(self.fd, True)
        except OSError:
            self.close()

    def _reset(self) -> None:
        """Closes the connection so that nothing is left of it: the kernel would keep what it has taken of a
        response, megabytes, and try for minutes to send it.
        """
        self.frame_by_close()
        self.close()

    def _end_in_order(self) -> bool:
        """Takes `frame_by_close` back, for a response that is whole; False if the connection broke."""
        self._is_framed_by_close = False
        try:
            reset_when_closed(self.fd, False)
        except OSError:
            self.close()
            return False
        return True

    def _shut_sending(self) -> bool:
        """Ends the stream towards the client, who may go on sending; False if the connection broke."""
        try:
            twin = _Socket(fileno=os.dup(self.fd))
            try:
                twin.shutdown(socket.SHUT_WR)
            finally:
                twin.close()
        except OSError:
            self.close()
            return False
        return True

    def wait_drained(self) -> None:
        """Waits as the worker kind does until the queue is empty or the client was dropped."""
        self._context.waiting.wait_drained(self)

    def is_drained(self) -> cython.bint:
        """Whether nothing waits for this client any more, or it is gone."""
        return not self._output or self.is_closed

    def wait_departed(self, timeout: float | None) -> bool:
        """Waits as the worker kind does, `timeout` seconds or for ever, until the client closes; whether it
        did.
        """
        return bool(self._context.waiting.wait_departed(self, timeout))

    def open_socket(self, fd: int) -> socket.socket:
        """A socket object of the kind that the application expects, which owns `fd`."""
        return self._context.waiting.open_socket(fd)

    # --- told by the loop, or by who waits while no loop turns ---

    def on_writable(self) -> None:
        """The kernel takes output again."""
        if self._output and not self.is_closed:
            self._flush()

    def spool(self) -> bool:
        """Writes a step of what waits for the temporary file; whether there is more. Told by the loop."""
        output = self._output
        self._is_spooling = False
        if output is not None:
            try:
                output.write_some()
            except OSError as error:
                self._end_without_spool(error)
                return False
            self._is_spooling = output.is_behind()
        return self._is_spooling

    def serve_output(self) -> None:
        """What the loop would do now for output that waits: for who waits for it while no loop turns."""
        self._context.beat()
        if self._output and not self.is_closed:
            self._flush()
        write = self._context.timers.write
        if self.queue is write and write.delay and self.deadline <= self._context.now:
            disarm(self)
            self.on_timeout(write)

    def _flush(self) -> None:
        output = self._output
        assert output is not None
        try:
            may_take_more: cython.bint = output.flush(self.fd)
        except OSError as error:
            if error.errno not in _DISCONNECTS:
                self._note_refusal("send", f"cannot send a response: {error}")
            self.close()
            return
        if output:
            if self.queue is not self._context.timers.write:
                self._arm(self._context.timers.write)
            elif output.taken - self._marked >= self._context.write_step:
                self._marked = output.taken
                self._arm(self._context.timers.write)
            if may_take_more:
                self._run_again()
            return
        self._output = None
        self._output_sent()

    def _new_output(self) -> OutputQueue:
        settings = self._context.settings
        return OutputQueue(settings.output_buffer, settings.temporary_directory, self._context.backlog)

    def _queue(self, data: bytes, start: cython.Py_ssize_t) -> None:
        """Queues `data[start:]`, which the kernel has not taken."""
        output = self._output
        if output is None:
            self._output = output = self._new_output()
        was_empty = not output
        try:
            output.push(data, start)
        except OSError as error:
            self._end_without_spool(error)
            return
        if output.is_behind() and not self._is_spooling:
            self._is_spooling = True
            self._context.is_spooling = True
            self._context.backlog.waiting.append(self)
            self._context.wake()
        if was_empty:
            self._watch_writable()
            self._marked = 0.0
            self._arm(self._context.timers.write)

    def _end_without_spool(self, error: OSError) -> None:
        self._note_refusal("spool", f"cannot write the temporary file of a response: {error}")
        self.close()

    # --- what it says to the loop ---

    def _arm(self, queue: TimerQueue) -> None:
        context = self._context
        if context.sleeps_until:
            # A thread, or a task of a host loop, does this, long after the last event perhaps.
            context.now = monotonic()
        queue.arm(self, context.now)
        if self.deadline < context.sleeps_until and queue.delay:
            context.wake()

    def _watch_writable(self) -> None:
        """There is output that the kernel does not take yet."""
        if self.is_watched:
            self._context.poller.watch_writable(self.fd)
        else:
            # It is being served while it is accepted; then the loop registers it only if nobody has.
            self.is_watched = True
            self._context.poller.watch_connection(self.fd, True)

    def note_refusal(self, kind: str, detail: str) -> None:
        """Counts and logs that this client is sent away."""
        self._note_refusal(kind, detail)

    def _note_refusal(self, kind: str, detail: str) -> None:
        self._context.note_refusal(RefusalRecord(kind, self.peer, detail))
