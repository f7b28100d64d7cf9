from indrik.engine.exchange cimport Exchange
from indrik.engine.inlet cimport Inlet
from indrik.gateway.cycle cimport Cycle
from indrik.gateway.response cimport Response
from indrik.protocol.websocket cimport Decoder, Encoder

cdef int TEXT
cdef int BINARY
cdef int PING
cdef int PONG
cdef int CLOSE
cdef int FAILED
cdef int _CONNECTING
cdef int _DENYING
cdef int _OPEN
cdef int _CLOSING
cdef int _CLOSED
cdef long long HIGH_WATER
cdef long long _MOST_HELD
cdef long long _OVERHEAD
cdef long long UNKNOWN_LENGTH

cdef class WebSocketInlet(Inlet):
    cdef WebSocketCycle _cycle
    cdef Decoder _decoder

cdef class WebSocketCycle(Cycle):
    cdef object _gateway
    cdef object _settings
    cdef object _handshake
    cdef Response _response
    cdef int _state
    cdef WebSocketInlet _inlet
    cdef Encoder _encoder
    cdef object _messages
    cdef long long _held
    cdef bint _gave_connect
    cdef int _close_code
    cdef str _close_reason
    cdef object _closer
    cdef bint _was_left
    cdef readonly double pinged_at
    cdef readonly double ponged_at
    cdef _take(self, list events)
    cdef _keep(self, dict message, Py_ssize_t size)
