cdef bytes _CLASS
cdef unsigned long long _SPACES
cdef unsigned long long _AFTER_SPACE
cdef unsigned long long _HASHES
cdef unsigned long long _DELETES
cdef unsigned long long _ONES
cdef unsigned long long _HIGH_BITS

cpdef Py_ssize_t first_forbidden(bytes data, Py_ssize_t start, Py_ssize_t end) except -2
cpdef bint is_plain(str text) except -1
cpdef str decode(bytes data, str text, Py_ssize_t start, Py_ssize_t end)
cpdef str cut(str text, Py_ssize_t start, Py_ssize_t end)
cpdef bytes section(bytes data, Py_ssize_t start, Py_ssize_t end)
cpdef Py_ssize_t head_end(bytes data, Py_ssize_t start) except -2
cpdef bint is_target(str text) except -1
cpdef long long digits(str text) except -2
cpdef Py_ssize_t find(bytes data, int octet, Py_ssize_t start, Py_ssize_t end) except -2
cpdef bint is_field_text(bytes data, Py_ssize_t start, Py_ssize_t end) except -1
cpdef bytes assemble(list parts, bytes tail)
cpdef bint has_at(bytes data, bytes piece, Py_ssize_t start) except -1
