# distutils: sources = media_core/native/feed.c
"""Memory through which the caller's audio passes to the media thread where Python has the connection.

Made by `Session.begin()`, which keeps it alive while the media thread reads it.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.math cimport llrint
from libc.stdint cimport uint8_t
from libc.stdlib cimport free

cdef extern from "<stdlib.h>" nogil:
    int posix_memalign(void **memory, size_t alignment, size_t size)

cdef int feeds = 0


def open_feeds():
    """Count those whose memory has not been given back."""
    return feeds


@cython.final
cdef class Feed:
    """Messages of audio, one behind the other."""

    def __cinit__(self, pm_codec_name codec):
        global feeds
        cdef void *memory = NULL
        if posix_memalign(&memory, 64, pm_feed_memory(codec)) != 0:
            raise MemoryError
        self.native = pm_feed_init(memory, codec)
        feeds += 1

    def __dealloc__(self):
        global feeds
        if self.native is not NULL:
            free(self.native)
            feeds -= 1

    cdef int put(self, bytes octets, double now_s) except -1:
        """Hand over what has come at this time."""
        pm_feed_put(
            self.native, <const uint8_t *>PyBytes_AS_STRING(octets), PyBytes_GET_SIZE(octets), llrint(now_s * 1e9)
        )
        return 0
