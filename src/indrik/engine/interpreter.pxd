# C declarations only: calls of the interpreter that Cython's own declarations lack, or give another type.
from cpython.ref cimport PyObject

cdef extern from "Python.h":
    ctypedef enum PySendResult:
        PYGEN_RETURN
        PYGEN_ERROR
        PYGEN_NEXT
    PySendResult PyIter_Send(object iterator, object argument, PyObject **result) except PYGEN_ERROR
    int PyThreadState_SetAsyncExc(unsigned long thread, PyObject *exception)
