from indrik.protocol.octets cimport assemble, digits, is_plain

cdef dict _names
cdef dict _statuses
cdef int _ORDINARY
cdef int _CONTENT_LENGTH
cdef int _CONNECTION
cdef int _DATE
cdef int _SERVER

cdef class ResponseHead:
    cdef readonly bytes data
    cdef readonly bint has_body
    cdef readonly bint is_chunked
    cdef readonly long long content_length
    cdef readonly bint keep_alive
    cdef readonly bint holds_body
    cdef readonly list dropped
    cdef list _parts
    cdef int _code
    cdef str _declared_text
    cdef bint _has_date
    cdef bint _has_server

cpdef ResponseHead prepare(str status, list headers)
cpdef complete(
    ResponseHead head, bint head_only, int minor_version, bint keep_alive, long long length, str tail, bytes body=*
)
cpdef ResponseHead render(
    str status, list headers, bint head_only, int minor_version, bint keep_alive, long long length, str tail, bytes body=*
)
