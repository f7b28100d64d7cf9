cdef dict _names
cdef dict _statuses

cpdef list decode_fields(headers)
cpdef str status_line(code)
