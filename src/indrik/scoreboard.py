"""The scoreboard: one shared mapping, one fixed slot a worker, so that liveness and diagnosis need no file,
socket or reply.

The arbiter makes it before any fork; every process maps the same pages. A slot has one writer, the worker
that holds it; the arbiter clears it before a worker gets it and writes `order` alone while the worker lives.
Readers are anywhere and take no lock: each value is one aligned 8-byte word, which x86-64 and AArch64 store
and load whole. The request's text can be torn by a reader that races with `begin`; it is only ever shown to
people.

Layout of a slot, SLOT_BYTES long, in the machine's byte order, times from time.monotonic():

    word   0     heartbeat        f64  last sign of life
           1     request_at       f64  begin of the request that began last
           2     started_at       f64  the worker's process began
           3     ready_at         f64  the worker became ready, 0 before
           4..7                        free
           8     state            u64  State
           9     in_progress      u64  requests inside the application now
          10     requests         u64  requests ended
          11     accepted         u64  connections accepted
          12     refused          u64  clients sent away by the server itself, of all kinds
          13     errors           u64  requests in which the application raised
          14     wants_replacement u64 not 0: the worker serves, but asks for a successor (Recycle)
          15     pid              u64  process id, 0 while the slot is free
          16     generation       u64  of the configuration and code
          17     age              u64  serial number of the worker
          18     order            u64  Order; written by the arbiter
          19     text_bytes       u64  length of the request's text
          20..27                       free
          28    turning          u64  not 0: the loop deals with events, or is inside the application
          29    taken            u64  connections that siblings have passed on to it and it has taken
          30    queued           u64  whole requests that wait for a thread
          31    open             u64  connections open now
    byte 256..415  text                first bytes of the request line
    word  64..95   latency             u64 each, LATENCY_BUCKETS powers of two of a microsecond: request
                                       inside the application
          96..127  queue_wait          the same for the wait between the request's arrival and its begin
         128..191  refused_by_kind     u64 each, in the order of refusals.KINDS
             192     route_bytes      u64  length of the request's route
    byte 1544..1703 route              first bytes of the rule that the request matches
    word 213..255                      free
"""

from __future__ import annotations

import enum
import math
import mmap
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import cython
else:
    from indrik import uncompiled as cython

from indrik.refusals import KINDS, number_of

if cython.compiled:
    from cython.cimports.cpython.unicode import PyUnicode_AsUTF8AndSize
    from cython.cimports.libc.string import memcpy

SLOT_BYTES = 2048
TEXT_AT = 256
TEXT_BYTES = 160
ROUTE_AT = 1544
LATENCY_BUCKETS = 32
#: Words for the kinds of refusals; there may be fewer kinds.
MOST_KINDS = 64

#: Seconds after its last sign of life from which on a loop that is not waiting counts as stuck: inside the
#: application, because nobody knows for how long; elsewhere it only waits for a processor.
_STALL = 0.01
_LONG_STALL = 0.1

_HEARTBEAT = 0
_REQUEST_AT = 1
_STARTED_AT = 2
_READY_AT = 3
_STATE = 8
_IN_PROGRESS = 9
_REQUESTS = 10
_ACCEPTED = 11
_REFUSED = 12
_ERRORS = 13
_WANTS_REPLACEMENT = 14
_PID = 15
_GENERATION = 16
_AGE = 17
_ORDER = 18
_TEXT_LENGTH = 19
_TURNING = 28
_TAKEN = 29
_QUEUED = 30
_OPEN = 31
_LATENCY = 64
_QUEUE_WAIT = 96
_REFUSED_BY_KIND = 128
_ROUTE_LENGTH = 192


class State(enum.IntEnum):
    """What a worker is doing. FREE: no worker has the slot."""

    FREE = 0
    STARTING = 1
    IDLE = 2
    BUSY = 3
    DRAINING = 4
    EXITING = 5


