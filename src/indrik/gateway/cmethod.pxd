# C declarations only. Cython's own cpython.method has the function of Python 2, with one more argument.
cdef extern from "Python.h":
    object PyMethod_New(object function, object instance)
