from indrik.scoreboard.neighbour cimport Neighbour
from indrik.scoreboard.slot cimport Slot

cdef int _EXACT_PARTS
cdef double _MOSTLY_SHORT
cdef double _MEMORY
cdef int _HEAP
cdef double _RATE
cdef double _BURST
cdef int _CROWD
cdef int _CROWD_PARTS
cdef double _SHARE
cdef double _MOST_SHARE

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
    cdef long long _closed
    cdef double _short
    cdef double _allowance
    cdef double _allowed_at
    cdef double _share
    cdef public bint is_crowded
    cdef public double recall_at
    cpdef Sibling better_place(self, long long here, long long closed, double now, bint is_full)
    cdef bint _is_fuller(self, long long here, long long least)
