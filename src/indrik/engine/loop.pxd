from indrik.engine.connection cimport Connection
from indrik.engine.context cimport Context
from indrik.engine.poller cimport Poller
from indrik.engine.timers cimport TimerQueue, Timers
from indrik.engine.transport cimport monotonic

cdef unsigned int _WRITABLE
cdef unsigned int _READABLE
cdef unsigned int _ENDED

cdef class Engine:
    cdef readonly Context context
    cdef object _trusts
    cdef object _proxies
    cdef dict _listeners
    cdef dict _wakeups
    cdef bint _is_listening
    cdef double _accepts_at
    cdef Py_ssize_t _most_connections
    cdef bint _is_interrupted
    cpdef turn(self, double timeout)
    cpdef run(self, double seconds, long long served)
    cdef _expire(self)
