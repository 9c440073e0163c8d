"""Attributes of an AudioSocket connection in the engine's hands, and the native one (native/link.h)."""

cdef extern from "native/codec.h" nogil:
    ctypedef enum pm_codec_name:
        PM_ULAW
        PM_ALAW
        PM_SLIN
        PM_G722
        PM_LINEAR
        PM_LINEAR16


cdef extern from "native/link.h" nogil:
    ctypedef struct pm_link:
        pass

    void pm_link_init(pm_link *link, int socket, pm_codec_name codec, bint tells_keys)


cdef class Link:
    cdef pm_link native
    cdef int _descriptor        # a second one of the same socket

    cdef int close(self) except -1
