from indrik.engine.exchange cimport Exchange
from indrik.gateway.environ cimport EnvironBuilder
from indrik.gateway.http_cycle cimport CycleOwner, HTTPCycle, open_cycle
from indrik.gateway.response cimport Response
from indrik.gateway.task cimport RequestTask
from indrik.gateway.took cimport time_taken
from indrik.gateway.websocket cimport WebSocketCycle

cdef class ASGIGateway(CycleOwner):
    cdef readonly bint forgets_fields
    cdef readonly set cycles
    cdef object _websocket
    cdef object _pings
    cdef EnvironBuilder _environs
    cdef object _log
    cdef bint _logs_access
    cdef object _slot
    cdef object _loop
    cdef object _after
    cdef double _disconnect_grace
    cdef object _on_overdue
    cdef object _notes
    cdef object _context
    cdef object _admission
    cdef _begin(self, Exchange exchange)
    cpdef cycle_ended(self, HTTPCycle cycle, error)