class Order(enum.IntEnum):
    """What the arbiter wants of a worker that it sends TERM to.

    LEAVE: siblings serve the same listeners, so the worker stops accepting at once and nothing is lost.
    DRAIN: nobody comes after it, so what the kernel has queued must be served before the listeners are
    closed. MAKE_WAY: as LEAVE, and requests that begin from now on, on connections that are open, are for its
    successors.
    """

    NONE = 0
    LEAVE = 1
    DRAIN = 2
    MAKE_WAY = 3


class Recycle(enum.IntEnum):
    """Why a worker asks for a successor."""

    NO = 0
    MAX_REQUESTS = 1
    OWN_WISH = 2
    STUCK_REQUEST = 3
    #: A file of the application has changed, maybe while this worker was loading it.
    CHANGED_FILE = 4
    CHANGED_WHILE_LOADING = 5


class Event(enum.IntEnum):
    """What the master counts; the number is the word in its record."""

    SPAWNED = 0
    READY = 1
    DIED = 2
    FAILED_TO_BOOT = 3
    TIMED_OUT = 4
    RELOADED = 5
    RELOAD_ABANDONED = 6


class Totals(NamedTuple):
    """Counters of one worker, or summed over many."""

    requests: int
    accepted: int
    refused: int
    errors: int
    latency: tuple[int, ...]
    queue_wait: tuple[int, ...]
    refused_by_kind: tuple[int, ...]

    def refused_as(self, kind: str) -> int:
        """How many were refused for this reason, a name of `refusals.KINDS`."""
        return self.refused_by_kind[number_of(kind)]

    def plus(self, other: Totals) -> Totals:
        """The sum, counter by counter and bucket by bucket."""
        return Totals(
            self.requests + other.requests,
            self.accepted + other.accepted,
            self.refused + other.refused,
            self.errors + other.errors,
            tuple(a + b for a, b in zip(self.latency, other.latency, strict=True)),
            tuple(a + b for a, b in zip(self.queue_wait, other.queue_wait, strict=True)),
            tuple(a + b for a, b in zip(self.refused_by_kind, other.refused_by_kind, strict=True)),
        )


NO_TOTALS = Totals(0, 0, 0, 0, (0,) * LATENCY_BUCKETS, (0,) * LATENCY_BUCKETS, (0,) * len(KINDS))


