from indrik.engine.exchange cimport Exchange
from indrik.protocol.request cimport Request

cdef long long CHUNKED

cdef class EnvironBuilder:
    cdef object _settings
    cdef dict _templates
    cdef list _schemes
    cdef str _script_name
    cdef object _forwarding
    cdef object _proxy_headers
    cdef readonly bint forwards
    cdef readonly bint finds_ports
    cpdef dict build(self, Exchange exchange)
    cdef _set_scheme(self, dict environ)
