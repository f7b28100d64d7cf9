from indrik.engine.exchange cimport Exchange

cpdef bint interrupt_application(Exchange exchange, unsigned long thread, type exception) except -1
cpdef take_back(Exchange exchange)