class Slot:
    """One worker's place in the scoreboard. Both sides; call from the thread that holds the GIL.

    `number` never changes; the mapping lives as long as any of its slots.
    """

    number: int
    # Compiled, pointers into the mapping (scoreboard.pxd); uncompiled, views of it as "d", "Q" and "B".
    _f: Any
    _q: Any
    _b: Any
    _owner: Any

    def __init__(self, buffer: Any, number: int) -> None:
        """`buffer` is the whole mapping, writable. Raises IndexError if slot `number` is not inside it."""
        view = memoryview(buffer).cast("B")
        at = number * SLOT_BYTES
        if number < 0 or at + SLOT_BYTES > len(view):
            raise IndexError(f"slot {number} is outside of the scoreboard")
        self.number = number
        part = view[at : at + SLOT_BYTES]
        self._owner = part
        if cython.compiled:
            # The check above is the proof for every index below: all are constants (plus a bucket <
            # LATENCY_BUCKETS or a kind that is checked against MOST_KINDS) below 256, the words of
            # SLOT_BYTES, and text is cut to TEXT_BYTES.
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
        self._f[_HEARTBEAT] = now

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
        self._q[_TEXT_LENGTH] = length
        self._q[_ROUTE_LENGTH] = 0
        self._f[_REQUEST_AT] = now
        self._f[_HEARTBEAT] = now
        self._q[_IN_PROGRESS] += 1
        if self._q[_STATE] == 2:
            self._q[_STATE] = 3

    def end(self, now: cython.double, since: cython.double) -> None:
        """Worker only. The request that began at `since` is answered, or has failed."""
        self._f[_HEARTBEAT] = now
        self._q[_REQUESTS] += 1
        if self._q[_IN_PROGRESS] > 0:
            self._q[_IN_PROGRESS] -= 1
        if self._q[_IN_PROGRESS] == 0 and self._q[_STATE] == 3:
            self._q[_STATE] = 2
        self._q[_LATENCY + bucket(now - since)] += 1

    def defer(self, seconds: cython.double) -> None:
        """Worker only. The request that began last time after a wait of `seconds` has to wait again, as if it
        had not begun.
        """
        if self._q[_IN_PROGRESS] > 0:
            self._q[_IN_PROGRESS] -= 1
        if self._q[_IN_PROGRESS] == 0 and self._q[_STATE] == 3:
            self._q[_STATE] = 2
        if self._q[_QUEUE_WAIT + bucket(seconds)] > 0:
            self._q[_QUEUE_WAIT + bucket(seconds)] -= 1

    def note_route(self, route: str) -> None:
        """Worker only. The request that began last matches this rule, of which the first TEXT_BYTES are
        kept.
        """
        octets: bytes = route.encode("utf-8", "replace")[:TEXT_BYTES]
        index: cython.Py_ssize_t
        for index in range(len(octets)):
            self._b[1544 + index] = octets[index]
        self._q[_ROUTE_LENGTH] = len(octets)

    def waited(self, seconds: cython.double) -> None:
        """Worker only. Count how long a complete request waited for the application."""
        self._q[_QUEUE_WAIT + bucket(seconds)] += 1

    def count_accepted(self) -> None:
        """Worker only. One more connection."""
        self._q[_ACCEPTED] += 1

    def count_refused(self, kind: cython.Py_ssize_t) -> None:
        """Worker only. One more client that the server itself sent away; `kind` is its row in
        `refusals.KINDS`. Raises IndexError beyond MOST_KINDS.
        """
        if kind < 0 or kind >= 64:
            raise IndexError(f"there is no kind {kind} of refusals")
        self._q[_REFUSED] += 1
        self._q[_REFUSED_BY_KIND + kind] += 1

    def count_error(self) -> None:
        """Worker only. One more request in which the application raised."""
        self._q[_ERRORS] += 1

    def note_turning(self, is_turning: cython.bint) -> None:
        """Worker only. The loop has found something to do (true), or is about to wait (false)."""
        self._q[_TURNING] = is_turning

    def count_taken(self) -> None:
        """Worker only. One more connection that a sibling has passed on was taken."""
        self._q[_TAKEN] += 1

    def note_queued(self, count: cython.Py_ssize_t) -> None:
        """Worker only. So many whole requests wait for a thread."""
        self._q[_QUEUED] = count

    def note_open(self, count: cython.Py_ssize_t) -> None:
        """Worker only. So many connections are open."""
        self._q[_OPEN] = count

    def clear(self, pid: int, generation: int, age: int, now: float) -> None:
        """Master only. Make the slot ready for a worker (or, with pid 0, free)."""
        word: cython.int
        for word in range(256):
            self._q[word] = 0
        self._q[_PID] = pid
        self._q[_GENERATION] = generation
        self._q[_AGE] = age
        self._f[_STARTED_AT] = now
        self._f[_HEARTBEAT] = now
        self._q[_STATE] = 1 if age else 0

    @property
    def state(self) -> State:
        """What the worker is doing."""
        return State(self._q[_STATE])

    @state.setter
    def state(self, value: cython.ulonglong) -> None:
        self._q[_STATE] = value

    @property
    def heartbeat(self) -> float:
        """When the worker was last known to be alive."""
        return float(self._f[_HEARTBEAT])

    @property
    def started_at(self) -> float:
        """When the slot was given to its worker."""
        return float(self._f[_STARTED_AT])

    @property
    def ready_at(self) -> float:
        """When the worker became ready to serve; 0 before."""
        return float(self._f[_READY_AT])

    @ready_at.setter
    def ready_at(self, value: cython.double) -> None:
        self._f[_READY_AT] = value

    @property
    def request_at(self) -> float:
        """When the request that began last did so."""
        return float(self._f[_REQUEST_AT])

    @property
    def request_text(self) -> str:
        """The first bytes of the request line that began last, safe to print."""
        length: cython.Py_ssize_t = min(self._q[_TEXT_LENGTH], TEXT_BYTES)
        raw = bytes([self._b[TEXT_AT + index] for index in range(length)])
        return raw.decode("latin-1").encode("unicode_escape").decode("ascii")

    @property
    def route(self) -> str:
        """The rule that the request which began last matches, safe to print; empty if none is known."""
        length: cython.Py_ssize_t = min(self._q[_ROUTE_LENGTH], TEXT_BYTES)
        raw = bytes([self._b[ROUTE_AT + index] for index in range(length)])
        return raw.decode("utf-8", "replace").encode("unicode_escape").decode("ascii")

    @property
    def in_progress(self) -> int:
        """Requests inside the application."""
        return int(self._q[_IN_PROGRESS])

    @property
    def open_connections(self) -> int:
        """Connections open now."""
        return int(self._q[_OPEN])

    def is_queueing(self) -> cython.bint:
        """Whether whole requests wait for a thread."""
        return bool(self._q[_QUEUED])

    @property
    def pid(self) -> int:
        """The worker's process, 0 while the slot is free or the fork has just happened."""
        return int(self._q[_PID])

    @pid.setter
    def pid(self, value: cython.ulonglong) -> None:
        self._q[_PID] = value

    @property
    def generation(self) -> int:
        """Generation of configuration and code that the worker runs."""
        return int(self._q[_GENERATION])

    @property
    def age(self) -> int:
        """The worker's serial number."""
        return int(self._q[_AGE])

    @property
    def wants_replacement(self) -> Recycle:
        """Why the worker asks for a successor; Recycle.NO (false) if it does not."""
        return Recycle(self._q[_WANTS_REPLACEMENT])

    @wants_replacement.setter
    def wants_replacement(self, value: cython.ulonglong) -> None:
        self._q[_WANTS_REPLACEMENT] = value

    @property
    def order(self) -> Order:
        """How the arbiter wants the worker to leave."""
        return Order(self._q[_ORDER])

    @order.setter
    def order(self, value: cython.ulonglong) -> None:
        self._q[_ORDER] = value

    def totals(self) -> Totals:
        """The counters as they are now."""
        return Totals(
            self._q[_REQUESTS],
            self._q[_ACCEPTED],
            self._q[_REFUSED],
            self._q[_ERRORS],
            tuple([self._q[_LATENCY + index] for index in range(LATENCY_BUCKETS)]),
            tuple([self._q[_QUEUE_WAIT + index] for index in range(LATENCY_BUCKETS)]),
            tuple([self._q[_REFUSED_BY_KIND + index] for index in range(len(KINDS))]),
        )


