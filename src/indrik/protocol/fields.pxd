cdef list _table

cdef Py_ssize_t _slot(bytes data, Py_ssize_t start, Py_ssize_t end) except -1
cpdef tuple known_field(bytes data, Py_ssize_t start, Py_ssize_t end)
