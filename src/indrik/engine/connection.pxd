from indrik.engine.context cimport Context
from indrik.engine.exchange cimport Channel, Exchange, open_exchange
from indrik.engine.timers cimport Timer, TimerQueue, disarm
from indrik.engine.transport cimport receive, transmit, transmit_two
from indrik.protocol.octets cimport head_end
from indrik.protocol.request cimport Request

cdef Py_ssize_t RECEIVE_SIZE
cdef int HALF_CLOSED
cdef int LEFT
cdef int _HEAD
cdef int _BODY
cdef int _EXCHANGE
cdef int _SENDING
cdef int _LINGERING
cdef int _CLOSED
cdef int _PROXY_HEADER

cdef class Connection(Channel):
    cdef readonly int fd
    cdef readonly int state
    cdef readonly unsigned int served
    cdef public bint is_watched
    cdef Context _context
    cdef bytes _input
    cdef Py_ssize_t _scanned
    cdef Py_ssize_t _lingered
    cdef double _marked
    cdef bint _is_trusted
    cdef bint _is_reading
    cdef bint _has_more_input
    cdef bint _is_scheduled
    cdef bint _closes_after_output
    cdef bint _was_refused
    cdef bint _skipped_line
    cdef bint _may_announce
    cdef bint _stays
    cdef str _cookie
    cdef Request _request
    cdef Exchange _exchange
    cdef object _body
    cdef object _output
    cpdef on_readable(self)
    cpdef on_readable_to_end(self)
    cpdef on_writable(self)
    cpdef on_broken(self)
    cdef _end_exchange(self)
    cdef _release(self)
    cdef _note_departure(self, bint is_broken)
    cpdef resume(self)
    cdef _read(self)
    cdef _feed(self, bytes data)
    cdef _advance(self)
    cdef bint _moves(self, sticky, Request request) except -1
    cdef _expect_body(self, Request request)
    cdef _feed_body(self, bytes data)
    cdef _hand_over(self, Request request, object body)
    cdef _end_of_output(self)
    cdef _arm(self, TimerQueue queue)
