"""Attributes of a feed, and the native one (native/feed.h)."""

from libc.stdint cimport int64_t, uint8_t, uint64_t

from media_core.link cimport pm_codec_name


cdef extern from "native/feed.h" nogil:
    ctypedef struct pm_feed:
        uint64_t dropped, garbage

    size_t pm_feed_memory(pm_codec_name codec)
    pm_feed *pm_feed_init(void *memory, pm_codec_name codec)
    void pm_feed_put(pm_feed *feed, const uint8_t *octets, size_t size, int64_t arrived_ns)


cdef class Feed:
    cdef pm_feed *native

    cdef int put(self, bytes octets, double now_s) except -1
