from indrik.protocol.fields cimport known_field
from indrik.protocol.framing cimport body_length, keeps_alive
from indrik.protocol.octets cimport cut, decode, find, has_at, is_field_text, is_target
from indrik.protocol.request cimport Request

cdef int _TAB
cdef int _LF
cdef int _CR
cdef int _SPACE
cdef int _COLON
cdef int _SLASH
cdef int _QUESTION
cdef int CONNECTION
cdef int CONTENT_LENGTH
cdef int CONTENT_TYPE
cdef int EXPECT
cdef int HOST
cdef int ORDINARY
cdef int SCHEME
cdef int TRANSFER_ENCODING
cdef int UNDERSCORE
cdef int UPGRADE

cdef class HeadParser:
    cdef readonly Py_ssize_t line_limit
    cdef Py_ssize_t _fields_limit
    cdef Py_ssize_t _field_size_limit
    cdef readonly Py_ssize_t head_limit
    cdef long long _body_limit
    cdef str _header_map
    cdef frozenset _forwarder_names
    cdef frozenset _common_methods
    cdef bint _folding
    cdef bint _space_before_colon
    cdef bint _any_method
    cdef bint _any_version
    cdef bint _casefold
    cdef str _last_host
    cdef bytes _last_octets
    cpdef Request parse(self, Request request, bytes data, Py_ssize_t end, bint is_trusted)
    cdef _check_line(self, bytes data, Py_ssize_t start, Py_ssize_t end)
    cdef _request_line(self, Request request, bytes data, str text, Py_ssize_t end)
