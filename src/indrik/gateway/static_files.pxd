from indrik.engine.context cimport Context
from indrik.engine.exchange cimport Exchange, Shortcut
from indrik.gateway.environ cimport EnvironBuilder
from indrik.gateway.response cimport Response
from indrik.gateway.static_store cimport FileStore, Rendered, StaticFile, Variant
from indrik.gateway.took cimport time_taken
from indrik.protocol.request cimport Request
from indrik.protocol.response cimport ResponseHead, render

cdef int _DEMANDS
cdef int _NONE_MATCH
cdef int _SELECTS
cdef int _ACCEPTS
cdef dict _MEANINGS

cdef class StaticFiles(Shortcut):
    cdef Context _context
    cdef FileStore _store
    cdef EnvironBuilder _environs
    cdef object _log
    cdef object _notes
    cdef object _on_access
    cdef bint _answer(self, Exchange exchange, Request request, StaticFile file) except -1
