from indrik.protocol.octets cimport digits

cpdef long long body_length(str length, str codings, int minor_version) except -1
cpdef bint keeps_alive(str connection, int minor_version) except -1
