from indrik.engine.context cimport Context
from indrik.engine.exchange cimport Exchange
from indrik.engine.inlet cimport BodyInlet, Inlet
from indrik.engine.sender cimport Sender
from indrik.engine.timers cimport disarm

cdef int HALF_CLOSED
cdef int LEFT
cdef int _EXCHANGE
cdef int _CLOSED

cdef class Intake(Sender):
    cdef readonly int state
    cdef bytes _input
    cdef bint _is_reading
    cdef bint _has_more_input
    cdef bint _is_scheduled
    cdef Exchange _exchange
    cdef Inlet _inlet
    cpdef resume(self)
    cdef _note_departure(self, bint is_broken)
    cdef _feed_inlet(self, Inlet inlet, bytes data)
    cdef _break_input(self, refusal)
