cdef class RequestTask:
    cdef object __weakref__
    cdef public object _loop
    cdef public object _coro
    cdef public object _context
    cdef object _name
    cdef public object _fut_waiter
    cdef public bint _must_cancel
    cdef int _cancel_requests
    cdef object _cancel_message
    cdef bint _is_done
    cdef bint _is_cancelled
    cdef readonly object _exception
    cdef readonly list _callbacks
    cdef public bint _asyncio_future_blocking
    cdef public bint _log_destroy_pending
    cdef _prepare(self, loop, context)
    cdef _begin(self)
    cdef _first_step(self)
    cpdef bint _open(self) except -1
    cpdef _ended(self, error)
    cdef _run_once(self, error)
    cdef _wait_for(self, future)
    cdef _finish(self, error)
