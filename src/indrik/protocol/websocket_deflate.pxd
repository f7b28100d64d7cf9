cdef class Inflater:
    cdef int _bits
    cdef bint _takeover
    cdef object _stream
    cdef int _streams
    cpdef bytes inflate(self, bytes data, Py_ssize_t most, bint is_last)
    cdef bytes _go_on(self, bytes made, Py_ssize_t most)

cdef class Deflater:
    cdef int _bits
    cdef bint _takeover
    cdef int _level
    cdef int _memory
    cdef object _stream
    cpdef deflate(self, bytes data)
