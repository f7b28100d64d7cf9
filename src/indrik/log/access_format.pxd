from indrik.log.atoms cimport variable
from indrik.log.escape cimport needs_escape

cdef class AccessFormat:
    cdef readonly list unknown
    cdef list _pieces
    cdef list _places
