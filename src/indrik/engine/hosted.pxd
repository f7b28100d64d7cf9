from indrik.engine.context cimport Context
from indrik.engine.loop cimport Engine

cdef double _SLACK

cdef class HostedEngine:
    cdef readonly Engine engine
    cdef Context _context
    cdef object _loop
    cdef double _longest_wait
    cdef object _on_news
    cdef long long _limit
    cdef object _timer
    cdef double _timer_at
    cdef bint _is_due
    cdef bint _has_stopped
    cpdef wake(self)
    cpdef turn(self)
