from indrik.engine.context cimport Context
from indrik.engine.exchange cimport Exchange, Handler
from indrik.engine.interruption cimport interrupt_application
from indrik.engine.loop cimport Engine
from indrik.engine.ownership cimport Ownership
from indrik.engine.queued cimport RequestQueue
from indrik.engine.transport cimport monotonic, pause

cdef double _LONG
cdef int _QUIET_PERIODS
cdef double _MOSTLY_LONG
cdef double _MEMORY
cdef double _GRACE
cdef double _SOON
cdef int _IN_TIME
cdef int _TOLD
cdef int _STUCK

cdef class Member:
    cdef readonly int number
    cdef readonly Exchange exchange
    cdef readonly int stage
    cdef readonly bint is_interrupted
    cdef readonly unsigned long ident
    cdef readonly object gate

cdef class Crew:
    cdef readonly Engine engine
    cdef Context _context
    cdef Ownership _ownership
    cdef Handler _handler
    cdef Py_ssize_t _threads
    cdef double _longest_wait
    cdef object _on_news
    cdef public object failure
    cdef public object shortage
    cdef bint _is_short
    cdef readonly list members
    cdef list _resting
    cdef RequestQueue _queue
    cdef Member _leader
    cdef Py_ssize_t _inside
    cdef bint _is_over
    cdef long long _limit
    cdef bint _leader_inside
    cdef long long _calls
    cdef long long _seen
    cdef double _long_share
    cdef bint _watcher_rests
    cdef object _watcher_gate
    cdef int _wake_fd
    cdef _lead(self, Member member)
    cdef _rest(self, Member member)
    cdef _wait(self)
    cdef _call(self, Member member, Exchange exchange)
    cdef _serve_queue(self, Member member)
    cdef _promote(self)
    cdef double _request_timeout
    cdef object _on_overdue
    cdef object _on_stuck
    cdef double _end_overdue(self) except -1
    cdef _watch_leader(self)
