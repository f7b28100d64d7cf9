from indrik.protocol.response cimport ResponseHead

cdef double _FRESH

cdef class Rendered:
    cdef public str tail
    cdef public list shown
    cdef public ResponseHead head

cdef class Variant:
    cdef public list names
    cdef public str coding
    cdef public tuple key
    cdef public bint is_settled
    cdef public list fields
    cdef public bytes content
    cdef public long long size
    cdef public long long mtime_ns
    cdef public str etag
    cdef public Rendered whole
    cdef public Rendered unmodified

cdef class StaticFile:
    cdef public object mount
    cdef public bint is_framework
    cdef public bint judges_hosts
    cdef public Variant plain
    cdef public str location
    cdef public dict coded
    cdef public double checked_at
    cdef public Py_ssize_t cost

cdef class FileStore:
    cdef list _mounts
    cdef dict _files
    cdef Py_ssize_t _held
    cdef dict _misses
    cpdef StaticFile get(self, str path, double now)
