from indrik.engine.exchange cimport Exchange
from indrik.engine.transport cimport monotonic

cpdef time_taken(Exchange exchange)
