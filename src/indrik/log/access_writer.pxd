cdef class AccessWriter:
    cdef object _log
    cdef object _manager
    cdef object _line
    cdef object _output
    cdef object _formatter
    cpdef bint write(self, logger, resp, req, environ, took) except -1
    cdef bint _is_alone(self) except -1
