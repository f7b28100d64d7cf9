from indrik.engine.context cimport Context
from indrik.engine.exchange cimport Exchange, Handler
from indrik.engine.loop cimport Engine
from indrik.engine.queued cimport RequestQueue
from indrik.engine.timers cimport Timer, TimerQueue, disarm
from indrik.engine.transport cimport monotonic

cdef int LEFT
cdef Py_ssize_t _MOST_IDLE
cdef double _LONG_TURN
cdef double _SLACK
cdef double _SOON

cdef class Carrier(Timer):
    cdef readonly object greenlet
    cdef readonly Exchange exchange
    cdef Greenlets _crowd

cdef class Greenlets(Handler):
    cdef readonly object host
    cdef public object failure
    cdef public list drains
    cdef Handler _handler
    cdef Py_ssize_t _most
    cdef RequestQueue _queue
    cdef double _longest_wait
    cdef object _on_news
    cdef object _on_departure
    cdef dict _carriers
    cdef list _idle
    cdef Py_ssize_t _alone
    cdef bint _is_turning
    cdef double _timer_at
    cdef long long _limit
    cdef double _request_timeout
    cdef TimerQueue _overdue
    cdef list _extended
    cdef list _untold
    cdef object _note_overdue
    cdef Engine _engine
    cdef Context _context
    cpdef turn(self)
    cdef _rest(self)
    cdef _begin(self, Exchange exchange)
    cpdef carry(self, Carrier carrier)
    cdef Carrier _take_carrier(self)
    cdef bint _is_unknown(self, Carrier carrier) except -1
    cdef double _end_overdue(self, double now) except -1
