from indrik.engine.exchange cimport Exchange
from indrik.gateway.task cimport RequestTask
from indrik.gateway.waiter cimport Waiter, wait_behind, wake_all

cdef class Cycle(RequestTask):
    cdef Exchange _exchange
    cdef Waiter _receivers
    cdef Waiter _drainers
    cpdef tell(self)
    cpdef drained(self)
