cdef list _table

cdef Py_ssize_t _slot(Py_ssize_t first, Py_ssize_t middle, Py_ssize_t last, Py_ssize_t size) noexcept
cpdef tuple known_field(bytes data, Py_ssize_t start, Py_ssize_t end)
