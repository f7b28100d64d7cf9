cdef class Waiter:
    cdef object __weakref__
    cdef object _loop
    cdef object _callback
    cdef object _callback_context
    cdef list _others
    cdef bint _is_done
    cdef bint _is_cancelled
    cdef object _cancel_message
    cdef public bint _asyncio_future_blocking
    cdef Waiter _behind
    cpdef wake(self)
    cdef _call_others(self)

cpdef Waiter wait_behind(Waiter first, loop)
cpdef wake_all(Waiter first)
