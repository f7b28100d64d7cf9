# C declarations only: calls of the interpreter that Cython's own declarations lack, or give another type.
from cpython.ref cimport PyObject

cdef extern from "Python.h":
    int PyThreadState_SetAsyncExc(unsigned long thread, PyObject *exception)
