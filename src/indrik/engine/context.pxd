from indrik.engine.body cimport BodyMemory
from indrik.engine.exchange cimport Exchange, Handler, Shortcut
from indrik.engine.ownership cimport Ownership
from indrik.engine.poller cimport Poller
from indrik.engine.receiver cimport Receiver
from indrik.engine.timers cimport Timers
from indrik.engine.transport cimport monotonic
from indrik.protocol.head cimport HeadParser
from indrik.scoreboard.slot cimport Slot

cdef class Context:
    cdef readonly object settings
    cdef readonly object waiting
    cdef readonly Ownership ownership
    cdef readonly HeadParser parser
    cdef readonly Timers timers
    cdef readonly Poller poller
    cdef readonly Receiver receiver
    cdef readonly Slot slot
    cdef readonly dict connections
    cdef readonly list again
    cdef readonly bint streams
    cdef readonly object backlog
    cdef public bint is_spooling
    cdef readonly BodyMemory body_memory
    cdef readonly double body_step
    cdef readonly double write_step
    cdef public double now
    cdef public double polled_at
    cdef public double sleeps_until
    cdef public Exchange pending
    cdef public bint is_draining
    cdef public bint keeps_alive
    cdef public bint has_room
    cdef public long long served
    cdef public long long closed
    cdef public object sticky
    cdef public Shortcut shortcut
    cdef public object successors
    cdef readonly Handler handler
    cdef object _wake
    cdef object _on_refusal
    cdef str _tail
    cdef double _tail_ends_at
    cpdef begin(self, Exchange exchange)
    cpdef ended(self, Exchange exchange)
    cpdef wake(self)
    cpdef str response_tail(self)
