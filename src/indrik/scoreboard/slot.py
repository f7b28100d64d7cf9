"""A worker's place in the scoreboard: what it tells of itself, and what the arbiter asks of it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import cython
else:
    from indrik import uncompiled as cython

from indrik.refusals import KINDS
from indrik.scoreboard.layout import (
    ACCEPTED,
    AGE,
    ERRORS,
    GENERATION,
    HEARTBEAT,
    IN_PROGRESS,
    LATENCY,
    LATENCY_BUCKETS,
    OPEN,
    ORDER,
    PID,
    QUEUE_WAIT,
    QUEUED,
    READY_AT,
    REFUSED,
    REFUSED_BY_KIND,
    REQUEST_AT,
    REQUESTS,
    ROUTE_AT,
    ROUTE_LENGTH,
    STARTED_AT,
    STATE,
    TAKEN,
    TEXT_AT,
    TEXT_BYTES,
    TEXT_LENGTH,
    TURNING,
    WANTS_REPLACEMENT,
    Order,
    Recycle,
    State,
    octets_of,
)
from indrik.scoreboard.totals import Totals

if cython.compiled:
    from cython.cimports.cpython.unicode import PyUnicode_AsUTF8AndSize
    from cython.cimports.libc.string import memcpy


class Slot:
    """One worker's place in the scoreboard. Both sides; call from the thread that holds the GIL.

    `number` never changes; the mapping lives as long as any of its slots.
    """

    number: int
    # Compiled, pointers into the mapping (slot.pxd); uncompiled, views of it as "d", "Q" and "B".
    _f: Any
    _q: Any
    _b: Any
    _owner: Any

    def __init__(self, buffer: Any, number: int) -> None:
        """`buffer` is the whole mapping, writable. Raises IndexError if slot `number` is not inside it."""
        part = octets_of(buffer, number)
        self.number = number
        self._owner = part
        if cython.compiled:
            # `part` has SLOT_BYTES, which is the proof for every index below: all are constants (plus a
            # bucket < LATENCY_BUCKETS or a kind that is checked against MOST_KINDS) below 256, its words, and
            # text is cut to TEXT_BYTES.
            octets: cython.uchar[::1] = part  # type: ignore[type-arg, valid-type]
            self._b = cython.cast(cython.p_uchar, cython.address(octets[0]))
            self._f = cython.cast(cython.p_double, self._b)
            self._q = cython.cast(cython.p_ulonglong, self._b)
        else:
            self._b = part
            self._f = part.cast("d")
            self._q = part.cast("Q")

    def beat(self, now: cython.double) -> None:
        """Worker only. Say that the worker is alive."""
        self._f[HEARTBEAT] = now

    def begin(self, method: str, uri: str, now: cython.double) -> None:
        """Worker only. A request goes into the application; the first TEXT_BYTES of method and target are
        kept.

        Both are ASCII, as RFC 9112 section 3 has them.
        """
        size: cython.Py_ssize_t
        length: cython.Py_ssize_t
        if cython.compiled:
            source: cython.p_const_char = PyUnicode_AsUTF8AndSize(method, cython.address(size))
            length = size if size < 100 else 100
            memcpy(self._b + 256, source, length)
            self._b[256 + length] = 32
            length += 1
            source = PyUnicode_AsUTF8AndSize(uri, cython.address(size))
            if size > 160 - length:
                size = 160 - length
            memcpy(self._b + 256 + length, source, size)
            length += size
        else:
            text = f"{method[:100]} {uri}"[:TEXT_BYTES].encode("ascii", "replace")
            length = len(text)
            self._b[256 : 256 + length] = text
        self._q[TEXT_LENGTH] = length
        self._q[ROUTE_LENGTH] = 0
        self._f[REQUEST_AT] = now
        self._f[HEARTBEAT] = now
        self._q[IN_PROGRESS] += 1
        if self._q[STATE] == 2:
            self._q[STATE] = 3

    def end(self, now: cython.double, since: cython.double) -> None:
        """Worker only. The request that began at `since` is answered, or has failed."""
        self._f[HEARTBEAT] = now
        self._q[REQUESTS] += 1
        if self._q[IN_PROGRESS] > 0:
            self._q[IN_PROGRESS] -= 1
        if self._q[IN_PROGRESS] == 0 and self._q[STATE] == 3:
            self._q[STATE] = 2
        self._q[LATENCY + bucket(now - since)] += 1

    def defer(self, seconds: cython.double) -> None:
        """Worker only. The request that began last time after a wait of `seconds` has to wait again, as if it
        had not begun.
        """
        if self._q[IN_PROGRESS] > 0:
            self._q[IN_PROGRESS] -= 1
        if self._q[IN_PROGRESS] == 0 and self._q[STATE] == 3:
            self._q[STATE] = 2
        if self._q[QUEUE_WAIT + bucket(seconds)] > 0:
            self._q[QUEUE_WAIT + bucket(seconds)] -= 1

    def note_route(self, route: str) -> None:
        """Worker only. The request that began last matches this rule, of which the first TEXT_BYTES are
        kept.
        """
        octets: bytes = route.encode("utf-8", "replace")[:TEXT_BYTES]
        index: cython.Py_ssize_t
        for index in range(len(octets)):
            self._b[1544 + index] = octets[index]
        self._q[ROUTE_LENGTH] = len(octets)

    def waited(self, seconds: cython.double) -> None:
        """Worker only. Count how long a complete request waited for the application."""
        self._q[QUEUE_WAIT + bucket(seconds)] += 1

    def count_accepted(self) -> None:
        """Worker only. One more connection."""
        self._q[ACCEPTED] += 1

    def count_refused(self, kind: cython.Py_ssize_t) -> None:
        """Worker only. One more client that the server itself sent away; `kind` is its row in
        `refusals.KINDS`. Raises IndexError beyond MOST_KINDS.
        """
        if kind < 0 or kind >= 64:
            raise IndexError(f"there is no kind {kind} of refusals")
        self._q[REFUSED] += 1
        self._q[REFUSED_BY_KIND + kind] += 1

    def count_error(self) -> None:
        """Worker only. One more request in which the application raised."""
        self._q[ERRORS] += 1

    def note_turning(self, is_turning: cython.bint) -> None:
        """Worker only. The loop has found something to do (true), or is about to wait (false)."""
        self._q[TURNING] = is_turning

    def count_taken(self) -> None:
        """Worker only. One more connection that a sibling has passed on was taken."""
        self._q[TAKEN] += 1

    def note_queued(self, count: cython.Py_ssize_t) -> None:
        """Worker only. So many whole requests wait for a thread."""
        self._q[QUEUED] = count

    def note_open(self, count: cython.Py_ssize_t) -> None:
        """Worker only. So many connections are open."""
        self._q[OPEN] = count

    def clear(self, pid: int, generation: int, age: int, now: float) -> None:
        """Master only. Make the slot ready for a worker (or, with pid 0, free)."""
        word: cython.int
        for word in range(256):
            self._q[word] = 0
        self._q[PID] = pid
        self._q[GENERATION] = generation
        self._q[AGE] = age
        self._f[STARTED_AT] = now
        self._f[HEARTBEAT] = now
        self._q[STATE] = 1 if age else 0

    @property
    def state(self) -> State:
        """What the worker is doing."""
        return State(self._q[STATE])

    @state.setter
    def state(self, value: cython.ulonglong) -> None:
        self._q[STATE] = value

    @property
    def heartbeat(self) -> float:
        """When the worker was last known to be alive."""
        return float(self._f[HEARTBEAT])

    @property
    def started_at(self) -> float:
        """When the slot was given to its worker."""
        return float(self._f[STARTED_AT])

    @property
    def ready_at(self) -> float:
        """When the worker became ready to serve; 0 before."""
        return float(self._f[READY_AT])

    @ready_at.setter
    def ready_at(self, value: cython.double) -> None:
        self._f[READY_AT] = value

    @property
    def request_at(self) -> float:
        """When the request that began last did so."""
        return float(self._f[REQUEST_AT])

    @property
    def request_text(self) -> str:
        """The first bytes of the request line that began last, safe to print."""
        length: cython.Py_ssize_t = min(self._q[TEXT_LENGTH], TEXT_BYTES)
        raw = bytes([self._b[TEXT_AT + index] for index in range(length)])
        return raw.decode("latin-1").encode("unicode_escape").decode("ascii")

    @property
    def route(self) -> str:
        """The rule that the request which began last matches, safe to print; empty if none is known."""
        length: cython.Py_ssize_t = min(self._q[ROUTE_LENGTH], TEXT_BYTES)
        raw = bytes([self._b[ROUTE_AT + index] for index in range(length)])
        return raw.decode("utf-8", "replace").encode("unicode_escape").decode("ascii")

    @property
    def in_progress(self) -> int:
        """Requests inside the application."""
        return int(self._q[IN_PROGRESS])

    @property
    def open_connections(self) -> int:
        """Connections open now."""
        return int(self._q[OPEN])

    def is_queueing(self) -> cython.bint:
        """Whether whole requests wait for a thread."""
        return bool(self._q[QUEUED])

    @property
    def pid(self) -> int:
        """The worker's process, 0 while the slot is free or the fork has just happened."""
        return int(self._q[PID])

    @pid.setter
    def pid(self, value: cython.ulonglong) -> None:
        self._q[PID] = value

    @property
    def generation(self) -> int:
        """Generation of configuration and code that the worker runs."""
        return int(self._q[GENERATION])

    @property
    def age(self) -> int:
        """The worker's serial number."""
        return int(self._q[AGE])

    @property
    def wants_replacement(self) -> Recycle:
        """Why the worker asks for a successor; Recycle.NO (false) if it does not."""
        return Recycle(self._q[WANTS_REPLACEMENT])

    @wants_replacement.setter
    def wants_replacement(self, value: cython.ulonglong) -> None:
        self._q[WANTS_REPLACEMENT] = value

    @property
    def order(self) -> Order:
        """How the arbiter wants the worker to leave."""
        return Order(self._q[ORDER])

    @order.setter
    def order(self, value: cython.ulonglong) -> None:
        self._q[ORDER] = value

    def totals(self) -> Totals:
        """The counters as they are now."""
        return Totals(
            self._q[REQUESTS],
            self._q[ACCEPTED],
            self._q[REFUSED],
            self._q[ERRORS],
            tuple([self._q[LATENCY + index] for index in range(LATENCY_BUCKETS)]),
            tuple([self._q[QUEUE_WAIT + index] for index in range(LATENCY_BUCKETS)]),
            tuple([self._q[REFUSED_BY_KIND + index] for index in range(len(KINDS))]),
        )


def bucket(seconds: cython.double) -> cython.int:
    """The histogram bucket of a duration: 0 below 1 µs, else one more for each doubling, at most
    LATENCY_BUCKETS - 1.

    Bucket n > 0 holds [2**(n-1), 2**n) microseconds; the last one all that is longer (some 18 minutes).
    """
    micros: cython.double = seconds * 1e6
    if micros < 1.0:
        return 0
    if micros >= 1073741824.0:  # 2**30
        return 31
    if cython.compiled:
        whole: cython.ulonglong = cython.cast(cython.ulonglong, micros)
        found: cython.int = 0
        while whole:
            whole >>= 1
            found += 1
        return found
    return math.frexp(micros)[1]
