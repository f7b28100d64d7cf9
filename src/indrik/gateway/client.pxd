from indrik.engine.exchange cimport Exchange

cdef class Client:
    cdef Exchange _exchange
    cdef list _callbacks

cpdef Client client_of(Exchange exchange)
