cpdef list decode_fields(headers)
