cpdef bint keeps_alive(str connection, int minor_version) except -1
