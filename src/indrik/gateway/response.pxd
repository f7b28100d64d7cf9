from indrik.engine.exchange cimport Exchange
from indrik.protocol.response cimport ResponseHead, complete, prepare

cdef int _COPIED

cdef class Response:
    cdef public str status
    cdef public list headers
    cdef public long long sent
    cdef object _notes
    cdef Exchange _exchange
    cdef ResponseHead _prepared
    cdef ResponseHead _head
    cdef bint _overran
    cdef ResponseHead _start(self, long long length, bytes body)
    cdef ResponseHead _write(self, bytes data, long long length)
    cdef _end(self)
