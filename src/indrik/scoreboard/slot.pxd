cdef int HEARTBEAT
cdef int REQUEST_AT
cdef int STARTED_AT
cdef int READY_AT
cdef int STATE
cdef int IN_PROGRESS
cdef int REQUESTS
cdef int ACCEPTED
cdef int REFUSED
cdef int ERRORS
cdef int WANTS_REPLACEMENT
cdef int PID
cdef int GENERATION
cdef int AGE
cdef int ORDER
cdef int TEXT_LENGTH
cdef int TURNING
cdef int TAKEN
cdef int QUEUED
cdef int OPEN
cdef int LATENCY
cdef int QUEUE_WAIT
cdef int REFUSED_BY_KIND
cdef int ROUTE_LENGTH

cdef class Slot:
    cdef readonly int number
    cdef double* _f  # the slot's words as doubles; uncompiled, a memoryview cast to "d"
    cdef unsigned long long* _q  # the same words as unsigned integers; uncompiled, cast to "Q"
    cdef unsigned char* _b  # the same bytes
    cdef object _owner  # keeps the mapping's buffer exported, so that it cannot be unmapped under the pointers
    cpdef beat(self, double now)
    cpdef begin(self, str method, str uri, double now)
    cpdef end(self, double now, double since)
    cpdef defer(self, double seconds)
    cpdef waited(self, double seconds)
    cpdef count_accepted(self)
    cpdef count_refused(self, Py_ssize_t kind)
    cpdef count_error(self)
    cpdef note_turning(self, bint is_turning)
    cpdef count_taken(self)
    cpdef note_queued(self, Py_ssize_t count)
    cpdef bint is_queueing(self)
    cpdef note_open(self, Py_ssize_t count)

cpdef int bucket(double seconds)
