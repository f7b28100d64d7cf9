cdef Py_ssize_t _SIZE
cdef Py_ssize_t _LEAST
cdef bytes _END
cdef Py_ssize_t _NOTHING

cdef class Receiver:
    cdef bytearray _buffer
    cdef object _view
    cdef object _buffers
    cdef readonly Py_ssize_t received
    cdef public bytes behind
    cpdef bytes receive(self, int fd, Py_ssize_t most)
    cpdef bytes receive_head(self, int fd)
    cpdef Py_ssize_t fill(self, int fd) except -2
    cdef Py_ssize_t _fill(self, int fd, Py_ssize_t most) except -2
    cpdef object filled(self, Py_ssize_t count)
    cdef Py_ssize_t _head_end(self, Py_ssize_t count) except -2
    cpdef bytes taken(self, Py_ssize_t start, Py_ssize_t end)
