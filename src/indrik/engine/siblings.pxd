from indrik.scoreboard cimport Neighbour, Slot

cdef double _EXACT_RATE
cdef double _EXACT_BURST
cdef int _COARSE
cdef int _COARSE_PARTS
cdef int _EXACT_PARTS

cdef class Sibling:
    cdef readonly Neighbour neighbour
    cdef readonly object mailbox
    cdef readonly int number
    cdef public long long seen
    cdef public bint is_watched
    cdef public double due
    cdef public double patience
    cdef public double avoid
    cpdef long long room(self, unsigned long long generation, double now)

cdef class Siblings:
    cdef readonly Slot slot
    cdef readonly unsigned long long generation
    cdef readonly object mailbox
    cdef public list listeners
    cdef readonly list others
    cdef Py_ssize_t _most
    cdef double _allowance
    cdef double _allowed_at
    cdef public double recall_at
    cpdef Sibling better_place(self, long long here, double now)
    cdef bint _is_fuller(self, long long here, long long least, double now)
    cdef bint _may_be_exact(self, double now)
