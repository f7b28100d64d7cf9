from indrik.engine.exchange cimport Exchange

cdef class ClientSocket:
    cdef Exchange _exchange
    cdef object _sock

cpdef ClientSocket socket_of(Exchange exchange)
