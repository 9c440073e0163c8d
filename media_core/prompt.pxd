"""Attributes of an encoded prompt."""


cdef class Prompt:
    cdef readonly bytes payload     # immutable: the engine reads it where it lies
    cdef readonly str codec
    cdef readonly int samples
