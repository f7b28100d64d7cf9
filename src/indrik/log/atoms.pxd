cdef tuple _shown

cpdef variable(environ, str name, str default)
cpdef str now_text()
