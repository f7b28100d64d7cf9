from indrik.engine.exchange cimport Exchange, Handler
from indrik.engine.interruption cimport take_back
from indrik.gateway.client cimport Client, client_of
from indrik.gateway.client_socket cimport ClientSocket, socket_of
from indrik.gateway.environ cimport EnvironBuilder
from indrik.gateway.response cimport Response
from indrik.gateway.took cimport time_taken
from indrik.protocol.response cimport prepare

cdef long long UNKNOWN_LENGTH
cdef object _END
cdef object _write

cdef class StartResponse(Response):
    cdef WSGIGateway _gateway
    cdef _write_now(self, object data)
    cdef bytes _check(self, object data)
    cdef send_result(self, object result)

cdef class WSGIGateway(Handler):
    cdef readonly bint uses_sendfile
    cdef object _application
    cdef EnvironBuilder _environs
    cdef object _log
    cdef bint _logs_access
    cdef object _before
    cdef object _after
    cdef object _slot
    cdef object _notes
    cdef bint _has_deadline
    cdef readonly object file_roots
    cdef object _framework
    cdef tuple _failures
    cdef object _context
    cdef _handle(self, Exchange exchange)
