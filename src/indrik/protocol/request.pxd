cdef class Request:
    cdef public str method
    cdef public str uri
    cdef public str path
    cdef public str query
    cdef public str host
    cdef public int minor_version
    cdef public list names
    cdef public list values
    cdef public long long content_length
    cdef public bint keep_alive
    cdef public bint expects_continue
    cdef public bint is_trusted
    cdef public bint has_scheme
    cdef public bint has_upgrade
    cdef public bint has_underscore
    cdef public str route
