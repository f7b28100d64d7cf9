from indrik.protocol.websocket_deflate cimport Deflater, Inflater
from indrik.protocol.websocket_frames cimport frame, rotate, unmask

cdef int BINARY
cdef int CLOSE
cdef int CONTINUATION
cdef int FAILED
cdef int MOST_OF_CONTROL
cdef int NO_STATUS
cdef int PING
cdef int PONG
cdef int TEXT
cdef int _FIN
cdef int _RSV
cdef int _RSV1
cdef int _MASKED
cdef int _LENGTH
cdef int _OPCODE

cdef class Decoder:
    cdef long long _max_size
    cdef Inflater _inflater
    cdef bytes _pending
    cdef long long _left
    cdef unsigned int _key
    cdef bint _is_last
    cdef int _kind
    cdef bint _is_compressed
    cdef long long _announced
    cdef bytearray _gathered
    cdef bytes _cut
    cdef readonly bint is_done
    cpdef list feed(self, bytes data)
    cdef _end(self)
    cdef _read(self, bytes data, list events)
    cdef _check_head(self, int first, int second)
    cdef long long _long_length(self, bytes data, Py_ssize_t at) except -2
    cdef _check_size(self, int first, long long length)
    cdef _take(self, bytes payload, list events)
    cdef bytes _inflate(self, bytes payload, Py_ssize_t most, bint is_last)
    cdef str _text(self, bytes payload)
    cdef _check_text(self, bytes payload)
    cdef _control(self, int opcode, bytes payload, list events)

cdef class Encoder:
    cdef Deflater _deflater
    cdef long long _threshold
    cpdef bytes encode_text(self, str text)
    cpdef bytes encode_binary(self, bytes data)
    cdef bytes _message(self, int first, bytes data)
    cpdef bytes encode_ping(self, bytes data=*)
    cpdef bytes encode_pong(self, bytes data)
    cdef bytes _encode_control(self, int opcode, bytes data)
