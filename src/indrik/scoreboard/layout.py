"""Where each value of a slot lies, and what it means. A slot is SLOT_BYTES long, in the machine's byte order;
times are those of time.monotonic():

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
from typing import Any

SLOT_BYTES = 2048
TEXT_AT = 256
TEXT_BYTES = 160
ROUTE_AT = 1544
LATENCY_BUCKETS = 32
#: Words for the kinds of refusals; there may be fewer kinds.
MOST_KINDS = 64

HEARTBEAT = 0
REQUEST_AT = 1
STARTED_AT = 2
READY_AT = 3
STATE = 8
IN_PROGRESS = 9
REQUESTS = 10
ACCEPTED = 11
REFUSED = 12
ERRORS = 13
WANTS_REPLACEMENT = 14
PID = 15
GENERATION = 16
AGE = 17
ORDER = 18
TEXT_LENGTH = 19
TURNING = 28
TAKEN = 29
QUEUED = 30
OPEN = 31
LATENCY = 64
QUEUE_WAIT = 96
REFUSED_BY_KIND = 128
ROUTE_LENGTH = 192


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


def octets_of(buffer: Any, number: int) -> memoryview:
    """The SLOT_BYTES of slot `number` of the whole mapping. Raises IndexError if they are not inside it."""
    view = memoryview(buffer).cast("B")
    at = number * SLOT_BYTES
    if number < 0 or at + SLOT_BYTES > len(view):
        raise IndexError(f"slot {number} is outside of the scoreboard")
    return view[at : at + SLOT_BYTES]
