from indrik.engine.exchange cimport Exchange

cdef class RequestQueue:
    cdef readonly Py_ssize_t length
    cdef double _timeout
    cdef str _lacking
    cdef object _waiting
    cpdef put(self, Exchange exchange)
    cpdef Exchange take(self)
    cpdef double expire(self, double now) except -1
