from indrik.engine.exchange cimport Exchange, Handler
from indrik.engine.inlet cimport BodyInlet
from indrik.gateway.cycle cimport Cycle
from indrik.gateway.response cimport Response
from indrik.gateway.scope cimport ScopeBuilder
from indrik.protocol.octet_fields cimport decode_fields, status_line

cdef long long HIGH_WATER
cdef long long UNKNOWN_LENGTH

cdef class CycleOwner(Handler):
    cdef readonly object application
    cdef readonly ScopeBuilder scopes
    cdef readonly object before
    cdef readonly double request_timeout
    cpdef cycle_ended(self, HTTPCycle cycle, error)

cdef class HTTPCycle(Cycle):
    cdef CycleOwner _gateway
    cdef dict _scope
    cdef Response _response
    cdef bytes _body
    cdef BodyInlet _inlet
    cdef list _trailers
    cdef bint _has_trailers
    cdef bint _is_complete
    cdef object _timer
    cdef _start(self, dict message)
    cdef _send_body(self, dict message)
    cdef _complete(self)

cpdef HTTPCycle open_cycle(CycleOwner gateway, loop, context, Exchange exchange, Response response)
