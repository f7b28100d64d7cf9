cdef int _HEARTBEAT
cdef int _REQUEST_AT
cdef int _STARTED_AT
cdef int _READY_AT
cdef int _STATE
cdef int _IN_PROGRESS
cdef int _REQUESTS
cdef int _ACCEPTED
cdef int _REFUSED
cdef int _ERRORS
cdef int _WANTS_REPLACEMENT
cdef int _PID
cdef int _GENERATION
cdef int _AGE
cdef int _ORDER
cdef int _TEXT_LENGTH
cdef int _TURNING
cdef int _TAKEN
cdef int _QUEUED
cdef int _OPEN
cdef double _STALL
cdef double _LONG_STALL
cdef int _LATENCY
cdef int _QUEUE_WAIT
cdef int _REFUSED_BY_KIND
cdef int _ROUTE_LENGTH

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

cdef class Neighbour:
    cdef readonly int number
    cdef const double* _f
    cdef const unsigned long long* _q
    cdef object _owner
    cpdef bint is_serving(self, unsigned long long generation)
    cpdef int prospect(self, unsigned long long generation)
    cpdef long long room(self, unsigned long long generation, double now)
    cpdef long long taken(self)
    cpdef double heartbeat(self)
    cpdef long long age(self)

cpdef int bucket(double seconds)
