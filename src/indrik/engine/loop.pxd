from indrik.engine.connection cimport Connection
from indrik.engine.context cimport Context
from indrik.engine.exchange cimport Exchange
from indrik.engine.siblings cimport Sibling, Siblings
from indrik.engine.timers cimport TimerQueue
from indrik.engine.transport cimport monotonic

cdef unsigned int _WRITABLE
cdef unsigned int _READABLE
cdef unsigned int _ENDED
cdef unsigned int _BROKEN
cdef int _ROUNDS
cdef double _LONG_TURN
cdef int _POLL_NEXT
cdef int _POLLED
cdef int _EVENTS
cdef int _AGAIN
cdef int _ACCEPTING
cdef int _ACCEPTS
cdef double _LOOK_INTERVAL

cdef class Engine:
    cdef readonly Context context
    cdef public object room
    cdef object _trusts
    cdef object _proxies
    cdef Siblings _siblings
    cdef int _mailbox_fd
    cdef bint _steps_back
    cdef double _stepped_at
    cdef dict _listeners
    cdef dict _wakeups
    cdef bint _is_listening
    cdef double _accepts_at
    cdef Py_ssize_t _most_connections
    cdef public bint is_full
    cdef bint _is_interrupted
    cdef int _stage
    cdef Py_ssize_t _found
    cdef Py_ssize_t _dealt
    cdef list _resuming
    cdef Py_ssize_t _resumed
    cdef int _rounds
    cdef list _knocks
    cdef int _accepted
    cpdef turn(self, double timeout)
    cpdef double wait_time(self, double most) except -1
    cpdef double next_deadline(self) except -1
    cpdef poll(self, double timeout)
    cpdef Exchange next_exchange(self)
    cpdef run(self, double seconds, long long served)
    cdef _on_event(self, Py_ssize_t index)
    cdef bint _may_resume(self) except -1
    cdef bint _accept(self, listener, bint serves) except -1
    cdef bint _take(self) except -1
    cdef _expire(self)
