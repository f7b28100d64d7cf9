from indrik.engine.csocket cimport epoll_event

cdef class Poller:
    cdef object _epoll
    cdef int _fd
    cdef list _found
    cdef epoll_event[512] _events
    cpdef Py_ssize_t wait(self, double timeout) except -1
    cdef int fd_at(self, Py_ssize_t index) except -1
    cdef unsigned int flags_at(self, Py_ssize_t index) except? 0
