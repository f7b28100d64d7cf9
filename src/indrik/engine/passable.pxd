from indrik.engine.context cimport Context
from indrik.engine.intake cimport Intake
from indrik.engine.timers cimport disarm
from indrik.protocol.request cimport Request

cdef int _CLOSED
cdef int _PROXY_HEADER

cdef class Passable(Intake):
    cdef readonly unsigned int served
    cdef bint _is_trusted
    cdef bint _stays
    cdef str _cookie
    cdef bint _moves(self, sticky, Request request) except -1
    cdef bint _outlives(self) except -1
    cdef bint _leave_for(self, sibling, siblings, bint is_request) except -1
    cdef _forget(self)
