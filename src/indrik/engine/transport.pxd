cdef bint _has_forked

cpdef Py_ssize_t transmit(int fd, bytes data, Py_ssize_t start) except -2
cpdef Py_ssize_t transmit_two(int fd, bytes first, bytes second) except -2
cpdef void pause(double seconds) noexcept nogil
cpdef double monotonic() noexcept
