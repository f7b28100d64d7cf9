cdef class Timer:
    cdef readonly TimerQueue queue
    cdef readonly double deadline
    cdef Timer _earlier
    cdef Timer _later
    cpdef on_timeout(self, TimerQueue queue)

cdef class TimerQueue:
    cdef readonly str name
    cdef readonly double delay
    cdef readonly Py_ssize_t length
    cdef Timer _first
    cdef Timer _last
    cpdef arm(self, Timer timer, double now)
    cdef _remove(self, Timer timer)
    cpdef expire(self, double now)

cpdef disarm(Timer timer)

cdef class Timers:
    cdef readonly TimerQueue first_byte
    cdef readonly TimerQueue head
    cdef readonly TimerQueue body
    cdef readonly TimerQueue keep_alive
    cdef readonly TimerQueue write
    cdef readonly TimerQueue linger
    cdef readonly double linger_limit
    cdef readonly TimerQueue drain
    cdef readonly list queues
    cpdef double next_deadline(self) except -1
