from indrik.engine.context cimport Context
from indrik.engine.exchange cimport Exchange, Shortcut
from indrik.gateway.environ cimport EnvironBuilder
from indrik.gateway.response cimport Response
from indrik.protocol.request cimport Request
from indrik.protocol.response cimport ResponseHead, render

cdef double _FRESH
cdef int _DEMANDS
cdef int _NONE_MATCH
cdef int _SELECTS
cdef int _ACCEPTS
cdef dict _MEANINGS

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

cdef class StaticFiles(Shortcut):
    cdef Context _context
    cdef list _mounts
    cdef EnvironBuilder _environs
    cdef object _log
    cdef object _notes
    cdef object _on_access
    cdef dict _files
    cdef Py_ssize_t _held
    cdef dict _misses
    cdef bint _answer(self, Exchange exchange, Request request, StaticFile file) except -1
