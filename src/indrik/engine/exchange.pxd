from indrik.engine.inlet cimport Inlet
from indrik.engine.ownership cimport Ownership
from indrik.engine.timers cimport Timer
from indrik.protocol.request cimport Request

cdef class Channel(Timer):
    cdef readonly bint is_closed
    cdef readonly object peer
    cdef readonly str peer_port
    cdef readonly object proxy_header
    cdef readonly object listener
    cdef readonly Ownership ownership
    cpdef bint may_keep_alive(self) except -1
    cpdef bint is_congested(self) except -1
    cpdef str response_tail(self)
    cpdef send(self, bytes data)
    cpdef send_two(self, bytes head, bytes data)
    cpdef finish(self, bint keep_alive)
    cpdef close(self)
    cpdef long long pending_output(self) except -1
    cpdef upgrade(self, Inlet inlet)
    cpdef resume_input(self)

cdef class Exchange:
    cdef readonly Request request
    cdef readonly Channel channel
    cdef readonly double arrived_at
    cdef public double started_at
    cdef public double deadline
    cdef object _body
    cdef public long long held
    cdef readonly bint is_finished
    cdef public bint begins
    cdef public bint has_begun
    cdef public bint has_continued
    cdef readonly bint was_refused
    cdef readonly bint is_overdue
    cdef public int departure
    cdef public bint awaits_drain
    cdef public object owner
    cdef public object on_departure
    cdef public Py_ssize_t shields
    cdef public bint is_told
    cdef readonly bint is_taken
    cdef bint _may_keep_alive
    cpdef bint keep_alive(self) except -1
    cpdef bint is_congested(self) except -1
    cpdef bint is_congested_beyond(self, long long most) except -1
    cpdef open_body(self)
    cpdef str response_tail(self)
    cpdef send(self, bytes data)
    cpdef send_two(self, bytes head, bytes data)
    cpdef finish(self, bint keep_alive)
    cpdef answer(self, bytes head, list pieces, bint keep_alive)

cdef class Shortcut:
    cpdef bint answers(self, Exchange exchange) except -1

cdef class Handler:
    cpdef handle(self, Exchange exchange)
    cpdef client_left(self, Exchange exchange)
    cpdef output_drained(self, Exchange exchange)

cpdef Exchange open_exchange(Channel channel, Request request, object body, double arrived_at)
