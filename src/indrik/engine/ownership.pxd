cdef class Ownership:
    cdef object _gate
    cdef bint _is_held
    cdef bint _is_alone
    cdef Py_ssize_t _waiting
    cpdef acquire(self)
    cpdef release(self)
