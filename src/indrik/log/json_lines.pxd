from indrik.log.atoms cimport variable
from indrik.log.escape cimport needs_escape

cdef tuple _second
cdef list _PIECES
cdef list _PLACES

cdef str _text(object value)
