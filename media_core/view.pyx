"""A block of the caller's audio where it lies in the engine's memory. Made by `Session.view()`."""

cimport cython
from cpython.buffer cimport PyBuffer_FillInfo
from libc.stdint cimport int16_t


cdef AudioView new_view(object owner, const int16_t *pcm, Py_ssize_t samples):
    cdef AudioView view = AudioView.__new__(AudioView)
    view._owner = owner
    view._pcm = pcm
    view._samples = samples
    return view


@cython.final
cdef class AudioView:
    """Read-only octets; the owner of the memory lives as long as this."""

    def __init__(self):
        raise TypeError("AudioView is made by Session.view()")

    def __getbuffer__(self, Py_buffer *buffer, int flags):
        PyBuffer_FillInfo(buffer, self, <void *>self._pcm, 2 * self._samples, 1, flags)
