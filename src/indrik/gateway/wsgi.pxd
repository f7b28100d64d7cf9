from indrik.engine.exchange cimport Exchange, Handler
from indrik.gateway.client cimport Client, client_of
from indrik.gateway.client_socket cimport ClientSocket, socket_of
from indrik.gateway.environ cimport EnvironBuilder
from indrik.protocol.request cimport Request
from indrik.protocol.response cimport ResponseHead, render

cdef int _COPIED
cdef long long _UNKNOWN

cdef class Response:
    cdef readonly str status
    cdef readonly list headers
    cdef readonly long long sent
    cdef WSGIGateway _gateway
    cdef Exchange _exchange
    cdef ResponseHead _head
    cdef bint _overran
    cdef bytes _check(self, object data)
    cdef ResponseHead _start(self, long long length, bytes body)
    cdef ResponseHead _write(self, bytes data, long long length)
    cdef send_result(self, object result)
    cdef _end(self)

cdef class WSGIGateway(Handler):
    cdef readonly bint uses_sendfile
    cdef object _application
    cdef EnvironBuilder _environs
    cdef object _log
    cdef bint _logs_access
    cdef object _before
    cdef object _after
    cdef object _slot
    cdef set _dropped
    cdef bint _has_deadline
    cdef tuple _failures
    cdef object _context
    cdef _handle(self, Exchange exchange)
