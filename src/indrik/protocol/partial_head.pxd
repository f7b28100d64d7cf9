from indrik.protocol.head cimport HeadParser
from indrik.protocol.octets cimport first_forbidden, head_end

cdef class PartialHead:
    cdef HeadParser _parser
    cdef bytearray _received
    cdef bint _has_line
    cpdef bytes feed(self, bytes data)
