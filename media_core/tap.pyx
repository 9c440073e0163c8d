# distutils: sources = media_core/native/tap.c
"""Memory through which one recording passes from the media thread to Python.

Made by `Session.record()`, which keeps it alive while the media thread may write into it.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport int64_t, uint32_t
from libc.stdlib cimport free
from libc.string cimport memcpy

cdef extern from "<stdlib.h>" nogil:
    int posix_memalign(void **memory, size_t alignment, size_t size)

cdef enum:
    TAP_FRAMES = 100            # 2 s of a recording may wait

cdef int taps = 0


def open_taps():
    """Count those whose memory has not been given back."""
    return taps


@cython.final
cdef class Tap:
    """Both sides of a call, frame by frame."""

    def __cinit__(self, int frame_samples):
        global taps
        cdef void *memory = NULL
        if posix_memalign(&memory, 64, pm_tap_memory(frame_samples, TAP_FRAMES)) != 0:
            raise MemoryError
        self.native = pm_tap_init(memory, frame_samples, TAP_FRAMES)
        self._frame_samples = frame_samples
        taps += 1

    def __dealloc__(self):
        global taps
        if self.native is not NULL:
            free(self.native)
            taps -= 1

    cdef tuple fetch(self, uint32_t most):
        """Take the oldest frames in a row: position, the caller's PCM, the agent's; None: there are none."""
        cdef uint32_t frames = pm_tap_look(self.native, most)
        cdef size_t octets = 2 * self._frame_samples
        cdef const pm_tap_frame *frame
        cdef int64_t position
        cdef uint32_t i
        if frames == 0:
            return None
        cdef bytes caller = PyBytes_FromStringAndSize(NULL, frames * octets)
        cdef bytes agent = PyBytes_FromStringAndSize(NULL, frames * octets)
        position = pm_tap_at(self.native, 0).position
        for i in range(frames):
            frame = pm_tap_at(self.native, i)
            memcpy(PyBytes_AS_STRING(caller) + i * octets, frame.pcm, octets)
            memcpy(PyBytes_AS_STRING(agent) + i * octets, frame.pcm + self._frame_samples, octets)
        pm_tap_done(self.native, frames)
        return position, caller, agent

    cdef bint is_done(self) noexcept:
        """Say whether nothing is there and nothing follows."""
        return pm_tap_has_ended(self.native) and pm_tap_look(self.native, 1) == 0
