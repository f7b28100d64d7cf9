from indrik.engine.context cimport Context
from indrik.engine.exchange cimport Exchange, Shortcut
from indrik.gateway.environ cimport EnvironBuilder
from indrik.gateway.response cimport Response
from indrik.protocol.request cimport Request
from indrik.protocol.response cimport ResponseHead, render

cdef double _FRESH
cdef int _SELECTS
cdef int _ACCEPTS
cdef dict _MEANINGS

cdef class Variant:
    cdef list names
    cdef tuple key
    cdef bint is_settled
    cdef list fields
    cdef bytes content
    cdef long long size
    cdef long long mtime_ns
    cdef str tail
    cdef list shown
    cdef ResponseHead head

cdef class StaticFile:
    cdef object mount
    cdef bint is_framework
    cdef bint judges_hosts
    cdef Variant plain
    cdef str location
    cdef dict coded
    cdef double checked_at
    cdef Py_ssize_t cost

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
