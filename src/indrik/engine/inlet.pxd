cdef Py_ssize_t _MOST

cdef class Inlet:
    cdef public bint is_full
    cdef public bint is_complete
    cpdef bytes feed(self, bytes data)
    cpdef end(self, refusal)

cdef class BodyInlet(Inlet):
    cdef long long _left
    cdef object _decoder
    cdef long long _limit
    cdef object _pieces
    cdef long long _held
    cdef readonly long long received
    cdef readonly bint is_broken
    cdef public object on_input
    cpdef bint has_input(self) except -1
    cpdef bytes take(self)
    cdef _hold(self, bytes piece)
    cdef _tell(self)
