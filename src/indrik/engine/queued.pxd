from indrik.engine.exchange cimport Exchange

from indrik.scoreboard.slot cimport Slot

cdef class RequestQueue:
    cdef readonly Py_ssize_t length
    cdef double _timeout
    cdef str _lacking
    cdef object _waiting
    cdef public Slot slot
    cpdef put(self, Exchange exchange)
    cpdef Exchange take(self)
    cpdef double expire(self, double now) except -1
