from indrik.engine.context cimport Context
from indrik.engine.exchange cimport Channel
from indrik.engine.timers cimport TimerQueue, disarm
from indrik.engine.transport cimport monotonic, transmit, transmit_two

cdef class Sender(Channel):
    cdef readonly int fd
    cdef public bint is_watched
    cdef Context _context
    cdef object _output
    cdef double _marked
    cdef bint _is_spooling
    cdef bint _is_framed_by_close
    cpdef on_writable(self)
    cdef _arm(self, TimerQueue queue)
