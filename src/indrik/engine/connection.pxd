from indrik.engine.body cimport RequestBody
from indrik.engine.context cimport Context
from indrik.engine.exchange cimport open_exchange
from indrik.engine.inlet cimport BodyInlet, Inlet
from indrik.engine.proxied cimport Proxied
from indrik.engine.receiver cimport Receiver
from indrik.engine.timers cimport TimerQueue, disarm
from indrik.engine.transport cimport monotonic
from indrik.protocol.octets cimport head_end, section
from indrik.protocol.partial_head cimport PartialHead
from indrik.protocol.request cimport Request

cdef Py_ssize_t NOTHING
cdef Py_ssize_t RECEIVE_SIZE
cdef Py_ssize_t _CHUNKED_SIZE
cdef double _SECONDS_A_TURN
cdef int _HEAD
cdef int _BODY
cdef int _EXCHANGE
cdef int _SENDING
cdef int _LINGERING
cdef int _CLOSED
cdef int _PROXY_HEADER

cdef class Connection(Proxied):
    cdef PartialHead _partial
    cdef Py_ssize_t _lingered
    cdef bint _closes_after_output
    cdef bint _was_refused
    cdef bint _skipped_line
    cdef Request _request
    cdef RequestBody _body
    cpdef on_readable(self)
    cpdef on_readable_to_end(self)
    cpdef on_broken(self)
    cdef _end_exchange(self)
    cdef _read(self)
    cdef _read_body(self, RequestBody body, Receiver receiver)
    cdef _feed(self, bytes data, bytes behind)
    cdef _advance(self, bytes behind)
    cdef _expect_body(self, Request request)
    cdef _feed_body(self, bytes data)
    cdef _on_body(self, RequestBody body)
    cdef _hand_over(self, Request request, object body)
    cdef _end_of_output(self)
    cdef _open_inlet(self, Request request, Inlet inlet)
