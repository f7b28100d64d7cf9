"""Builds and checks what is published: the sdist, a wheel for each CPython, and the uncompiled wheel."""
