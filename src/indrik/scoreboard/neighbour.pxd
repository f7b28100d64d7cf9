cdef int HEARTBEAT
cdef int STATE
cdef int IN_PROGRESS
cdef int GENERATION
cdef int AGE
cdef int ORDER
cdef int TURNING
cdef int TAKEN
cdef int QUEUED
cdef int OPEN
cdef double _STALL
cdef double _LONG_STALL

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
