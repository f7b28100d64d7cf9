cdef Py_ssize_t _BODIES
cdef Py_ssize_t _ALWAYS

cdef class BodyMemory:
    cdef readonly long long each
    cdef readonly long long whole
    cdef public long long held

cdef class RequestBody:
    cdef readonly long long left
    cdef object _decoder
    cdef BodyMemory _memory
    cdef long long _limit
    cdef object _directory
    cdef object _file
    cdef bint _is_spooled
    cdef readonly long long received
    cdef readonly long long held
    cpdef bint is_complete(self) except -1
    cpdef bytes feed(self, bytes data)
    cpdef take(self, memoryview view)
    cdef _store(self, piece)
    cdef bint _has_room(self, Py_ssize_t size) except -1
    cdef _spool(self)
    cpdef open(self)
    cpdef discard(self)
