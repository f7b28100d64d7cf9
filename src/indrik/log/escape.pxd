cdef unsigned long long _SPACES
cdef unsigned long long _QUOTES
cdef unsigned long long _BACKSLASHES
cdef unsigned long long _DELETES
cdef unsigned long long _ONES
cdef unsigned long long _HIGH_BITS

cpdef bint needs_escape(str text) except -1