class Neighbour:
    """Another worker's slot as its siblings see it, to read only. Any process; from the thread that holds the
    GIL.
    """

    number: int
    # As in Slot, of memory that may not be written.
    _f: Any
    _q: Any
    _owner: Any

    def __init__(self, buffer: Any, number: int) -> None:
        """`buffer` is the whole mapping. Raises IndexError if slot `number` is not inside it."""
        view = memoryview(buffer).cast("B").toreadonly()
        at = number * SLOT_BYTES
        if number < 0 or at + SLOT_BYTES > len(view):
            raise IndexError(f"slot {number} is outside of the scoreboard")
        self.number = number
        part = view[at : at + SLOT_BYTES]
        self._owner = part
        if cython.compiled:
            # As in Slot: every index below is a constant below 256, the words of SLOT_BYTES.
            octets: cython.const[cython.uchar][::1] = part  # type: ignore[valid-type]
            self._f = cython.cast(cython.p_const_double, cython.address(octets[0]))
            self._q = cython.cast(cython.p_const_ulonglong, cython.address(octets[0]))
        else:
            self._f = part.cast("d")
            self._q = part.cast("Q")

    def is_serving(self, generation: cython.ulonglong) -> cython.bint:
        """Whether a worker of `generation` has the slot that is neither starting nor leaving."""
        state: cython.ulonglong = self._q[_STATE]
        return (state == 2 or state == 3) and self._q[_GENERATION] == generation  # IDLE, BUSY

    def prospect(self, generation: cython.ulonglong) -> cython.int:
        """What a worker of `generation` in the slot does: 3 serves, 2 starts, 1 leaves; 0: there is none."""
        state: cython.ulonglong = self._q[_STATE]
        # FREE, EXITING
        if state == 0 or state == 5 or self._q[_GENERATION] != generation:
            return 0
        # DRAINING
        if state == 4 or self._q[_ORDER]:
            return 1
        return 2 if state == 1 else 3  # STARTING

    def room(self, generation: cython.ulonglong, now: cython.double) -> cython.longlong:
        """Connections that it has, if it can be counted on to serve another one soon; else -1.

        Not on a worker of another generation, one that starts or leaves, one with whole requests of its own
        that wait, and one whose loop is stuck.
        """
        if not self.is_serving(generation) or self._q[_QUEUED]:
            return -1
        silent: cython.double = now - self._f[_HEARTBEAT]
        if self._q[_TURNING] and silent > (_STALL if self._q[_IN_PROGRESS] else _LONG_STALL):
            return -1
        return int(self._q[_OPEN])

    def taken(self) -> cython.longlong:
        """Connections passed on to it that it has taken since it started."""
        return int(self._q[_TAKEN])

    def heartbeat(self) -> cython.double:
        """Its last sign of life."""
        return float(self._f[_HEARTBEAT])

    def age(self) -> cython.longlong:
        """Serial number of the worker that has the slot, 0 for none."""
        return int(self._q[_AGE])


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


