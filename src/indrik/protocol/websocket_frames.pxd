cpdef unsigned int rotate(unsigned int key, Py_ssize_t count) noexcept
cpdef bytes unmask(bytes data, Py_ssize_t start, Py_ssize_t end, unsigned int key)
cpdef bytes frame(int first, bytes payload)
cdef bytes frame_of(int first, const char* payload, Py_ssize_t size)
