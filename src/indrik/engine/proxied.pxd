from indrik.engine.passable cimport Passable

cdef int _HEAD
cdef int _PROXY_HEADER

cdef class Proxied(Passable):
    cdef bint _may_announce