class Scoreboard:
    """`slots` places in one anonymous mapping that forked processes share, and behind them the master's own
    record.

    Master only, made before the first fork; a forked process may read all of it.
    """

    def __init__(self, slots: int) -> None:
        self._map = mmap.mmap(-1, (slots + 1) * SLOT_BYTES)
        self.slots = [Slot(self._map, number) for number in range(slots)]
        self._record = memoryview(self._map)[slots * SLOT_BYTES :].cast("Q")
        self._free = list(range(slots))
        #: Counters of the workers that are gone.
        self.folded = NO_TOTALS

    def take(self, generation: int, age: int, now: float) -> Slot:
        """The free slot with the lowest number, cleared for a worker that is about to be forked.

        Low numbers come back first, so that they stay within workers plus those being replaced. Raises
        IndexError when all are taken.
        """
        if not self._free:
            raise IndexError(f"all {len(self.slots)} slots of the scoreboard are taken")
        slot = self.slots[self._free.pop(0)]
        slot.clear(0, generation, age, now)
        return slot

    def release(self, slot: Slot) -> None:
        """Fold a dead worker's counters into the total and free its slot."""
        self.folded = self.folded.plus(slot.totals())
        slot.clear(0, 0, 0, 0.0)
        number = slot.number
        position = sum(1 for free in self._free if free < number)
        self._free.insert(position, number)

    def neighbours(self, count: int) -> list[Neighbour]:
        """The slots below `count`, for a worker to look at."""
        return [Neighbour(self._map, number) for number in range(min(count, len(self.slots)))]

    def note(self, event: Event) -> None:
        """Count one event of the master's."""
        self._record[event] += 1

    def count(self, event: Event) -> int:
        """How often `event` has happened since the master started."""
        return int(self._record[event])

    def total(self) -> Totals:
        """Counters of all workers, living and gone."""
        result = self.folded
        for slot in self.slots:
            if slot.age:
                result = result.plus(slot.totals())
        return result
