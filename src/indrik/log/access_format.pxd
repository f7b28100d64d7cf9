from indrik.log.atoms cimport variable

cdef unsigned long long _SPACES
cdef unsigned long long _QUOTES
cdef unsigned long long _BACKSLASHES
cdef unsigned long long _DELETES
cdef unsigned long long _ONES
cdef unsigned long long _HIGH_BITS

cdef class AccessFormat:
    cdef readonly list unknown
    cdef list _pieces
    cdef list _places

cdef bint _is_safe(str text) except -1
