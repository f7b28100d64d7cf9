from indrik.engine.exchange cimport Exchange
from indrik.gateway.environ cimport EnvironBuilder
from indrik.protocol.request cimport Request

cdef dict _ASGI

cdef class ScopeBuilder:
    cdef EnvironBuilder _environs
    cdef str _root_path
    cdef bytes _raw_root_path
    cdef dict _state
    cdef dict _templates
    cdef dict _extensions
    cpdef dict build(self, Exchange exchange)
