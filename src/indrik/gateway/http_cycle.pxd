from indrik.engine.exchange cimport Exchange, Handler
from indrik.engine.inlet cimport BodyInlet
from indrik.gateway.response cimport Response
from indrik.gateway.scope cimport ScopeBuilder
from indrik.gateway.task cimport RequestTask
from indrik.gateway.waiter cimport Waiter, wait_behind, wake_all
from indrik.protocol.octet_fields cimport decode_fields, status_line
from indrik.protocol.response cimport ResponseHead

cdef long long _HIGH_WATER
cdef long long UNKNOWN_LENGTH

cdef class CycleOwner(Handler):
    cdef readonly object application
    cdef readonly ScopeBuilder scopes
    cdef readonly object before
    cdef readonly double request_timeout
    cpdef cycle_ended(self, HTTPCycle cycle, error)

cdef class HTTPCycle(RequestTask):
    cdef CycleOwner _gateway
    cdef Exchange _exchange
    cdef dict _scope
    cdef Response _response
    cdef bytes _body
    cdef BodyInlet _inlet
    cdef Waiter _receivers
    cdef Waiter _drainers
    cdef list _trailers
    cdef bint _has_trailers
    cdef bint _is_complete
    cdef bint _is_overdue
    cdef object _timer
    cpdef tell(self)
    cpdef drained(self)
    cdef _start(self, dict message)
    cdef _send_body(self, dict message)
    cdef _complete(self)

cpdef HTTPCycle open_cycle(CycleOwner gateway, loop, context, Exchange exchange, Response response)
