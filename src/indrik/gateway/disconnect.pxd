from indrik.engine.exchange cimport Channel

cdef class Disconnected:
    cdef Channel _channel
    cdef list _callbacks
    cpdef run_callbacks(self)

cpdef Disconnected watch_disconnect(Channel channel)
