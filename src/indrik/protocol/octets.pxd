cpdef Py_ssize_t first_forbidden(bytes data, Py_ssize_t start, Py_ssize_t end) except -2
cpdef bint is_plain(str text) except -1
